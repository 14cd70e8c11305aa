/*
 * json_scan - the top-level members of a JSON object, without building a tree.
 *
 * One pass over the bytes; nested values are skipped (strings and brackets are matched,
 * depth at most DR_MAX_JSON_DEPTH), so a body of megabytes costs next to nothing.
 * Grammar is checked on the top level and in the matching of brackets; what is wrong
 * deeper is the provider's to say.
 */
#ifndef DR_JSON_SCAN_H
#define DR_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"

enum dr_json_type {
	DR_JSON_NULL,
	DR_JSON_BOOL,
	DR_JSON_NUMBER,
	DR_JSON_STRING,
	DR_JSON_ARRAY,
	DR_JSON_OBJECT
};

struct dr_json_member {
	const char *key; /* raw bytes between the quotes, escapes and all */
	size_t key_len;
	const char *value; /* raw bytes: strings with quotes, objects with braces */
	size_t value_len;
	enum dr_json_type type;
};

/*
 * Call `member` for each member of the object in [text, text + len), in order. False:
 * not a JSON object as far as the scan sees, with one line in err: what, and at which
 * byte ("expected ':' at byte 17"). `member` returning false ends the scan early with
 * success.
 */
bool dr_json_scan(const char *text, size_t len,
    bool (*member)(void *arg, const struct dr_json_member *member), void *arg,
    char *err, size_t err_size) DR_MUSTCHECK;

/*
 * The same, with an eye on one array: of each object in it the members called `key` are
 * told, in passing, with the object's place among the array's objects and arrays.
 * Deeper ones are not, nor is a member whose value makes no sense.
 */
struct dr_json_watch {
	const char *member; /* the array: a top-level member, "tools" */
	const char *key;    /* "type" */
	void (*found)(void *arg, size_t element, const struct dr_json_member *member);
	void *arg;
};

bool dr_json_scan_watching(const char *text, size_t len,
    const struct dr_json_watch *watch, /* NULL: none */
    bool (*member)(void *arg, const struct dr_json_member *member), void *arg,
    char *err, size_t err_size) DR_MUSTCHECK;

/* Is the (raw) key this name, also when it is written with escapes ("mod\u0065l")? */
bool dr_json_key_is(const struct dr_json_member *member, const char *name);

/* The text of a string value: unescaped into out (NUL-terminated). False: not a string,
 * does not fit, bad escape, holds NUL. */
bool dr_json_text(const struct dr_json_member *member, char *out, size_t out_size);

/*
 * The same for text that only has to be shown: `raw` is what stands between the quotes
 * (maybe cut off), out gets as many whole characters as fit; what is no character
 * becomes '?'.
 */
void dr_json_text_cut(const char *raw, size_t len, char *out, size_t out_size);

/* The value as a whole number; false where it is none or does not fit. */
bool dr_json_int(const struct dr_json_member *member, int64_t *out);

#endif
