/*
 * json_scan - see the header.
 *
 * Strings inside nested values are skipped by looking for quotes alone: a quote is
 * escaped when an odd number of backslashes stands before it. Not a validator: what is
 * wrong deep inside a request is told by the provider, in its own words. Relies on
 * bytes.h for its speed.
 */
#include "dialects/json_scan.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "dialects/bytes.h"

struct scan {
	const char *text; /* where byte 0 is, for the messages */
	const char *p, *end;
	char *err;
	size_t err_size;
};

/* Byte 0 is the first of the text given. */
static bool
wrong_at(struct scan *scan, const char *what, const char *where)
{
	snprintf(scan->err, scan->err_size, "%s at byte %zu", what,
	    (size_t)(where - scan->text));
	return false;
}

/* Something else was expected here; at the end of the bytes, say that they end. */
static bool
wrong(struct scan *scan, const char *what)
{
	return wrong_at(scan, scan->p < scan->end ? what : "unexpected end", scan->p);
}

/* JSON's four kinds of white space; a NUL or a BOM is none. */
static void
skip_space(struct scan *scan)
{
	while (scan->p < scan->end && dr_is_space(*scan->p))
		scan->p++;
}

/* Not isxdigit(): the locale has no say here. */
static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Bytes of the escape at p (a backslash); 0: not one. */
static size_t
escape_length(const char *p, const char *end)
{
	if (end - p < 2)
		return 0;
	if (p[1] != 'u')
		return p[1] != '\0' && strchr("\"\\/bfnrt", p[1]) != NULL ? 2 : 0;
	if (end - p < 6)
		return 0;
	return is_hex(p[2]) && is_hex(p[3]) && is_hex(p[4]) && is_hex(p[5]) ? 6 : 0;
}

/* A string of the top level, checked: p stands on its opening quote. */
static bool
take_string(struct scan *scan)
{
	const char *open = scan->p++;

	for (;;) {
		size_t n;

		scan->p = dr_find_quote_or_control(scan->p, scan->end);
		if (scan->p == scan->end)
			return wrong_at(scan, "unterminated string", open);
		if (*scan->p == '"')
			break;
		if (*scan->p != '\\')
			return wrong(scan, "control character in a string");
		n = escape_length(scan->p, scan->end);
		if (n == 0)
			return wrong(scan, "bad escape in a string");
		scan->p += n;
	}
	scan->p++;
	return true;
}

/* The end of a nested string, unchecked: p stands behind its opening quote. */
static const char *
skip_string(const char *p, const char *end)
{
	const char *from = p;

	for (;;) {
		const char *before;

		p = memchr(p, '"', (size_t)(end - p));
		if (p == NULL)
			return NULL;
		for (before = p; before > from && before[-1] == '\\'; before--)
			;
		p++;
		if (((p - before) & 1) != 0)
			return p;
	}
}

static bool take_value(struct scan *scan, enum dr_json_type *type);

/*
 * The string in [text, after - 1) is a member of an array's element, or the value of
 * one. Where it is the key that is watched for, tell of it. False: it is not, or
 * nothing that makes sense follows, which is not ours to say.
 */
static bool
take_watched(struct scan *scan, const struct dr_json_watch *watch, size_t element,
    const char *text, const char *after)
{
	struct dr_json_member member = { .key = text,
		.key_len = (size_t)(after - 1 - text) };

	if (!dr_json_key_is(&member, watch->key))
		return false;
	scan->p = after;
	skip_space(scan);
	if (scan->p == scan->end || *scan->p != ':')
		return false;
	scan->p++;
	skip_space(scan);
	member.value = scan->p;
	if (!take_value(scan, &member.type))
		return false;
	member.value_len = (size_t)(scan->p - member.value);
	watch->found(watch->arg, element, &member);
	return true;
}

/* An object or array: every bracket must meet its own kind. */
static bool
take_container(struct scan *scan, const struct dr_json_watch *watch)
{
	unsigned char is_object[DR_MAX_JSON_DEPTH];
	unsigned depth = 0;
	size_t elements = 0; /* of the outermost, objects and arrays alone */
	const char *open = scan->p;

	do {
		char c;

		scan->p = dr_find_structure(scan->p, scan->end);
		if (scan->p == scan->end)
			return wrong_at(scan, "unterminated object or array", open);
		c = *scan->p;
		if (c == '"') {
			const char *after = skip_string(scan->p + 1, scan->end);

			if (after == NULL)
				return wrong(scan, "unterminated string");
			if (watch == NULL || depth != 2 || !is_object[1] ||
			    !take_watched(
				scan, watch, elements - 1, scan->p + 1, after))
				scan->p = after;
			continue;
		}
		if (c == '{' || c == '[') {
			if (depth == DR_MAX_JSON_DEPTH)
				return wrong(scan, "nested too deeply");
			elements += depth == 1;
			is_object[depth++] = (c == '{');
		} else if (is_object[--depth] != (c == '}')) {
			return wrong(scan, "bracket of the wrong kind");
		}
		scan->p++;
	} while (depth > 0);
	return true;
}

/* true, false or null. */
static bool
take_word(struct scan *scan, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(scan->end - scan->p) < n || memcmp(scan->p, word, n) != 0)
		return wrong(scan, "unknown word");
	scan->p += n;
	return true;
}

/* Digits as many as there are; returns how many. */
static size_t
take_digits(struct scan *scan)
{
	const char *from = scan->p;

	while (scan->p < scan->end && *scan->p >= '0' && *scan->p <= '9')
		scan->p++;
	return (size_t)(scan->p - from);
}

/* The grammar of RFC 8259, section 6: no leading zero or plus, no bare point. */
static bool
take_number(struct scan *scan)
{
	const char *from = scan->p;

	if (*scan->p == '-')
		scan->p++;
	if (scan->p < scan->end && *scan->p == '0')
		scan->p++;
	else if (take_digits(scan) == 0)
		return wrong_at(scan, "bad number", from);
	if (scan->p < scan->end && *scan->p == '.') {
		scan->p++;
		if (take_digits(scan) == 0)
			return wrong_at(scan, "bad number", from);
	}
	if (scan->p < scan->end && (*scan->p | 0x20) == 'e') {
		scan->p++;
		if (scan->p < scan->end && (*scan->p == '+' || *scan->p == '-'))
			scan->p++;
		if (take_digits(scan) == 0)
			return wrong_at(scan, "bad number", from);
	}
	return true;
}

/* The first byte tells the type. */
static bool
take_value(struct scan *scan, enum dr_json_type *type)
{
	if (scan->p == scan->end)
		return wrong(scan, "expected a value");
	switch (*scan->p) {
	case '"':
		*type = DR_JSON_STRING;
		return take_string(scan);
	case '{':
		*type = DR_JSON_OBJECT;
		return take_container(scan, NULL);
	case '[':
		*type = DR_JSON_ARRAY;
		return take_container(scan, NULL);
	case 't':
		*type = DR_JSON_BOOL;
		return take_word(scan, "true");
	case 'f':
		*type = DR_JSON_BOOL;
		return take_word(scan, "false");
	case 'n':
		*type = DR_JSON_NULL;
		return take_word(scan, "null");
	default:
		*type = DR_JSON_NUMBER;
		if (*scan->p != '-' && (*scan->p < '0' || *scan->p > '9'))
			return wrong(scan, "expected a value");
		return take_number(scan);
	}
}

/* `"key" : value`, with the space around it. */
static bool
take_member(
    struct scan *scan, struct dr_json_member *member, const struct dr_json_watch *watch)
{
	bool taken;

	skip_space(scan);
	if (scan->p == scan->end || *scan->p != '"')
		return wrong(scan, "expected a field name");
	member->key = scan->p + 1;
	if (!take_string(scan))
		return false;
	member->key_len = (size_t)(scan->p - 1 - member->key);
	skip_space(scan);
	if (scan->p == scan->end || *scan->p != ':')
		return wrong(scan, "expected ':'");
	scan->p++;
	skip_space(scan);
	member->value = scan->p;
	if (watch != NULL && scan->p < scan->end && *scan->p == '[' &&
	    dr_json_key_is(member, watch->member)) {
		member->type = DR_JSON_ARRAY;
		taken = take_container(scan, watch);
	} else {
		taken = take_value(scan, &member->type);
	}
	if (!taken)
		return false;
	member->value_len = (size_t)(scan->p - member->value);
	skip_space(scan);
	return true;
}

/*
 * A loop over members, not a recursion: nested values are skipped by take_container()
 * with a stack of one byte per level.
 */
bool
dr_json_scan(const char *text, size_t len,
    bool (*member)(void *arg, const struct dr_json_member *member), void *arg,
    char *err, size_t err_size)
{
	return dr_json_scan_watching(text, len, NULL, member, arg, err, err_size);
}

bool
dr_json_scan_watching(const char *text, size_t len, const struct dr_json_watch *watch,
    bool (*member)(void *arg, const struct dr_json_member *member), void *arg,
    char *err, size_t err_size)
{
	struct scan scan = { .text = text,
		.p = text,
		.end = text + len,
		.err = err,
		.err_size = err_size };
	struct dr_json_member found;
	bool more;

	skip_space(&scan);
	if (scan.p == scan.end || *scan.p != '{')
		return wrong(&scan, "expected '{'");
	scan.p++;
	skip_space(&scan);
	more = scan.p == scan.end || *scan.p != '}';
	while (more) {
		if (!take_member(&scan, &found, watch))
			return false;
		if (!member(arg, &found))
			return true;
		more = scan.p < scan.end && *scan.p == ',';
		if (more)
			scan.p++;
		else if (scan.p == scan.end || *scan.p != '}')
			return wrong(&scan, "expected ',' or '}'");
	}
	scan.p++;
	skip_space(&scan);
	if (scan.p < scan.end)
		return wrong(&scan, "unexpected text after the object");
	return true;
}
