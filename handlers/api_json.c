/*
 * api_json - see the header. The body's top level is scanned as well as parsed: json-c
 * keeps the last of two members with one name, and whoever says two things is told so.
 */
#include "handlers/api_json.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/money.h"
#include "dialects/json_scan.h"
#include "gateway/request.h"

#define MAX_FIELDS 32

/* ---- bodies ---- */

struct reader {
	const struct dr_api_field *fields;
	struct json_object *root;
	unsigned seen; /* bits of fields[] */
	bool failed;
	char *why;
	size_t why_size;
};

static bool
is_text(struct json_object *value)
{
	return json_object_is_type(value, json_type_string) &&
	       json_object_get_string_len(value) ==
		   (int)strlen(json_object_get_string(value));
}

static bool
is_texts(struct json_object *value)
{
	if (!json_object_is_type(value, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(value); i++)
		if (!is_text(json_object_array_get_idx(value, i)))
			return false;
	return true;
}

/* json-c pins a number that does not fit to the nearest one that does. */
static bool
is_whole(struct json_object *value)
{
	int64_t n = json_object_get_int64(value);

	return json_object_is_type(value, json_type_int) && n != INT64_MAX &&
	       n != INT64_MIN;
}

/* What is wrong with the value, or NULL. */
static const char *
check_value(const struct dr_api_field *field, struct json_object *value)
{
	if (value == NULL)
		return field->nullable ? NULL : "must not be null";
	switch (field->kind) {
	case DR_API_TEXT:
		return is_text(value) ? NULL : "want a text";
	case DR_API_WHOLE:
		return is_whole(value) ? NULL : "want a whole number";
	case DR_API_BOOL:
		return json_object_is_type(value, json_type_boolean)
			   ? NULL
			   : "want true or false";
	case DR_API_TEXTS:
		return is_texts(value) ? NULL : "want a list of texts";
	}
	return "unknown kind";
}

/* One member of the body; false ends the scan. */
static bool
on_member(void *arg, const struct dr_json_member *member)
{
	struct reader *reader = arg;
	const struct dr_api_field *field = reader->fields;
	const char *problem;
	unsigned bit;

	while (field->name != NULL && !dr_json_key_is(member, field->name))
		field++;
	reader->failed = true;
	if (field->name == NULL) {
		snprintf(reader->why, reader->why_size, "%.*s: unknown field",
		    member->key_len < 64 ? (int)member->key_len : 64, member->key);
		return false;
	}
	bit = 1u << (field - reader->fields);
	problem =
	    (reader->seen & bit) != 0
		? "stands there twice"
		: check_value(field, json_object_object_get(reader->root, field->name));
	reader->seen |= bit;
	if (problem != NULL) {
		snprintf(reader->why, reader->why_size, "%s: %s", field->name, problem);
		return false;
	}
	reader->failed = false;
	return true;
}

static bool
has_required(struct reader *reader)
{
	for (size_t i = 0; reader->fields[i].name != NULL; i++) {
		DR_ASSERT(i < MAX_FIELDS);
		if (reader->fields[i].required && (reader->seen & 1u << i) == 0) {
			snprintf(reader->why, reader->why_size, "%s: is missing",
			    reader->fields[i].name);
			return false;
		}
	}
	return true;
}

struct json_object *
dr_api_body_parse(const char *text, size_t len, const struct dr_api_field *fields,
    enum dr_error *err, char *why, size_t why_size)
{
	struct reader reader = { .fields = fields, .why = why, .why_size = why_size };
	bool scanned = true;

	*err = DR_ERR_BAD_JSON;
	if (len == 0)
		reader.root = json_object_new_object();
	else if ((reader.root = dr_json_parse(text, len, why, why_size)) == NULL)
		return NULL;
	else
		scanned = dr_json_scan(text, len, on_member, &reader, why, why_size);
	if (scanned)
		*err = DR_ERR_BAD_FIELD;
	if (scanned && !reader.failed && has_required(&reader)) {
		*err = DR_OK;
		return reader.root;
	}
	json_object_put(reader.root);
	return NULL;
}

/* "application/json", with parameters or without. */
static bool
says_json(const struct dr_request *req)
{
	static const char json[] = "application/json";
	const char *type = dr_fcgi_param(req->edge, "CONTENT_TYPE");

	return type != NULL && strncasecmp(type, json, sizeof json - 1) == 0 &&
	       strchr("; \t", type[sizeof json - 1]) != NULL;
}

struct json_object *
dr_api_body(struct dr_request *req, const struct dr_api_field *fields)
{
	struct json_object *body;
	enum dr_error err;
	char why[200];
	const char *text;
	size_t len;

	if (dr_fcgi_fault(req->edge) == DR_FCGI_BODY_SHORT) {
		dr_request_fail(req, DR_ERR_BAD_JSON,
		    "Request body is shorter than Content-Length");
		return NULL;
	}
	text = dr_fcgi_body(req->edge, &len);
	if (dr_fcgi_fault(req->edge) != DR_FCGI_FINE || len > DR_MAX_LOCAL_BODY) {
		dr_request_fail(
		    req, DR_ERR_BODY_TOO_LARGE, (long long)DR_MAX_LOCAL_BODY);
		return NULL;
	}
	if (len > 0 && !says_json(req)) {
		dr_request_fail(
		    req, DR_ERR_BAD_HEADER, "Content-Type must be application/json");
		return NULL;
	}
	body = dr_api_body_parse(text, len, fields, &err, why, sizeof why);
	if (body == NULL)
		dr_request_fail(req, err, why);
	return body;
}

bool
dr_api_has(struct json_object *body, const char *name)
{
	return json_object_object_get_ex(body, name, NULL);
}

bool
dr_api_is_null(struct json_object *body, const char *name)
{
	struct json_object *value;

	return json_object_object_get_ex(body, name, &value) && value == NULL;
}

const char *
dr_api_text(struct json_object *body, const char *name)
{
	return json_object_get_string(json_object_object_get(body, name));
}

int64_t
dr_api_whole(struct json_object *body, const char *name, int64_t otherwise)
{
	struct json_object *value = json_object_object_get(body, name);

	return value != NULL ? json_object_get_int64(value) : otherwise;
}

/* ---- queries ---- */

static int
hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "x%20y+z" as "x y z"; what is wrong with it, or NULL. */
static const char *
decode(const char *text, size_t len, char out[DR_API_MAX_VALUE])
{
	size_t n = 0;

	if (len == 0)
		return "is empty";
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '%') {
			int high = i + 2 < len ? hex_of(text[i + 1]) : -1;
			int low = high >= 0 ? hex_of(text[i + 2]) : -1;

			if (low < 0)
				return "has a % without two hexadecimal digits";
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		if ((unsigned char)c < 0x20 || c == 0x7f)
			return "has control characters";
		if (n + 1 == DR_API_MAX_VALUE)
			return "is too long";
		out[n++] = c;
	}
	out[n] = '\0';
	return NULL;
}

/* One "name=value" into the query; what is wrong with it, or NULL. */
static const char *
take_param(struct dr_api_query *out, const char *const *names, const char *text,
    size_t name_len, size_t len)
{
	while (*names != NULL &&
	       (strlen(*names) != name_len || memcmp(*names, text, name_len) != 0))
		names++;
	if (*names == NULL)
		return "unknown parameter";
	if (dr_api_param(out, *names) != NULL)
		return "stands there twice";
	if (name_len == len)
		return "is empty";
	DR_ASSERT(out->n < DR_API_MAX_PARAMS); /* tables are not longer */
	out->params[out->n].name = *names;
	return decode(
	    text + name_len + 1, len - name_len - 1, out->params[out->n++].value);
}

bool
dr_api_query_parse(const char *text, const char *const *names, struct dr_api_query *out,
    char *why, size_t why_size)
{
	out->n = 0;
	while (text != NULL && *text != '\0') {
		size_t len = strcspn(text, "&"), name_len = strcspn(text, "=&");
		const char *problem =
		    len > 0 ? take_param(out, names, text, name_len, len) : NULL;

		if (problem != NULL) {
			snprintf(why, why_size, "%.*s: %s",
			    name_len < 64 ? (int)name_len : 64, text, problem);
			return false;
		}
		text += len;
		text += *text == '&';
	}
	return true;
}

bool
dr_api_query(struct dr_request *req, const char *const *names, struct dr_api_query *out)
{
	static const char *const none[] = { NULL };
	char why[200];

	if (dr_api_query_parse(dr_fcgi_param(req->edge, "QUERY_STRING"),
		names != NULL ? names : none, out, why, sizeof why))
		return true;
	dr_request_fail(req, DR_ERR_BAD_FIELD, why);
	return false;
}

const char *
dr_api_param(const struct dr_api_query *query, const char *name)
{
	for (size_t i = 0; i < query->n; i++)
		if (strcmp(query->params[i].name, name) == 0)
			return query->params[i].value;
	return NULL;
}

bool
dr_api_limit(struct dr_request *req, const struct dr_api_query *query, size_t *limit)
{
	const char *text = dr_api_param(query, "limit");
	unsigned long n = DR_API_DEFAULT_LIMIT;

	if (text != NULL)
		n = strspn(text, "0123456789") == strlen(text) && strlen(text) < 9
			? strtoul(text, NULL, 10)
			: 0;
	if (n < 1 || n > DR_API_MAX_LIMIT) {
		dr_request_fail(
		    req, DR_ERR_BAD_FIELD, "limit: want a whole number from 1 to 200");
		return false;
	}
	*limit = n;
	return true;
}

/* ---- writing ---- */

void
dr_api_item(struct dr_strbuf *out)
{
	char last = out->len > 0 ? out->data[out->len - 1] : '{';

	if (last != '{' && last != '[' && last != ':')
		dr_strbuf_addc(out, ',');
}

void
dr_api_name(struct dr_strbuf *out, const char *name)
{
	dr_api_item(out);
	dr_strbuf_addc(out, '"');
	dr_strbuf_adds(out, name);
	dr_strbuf_adds(out, "\":");
}

void
dr_api_add_text(struct dr_strbuf *out, const char *name, const char *text)
{
	dr_api_name(out, name);
	dr_json_add_string(out, text);
}

void
dr_api_add_whole(struct dr_strbuf *out, const char *name, int64_t n)
{
	dr_api_name(out, name);
	dr_strbuf_addi(out, n);
}

void
dr_api_add_bool(struct dr_strbuf *out, const char *name, bool yes)
{
	dr_api_name(out, name);
	dr_strbuf_adds(out, yes ? "true" : "false");
}

void
dr_api_add_null(struct dr_strbuf *out, const char *name)
{
	dr_api_name(out, name);
	dr_strbuf_adds(out, "null");
}

void
dr_api_add_time(struct dr_strbuf *out, const char *name, int64_t wall_ms)
{
	char when[DR_CLOCK_TEXT];

	dr_clock_format(wall_ms, when);
	dr_api_add_text(out, name, wall_ms != 0 ? when : NULL);
}

void
dr_api_add_usd(struct dr_strbuf *out, const char *name, int64_t nano)
{
	char usd[DR_MONEY_TEXT];

	dr_money_format(nano, usd);
	dr_api_add_text(out, name, usd);
}

void
dr_api_add_money(struct dr_strbuf *out, const char *name, int64_t nano)
{
	char full[80];

	snprintf(full, sizeof full, "%s_usd", name);
	dr_api_add_usd(out, full, nano);
	snprintf(full, sizeof full, "%s_nano_usd", name);
	dr_api_add_whole(out, full, nano);
}

void
dr_api_add_list(struct dr_strbuf *out, const char *name, const char *commas)
{
	if (commas[0] == '\0') {
		dr_api_add_null(out, name);
		return;
	}
	dr_api_name(out, name);
	dr_strbuf_addc(out, '[');
	while (*commas != '\0') {
		size_t n = strcspn(commas, ",");

		dr_api_item(out);
		dr_json_add_stringn(out, commas, n);
		commas += n;
		commas += *commas == ',';
	}
	dr_strbuf_addc(out, ']');
}

void
dr_api_list_begin(struct dr_strbuf *out)
{
	dr_strbuf_adds(out, "{\"object\":\"list\",\"data\":[");
}

void
dr_api_list_end(struct dr_strbuf *out, const char *next_cursor)
{
	dr_strbuf_addc(out, ']');
	dr_api_add_bool(out, "has_more", next_cursor != NULL);
	dr_api_add_text(out, "next_cursor", next_cursor);
	dr_strbuf_addc(out, '}');
}

void
dr_api_reply(struct dr_request *req, struct dr_strbuf *out)
{
	if (out->failed)
		dr_request_fail(req, DR_ERR_INTERNAL);
	else
		dr_reply_json(req, 200, out);
	dr_wipe(out->data, out->len); /* a new key may be in it */
	dr_strbuf_fini(out);
}
