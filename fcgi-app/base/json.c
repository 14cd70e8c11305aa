/*
 * json - see the header.
 */
#include "base/json.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define MAX_DEPTH 64

/* Length of the UTF-8 sequence at s (at most n bytes), 0 where it is not one. */
static size_t
utf8_length(const unsigned char *s, size_t n)
{
	static const unsigned least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80       ? 1
		     : s[0] >> 5 == 6  ? 2
		     : s[0] >> 4 == 14 ? 3
		     : s[0] >> 3 == 30 ? 4
				       : 0;
	unsigned code;

	if (len == 0 || len > n)
		return 0;
	if (len == 1)
		return 1;
	code = s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	return len;
}

bool
dr_utf8_ok(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_length(s + i, len - i);
		if (n == 0)
			return false;
	}
	return true;
}

static void
add_escaped(struct dr_strbuf *out, unsigned char c)
{
	switch (c) {
	case '"':
		dr_strbuf_adds(out, "\\\"");
		break;
	case '\\':
		dr_strbuf_adds(out, "\\\\");
		break;
	case '\n':
		dr_strbuf_adds(out, "\\n");
		break;
	case '\r':
		dr_strbuf_adds(out, "\\r");
		break;
	case '\t':
		dr_strbuf_adds(out, "\\t");
		break;
	default:
		dr_strbuf_addf(out, "\\u%04x", c);
	}
}

/* Most letters are these: they stand for themselves in JSON. */
static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void
dr_json_add_stringn(struct dr_strbuf *out, const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t i = 0, plain = 0; /* bytes from `plain` to `i` need no change */

	dr_strbuf_addc(out, '"');
	while (i < len) {
		size_t n;

		if (is_plain(s[i])) {
			i++;
			continue;
		}
		n = utf8_length(s + i, len - i);
		if (n > 1) {
			i += n;
			continue;
		}
		dr_strbuf_add(out, text + plain, i - plain);
		if (n == 0)
			dr_strbuf_adds(out, "\xef\xbf\xbd");
		else
			add_escaped(out, s[i]);
		plain = ++i;
	}
	dr_strbuf_add(out, text + plain, len - plain);
	dr_strbuf_addc(out, '"');
}

void
dr_json_add_string(struct dr_strbuf *out, const char *text)
{
	if (text == NULL)
		dr_strbuf_adds(out, "null");
	else
		dr_json_add_stringn(out, text, strlen(text));
}

struct json_object *
dr_json_parse(const char *text, size_t len, char *err, size_t err_size)
{
	struct json_tokener *tokener;
	struct json_object *root;
	enum json_tokener_error why;
	const char *nul = memchr(text, '\0', len);

	if (nul != NULL) { /* json-c would take it for the end */
		snprintf(err, err_size, "NUL byte at byte %zu", (size_t)(nul - text));
		return NULL;
	}
	if (len == 0) {
		snprintf(err, err_size, "empty document");
		return NULL;
	}
	if (len > INT32_MAX / 2) {
		snprintf(err, err_size, "document too large");
		return NULL;
	}
	tokener = json_tokener_new_ex(MAX_DEPTH);
	DR_ASSERT(tokener != NULL);
	json_tokener_set_flags(
	    tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	root = json_tokener_parse_ex(tokener, text, (int)len);
	why = json_tokener_get_error(tokener);
	if (why == json_tokener_continue && len > 0) {
		/* a bare number ends only at its end of input */
		root = json_tokener_parse_ex(tokener, "", -1);
		why = json_tokener_get_error(tokener);
		if (why == json_tokener_continue ||
		    (why == json_tokener_success && root == NULL))
			why = json_tokener_error_parse_eof;
	}
	if (why != json_tokener_success) {
		snprintf(err, err_size, "%s at byte %zu", json_tokener_error_desc(why),
		    json_tokener_get_parse_end(tokener));
		json_object_put(root);
		root = NULL;
	} else if (root == NULL) {
		snprintf(err, err_size, "null where a value is expected");
	}
	json_tokener_free(tokener);
	return root;
}
