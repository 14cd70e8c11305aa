/*
 * api_json - what the handlers of /api have in common: bodies and queries read
 * strictly, JSON written field by field, lists with cursors.
 *
 * Strict means: a field or a parameter that is not in the handler's table, stands there
 * twice or has another type is refused, and the message names it ("rpm: want a whole
 * number"). What a value means is the handler's to check.
 *
 * The *_parse() functions are pure; those that take a request fail it themselves
 * (dr_request_fail()) and return false or NULL: the handler returns at once.
 */
#ifndef DR_API_JSON_H
#define DR_API_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "base/errors.h"
#include "base/strbuf.h"

struct dr_request;
struct json_object;

/* ---- bodies ---- */

enum dr_api_kind {
	DR_API_TEXT,  /* without NUL */
	DR_API_WHOLE, /* a number without fraction that fits into int64_t */
	DR_API_BOOL,
	DR_API_TEXTS /* a list of texts */
};

struct dr_api_field {
	const char *name;
	enum dr_api_kind kind;
	bool required, nullable;
};

/*
 * A JSON object with these fields (the table ends with a NULL name). An empty body is
 * {} where nothing is required. The caller owns the result: json_object_put(). NULL:
 * *err is BAD_JSON or BAD_FIELD, and `why` has one line.
 */
struct json_object *dr_api_body_parse(const char *text, size_t len,
    const struct dr_api_field *fields, enum dr_error *err, char *why,
    size_t why_size) DR_MUSTCHECK;

/* The body of the request, which must say that it is application/json and stay below
 * DR_MAX_LOCAL_BODY. NULL: the request has failed. */
struct json_object *dr_api_body(
    struct dr_request *req, const struct dr_api_field *fields) DR_MUSTCHECK;

bool dr_api_has(struct json_object *body, const char *name);     /* null too */
bool dr_api_is_null(struct json_object *body, const char *name); /* there, and null */
/* NULL: not there, or null. Borrowed from the body. */
const char *dr_api_text(struct json_object *body, const char *name);
int64_t dr_api_whole(struct json_object *body, const char *name, int64_t otherwise);

/* ---- queries ---- */

#define DR_API_MAX_PARAMS 12
#define DR_API_MAX_VALUE  256

struct dr_api_query {
	size_t n;
	struct {
		const char *name; /* borrowed from the handler's table */
		char value[DR_API_MAX_VALUE];
	} params[DR_API_MAX_PARAMS];
};

/* "a=1&b=x%20y" with names of the table (ends with NULL); text NULL is empty. False:
 * one line in `why`. */
bool dr_api_query_parse(const char *text, const char *const *names,
    struct dr_api_query *out, char *why, size_t why_size) DR_MUSTCHECK;

/* The request's own; names NULL: none is known. False: the request has failed. */
bool dr_api_query(struct dr_request *req, const char *const *names,
    struct dr_api_query *out) DR_MUSTCHECK;

/* NULL: not there; never "". */
const char *dr_api_param(const struct dr_api_query *query, const char *name);

#define DR_API_DEFAULT_LIMIT 50
#define DR_API_MAX_LIMIT     200

/* ?limit= (1..200). False: the request has failed. */
bool dr_api_limit(struct dr_request *req, const struct dr_api_query *query,
    size_t *limit) DR_MUSTCHECK;

/* ---- writing ---- */

/*
 * Each writes one member, with the comma where one is due; the buffer's last byte
 * tells. So a text may be put together freely:  "{", members, dr_api_name(out, "x"),
 * "{", members, "}", members, "}".
 */
void dr_api_name(struct dr_strbuf *out, const char *name); /* its value follows */
void dr_api_add_text(struct dr_strbuf *out, const char *name, const char *text);
void dr_api_add_whole(struct dr_strbuf *out, const char *name, int64_t n);
void dr_api_add_bool(struct dr_strbuf *out, const char *name, bool yes);
void dr_api_add_null(struct dr_strbuf *out, const char *name);
/* RFC 3339 in UTC with milliseconds; 0: null. */
void dr_api_add_time(struct dr_strbuf *out, const char *name, int64_t wall_ms);
/* "name": "1.5" */
void dr_api_add_usd(struct dr_strbuf *out, const char *name, int64_t nano);
/* "cost_usd": "1.5", "cost_nano_usd": 1500000000 for the name "cost" */
void dr_api_add_money(struct dr_strbuf *out, const char *name, int64_t nano);
/* "a,b" as ["a","b"]; "" as null. */
void dr_api_add_list(struct dr_strbuf *out, const char *name, const char *commas);
/* The comma before an element of a list, where one is due. */
void dr_api_item(struct dr_strbuf *out);

/* {"object":"list","data":[ ... ],"has_more":...,"next_cursor":...}; cursor NULL: there
 * are no more. */
void dr_api_list_begin(struct dr_strbuf *out);
void dr_api_list_end(struct dr_strbuf *out, const char *next_cursor);

/* 200 with what was written (INTERNAL where it did not fit); `out` is wiped and
 * finished. Ends the request. */
void dr_api_reply(struct dr_request *req, struct dr_strbuf *out);

#endif
