/*
 * json_path - see the header.
 *
 * A state machine over bytes: each step takes what it can of the piece and returns
 * where it stopped. Two of them matter for speed, strings and skipped containers; both
 * jump with bytes.h. Relies on the rules' tables being finite trees.
 */
#include "dialects/json_path.h"

#include <string.h>

#include "dialects/bytes.h"

enum state {
	AT_VALUE,  /* a value, or ']' */
	AT_MEMBER, /* a key, or '}' */
	IN_KEY,
	AT_COLON,
	IN_STRING,
	IN_SCALAR,
	AFTER_VALUE,
	IN_SKIPPED,
	IN_SKIPPED_STRING,
	N_STEPS,
	WHOLE = N_STEPS,
	BROKEN,
};

static const char *
skip_space(const char *p, const char *end)
{
	while (p < end && dr_is_space(*p))
		p++;
	return p;
}

/* Not JSON: read no further, the bytes are still passed on by the tap. */
static const char *
broken(struct dr_json_path *path, const char *end)
{
	path->state = BROKEN;
	return end;
}

/* Level 0 is the document, which is an object always: its bit is never asked for. */
static bool
in_object(const struct dr_json_path *path)
{
	return (path->objects >> path->depth & 1) != 0;
}

static const struct dr_json_rule *
rule_for(const struct dr_json_rule *rules, const char *key, size_t len)
{
	struct dr_json_member member = { .key = key, .key_len = len };
	bool escapes = memchr(key, '\\', len) != NULL;

	for (; rules->key != NULL; rules++) {
		if (rules->key_len == len && memcmp(rules->key, key, len) == 0)
			return rules;
		if (escapes && dr_json_key_is(&member, rules->key))
			return rules;
	}
	return NULL;
}

/* ---- telling the owner ---- */

/* `cut` is the text's own; for the rest it is false. */
static void
report(struct dr_json_path *path, bool opened, const char *text, size_t len)
{
	struct dr_json_value value = { .type = path->type,
		.opened = opened,
		.text = text,
		.len = len,
		.cut = path->cut };

	if (path->rule != NULL && path->rule->id != 0)
		path->value(path->arg, path->rule->id, &value);
}

/* One capture at a time: what stands inside of one is captured with it already. */
static void
begin_capture(struct dr_json_path *path, const char *from)
{
	if (path->rule == NULL || path->rule->want != DR_JSON_CAPTURE ||
	    path->capture_rule != NULL || path->capture == NULL)
		return;
	path->capture_rule = path->rule;
	path->capture_type = path->type;
	path->capture_depth = path->depth;
	path->mark = from;
	dr_strbuf_clear(path->capture);
}

/* The bytes from the mark to `to` belong to the capture; as many as fit are kept. */
static void
add_capture(struct dr_json_path *path, const char *to)
{
	struct dr_strbuf *capture = path->capture;
	size_t n = (size_t)(to - path->mark), room = capture->max - capture->len;

	dr_strbuf_add(capture, path->mark, n < room ? n : room);
	if (n > room)
		capture->failed = true;
	path->mark = to;
}

/*
 * The callback may take the buffer away by exchanging it (tap.c does): nothing of it is
 * touched afterwards.
 */
static void
end_capture(struct dr_json_path *path, const char *to)
{
	struct dr_json_value value = { .type = path->capture_type };
	unsigned id = path->capture_rule->id;

	add_capture(path, to);
	path->capture_rule = NULL;
	value.text = path->capture->data;
	value.len = path->capture->len;
	value.cut = path->capture->failed;
	path->value(path->arg, id, &value);
}

/* A value ended before `after`. */
static const char *
value_done(struct dr_json_path *path, const char *after)
{
	if (path->capture_rule != NULL && path->depth == path->capture_depth)
		end_capture(path, path->type == DR_JSON_STRING ? after - 1 : after);
	path->state = path->depth == 0 ? WHOLE : AFTER_VALUE;
	return after;
}

/* ---- containers ---- */

/*
 * Without rules for its members a container is skipped: no levels are counted for it
 * but how many brackets are open, so that depth costs no memory.
 */
static const char *
open_container(struct dr_json_path *path, const char *p)
{
	const struct dr_json_rule *below =
	    path->rule != NULL ? path->rule->below : NULL;

	path->type = *p == '{' ? DR_JSON_OBJECT : DR_JSON_ARRAY;
	if (path->depth == 0) /* the document itself has no rule, only its members do */
		below = path->rules[0];
	path->cut = false;
	report(path, true, NULL, 0);
	begin_capture(path, p);
	if (below == NULL || path->depth + 1 == DR_JSON_PATH_DEPTH) {
		path->skipping = 1;
		path->state = IN_SKIPPED;
		return p + 1;
	}
	path->depth++;
	path->rules[path->depth] = below;
	/* the bit may be left from another container on this level */
	path->objects &= ~(UINT32_C(1) << path->depth);
	path->objects |= (uint32_t)(*p == '{') << path->depth;
	path->state = *p == '{' ? AT_MEMBER : AT_VALUE;
	return p + 1;
}

/* The kinds of brackets are compared only on the levels that are read. */
static const char *
close_container(struct dr_json_path *path, const char *p, const char *end)
{
	if (path->depth == 0 || in_object(path) != (*p == '}'))
		return broken(path, end);
	path->depth--;
	path->type = *p == '}' ? DR_JSON_OBJECT : DR_JSON_ARRAY;
	return value_done(path, p + 1);
}

/* Outside of strings, within a container of which nothing is wanted. */
static const char *
in_skipped(struct dr_json_path *path, const char *p, const char *end)
{
	p = dr_find_structure(p, end);
	if (p == end)
		return end;
	if (*p == '"') {
		path->state = IN_SKIPPED_STRING;
	} else if (*p == '{' || *p == '[') {
		path->skipping++;
	} else if (--path->skipping == 0) {
		path->type = DR_JSON_OBJECT; /* or an array: nobody asks any more */
		return value_done(path, p + 1);
	}
	return p + 1;
}

/*
 * Backslashes are stepped over two bytes at a time; where the piece ends between the
 * two the second one is owed to the next piece.
 */
static const char *
in_skipped_string(struct dr_json_path *path, const char *p, const char *end)
{
	if (path->escaped) {
		path->escaped = false;
		p++;
	}
	while ((p = dr_find_quote(p, end)) < end && *p == '\\') {
		if (end - p < 2) {
			path->escaped = true;
			return end;
		}
		p += 2;
	}
	if (p == end)
		return end;
	path->state = IN_SKIPPED;
	return p + 1;
}

/* ---- scalars ---- */

static void
begin_text(struct dr_json_path *path, enum state state)
{
	path->state = state;
	path->text_len = 0;
	path->cut = path->escaped = false;
}

/* Keys and short scalars that a cut has split, or that hold escapes, are put together
 * here. */
static void
add_text(struct dr_json_path *path, const char *from, const char *to)
{
	size_t n = (size_t)(to - from), room = sizeof path->text - path->text_len;

	if (n > room) {
		path->cut = true;
		n = room;
	}
	memcpy(path->text + path->text_len, from, n);
	path->text_len = (uint8_t)(path->text_len + n);
}

static bool
wants(const struct dr_json_path *path, enum dr_json_want want)
{
	return path->rule != NULL && path->rule->want == want;
}

/* A scalar ended: what came in earlier pieces, then [from, to). */
static void
report_scalar(struct dr_json_path *path, const char *from, const char *to)
{
	if (wants(path, DR_JSON_NOTE)) {
		report(path, false, NULL, 0);
	} else if (wants(path, DR_JSON_SHORT)) {
		if (path->text_len == 0) { /* it stands in the piece whole */
			size_t len = (size_t)(to - from);

			path->cut = len > DR_JSON_SHORT_BYTES;
			report(
			    path, false, from, path->cut ? DR_JSON_SHORT_BYTES : len);
			return;
		}
		add_text(path, from, to);
		report(path, false, path->text, path->text_len);
	}
}

/*
 * Any value string on a level that is read. The bytes of an escape count as what they
 * stand for, about: \n is 1, \u4e16 is 4. It is an estimate that they feed.
 */
static const char *
in_string(struct dr_json_path *path, const char *p, const char *end)
{
	bool count = wants(path, DR_JSON_BYTES), keep = wants(path, DR_JSON_SHORT);
	const char *from = p, *to;

	if (path->escaped) {
		path->escaped = false;
		p++;
		if (count && *from == 'u') /* its four digits count 4 */
			from = p;
	}
	to = dr_find_quote(p, end);
	if (count && to > from)
		report(path, false, NULL, (size_t)(to - from));
	if (to < end && *to == '"') {
		report_scalar(path, from, to);
		return value_done(path, to + 1);
	}
	path->escaped = to < end;
	to += path->escaped;
	if (keep)
		add_text(path, from, to);
	return to;
}

/* A number or a word ends with the byte behind it, which is left for the next step. */
static const char *
in_scalar(struct dr_json_path *path, const char *p, const char *end)
{
	const char *to = p;

	while (to < end && *to != ',' && *to != '}' && *to != ']' && !dr_is_space(*to))
		to++;
	if (to == end) {
		add_text(path, p, to);
		return to;
	}
	report_scalar(path, p, to);
	return value_done(path, to);
}

/*
 * An array's elements share one rule, "[]". A bare `]` here is an empty array; that it
 * also takes [1,] does no harm, since nothing is decided by it.
 */
static const char *
at_value(struct dr_json_path *path, const char *p, const char *end)
{
	p = skip_space(p, end);
	if (p == end)
		return end;
	if (path->depth > 0 && !in_object(path))
		path->rule = rule_for(path->rules[path->depth], "[]", 2);
	if (*p == '{' || (*p == '[' && path->depth > 0))
		return open_container(path, p);
	if (path->depth == 0)
		return broken(path, end);
	if (*p == ']')
		return close_container(path, p, end);
	begin_text(path, *p == '"' ? IN_STRING : IN_SCALAR);
	path->type = *p == '"'                ? DR_JSON_STRING
		     : *p == 'n'              ? DR_JSON_NULL
		     : *p == 't' || *p == 'f' ? DR_JSON_BOOL
					      : DR_JSON_NUMBER;
	if (path->type == DR_JSON_NUMBER && *p != '-' && (*p < '0' || *p > '9'))
		return broken(path, end);
	begin_capture(path, p + (*p == '"'));
	return p + (*p == '"');
}

/* ---- members ---- */

/* Most keys come whole and are compared where they are. */
static const char *
in_key(struct dr_json_path *path, const char *p, const char *end)
{
	const struct dr_json_rule *rules = path->rules[path->depth];
	const char *from = p, *to;

	if (path->escaped) {
		path->escaped = false;
		p++;
	}
	to = dr_find_quote(p, end);
	if (to < end && *to == '"') {
		path->state = AT_COLON;
		if (path->text_len == 0) {
			path->rule = rule_for(rules, from, (size_t)(to - from));
			return to + 1;
		}
		add_text(path, from, to);
		path->rule =
		    path->cut ? NULL : rule_for(rules, path->text, path->text_len);
		return to + 1;
	}
	path->escaped = to < end;
	to += path->escaped;
	add_text(path, from, to);
	return to;
}

static const char *
at_member(struct dr_json_path *path, const char *p, const char *end)
{
	p = skip_space(p, end);
	if (p == end)
		return end;
	if (*p == '}')
		return close_container(path, p, end);
	if (*p != '"')
		return broken(path, end);
	begin_text(path, IN_KEY);
	return p + 1;
}

static const char *
at_colon(struct dr_json_path *path, const char *p, const char *end)
{
	p = skip_space(p, end);
	if (p == end)
		return end;
	if (*p != ':')
		return broken(path, end);
	path->state = AT_VALUE;
	return p + 1;
}

static const char *
after_value(struct dr_json_path *path, const char *p, const char *end)
{
	p = skip_space(p, end);
	if (p == end)
		return end;
	if (*p == '}' || *p == ']')
		return close_container(path, p, end);
	if (*p != ',')
		return broken(path, end);
	path->state = in_object(path) ? AT_MEMBER : AT_VALUE;
	return p + 1;
}

static const char *(*const steps[N_STEPS])(
    struct dr_json_path *path, const char *p, const char *end) = {
	[AT_VALUE] = at_value,
	[AT_MEMBER] = at_member,
	[IN_KEY] = in_key,
	[AT_COLON] = at_colon,
	[IN_STRING] = in_string,
	[IN_SCALAR] = in_scalar,
	[AFTER_VALUE] = after_value,
	[IN_SKIPPED] = in_skipped,
	[IN_SKIPPED_STRING] = in_skipped_string,
};

void
dr_json_path_init(struct dr_json_path *path, const struct dr_json_rule *rules,
    struct dr_strbuf *capture,
    void (*value)(void *arg, unsigned id, const struct dr_json_value *value), void *arg)
{
	path->value = value;
	path->arg = arg;
	path->rules[0] = rules;
	path->rule = path->capture_rule = NULL;
	path->capture = capture;
	path->mark = NULL;
	path->skipping = 0;
	path->objects = 0;
	path->depth = path->text_len = 0;
	path->state = AT_VALUE;
	path->type = path->capture_type = DR_JSON_NULL;
	path->capture_depth = 0;
	path->escaped = path->cut = false;
}

void
dr_json_path_feed(struct dr_json_path *path, const char *bytes, size_t len)
{
	const char *p = bytes, *end = bytes + len;

	path->mark = bytes;
	while (p < end && path->state < N_STEPS)
		p = steps[path->state](path, p, end);
	if (path->capture_rule != NULL)
		add_capture(path, end);
}

bool
dr_json_path_whole(const struct dr_json_path *path)
{
	return path->state == WHOLE;
}
