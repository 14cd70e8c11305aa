/*
 * answer_model - the model's name in an answer, put back to what the caller called it.
 *
 * A provider that has a name of its own for a model says that name in its answer. Where
 * the operator wants the caller to see the name it asked for, the one value is spliced;
 * every other byte stays as it was. Only the places where an API names the model of the
 * answer are touched, never a member of that name in a tool's arguments or in metadata.
 */
#include <string.h>

#include "dialects/dialect.h"
#include "dialects/json_path.h"

enum { MODEL = 1 };

static const struct dr_json_rule model_rules[] = {
	{ DR_JSON_KEY("model"), MODEL, DR_JSON_SHORT, NULL },
	{ .key = NULL },
};

/* At the top (unary answers, chunks of Chat), in message_start, in events of Responses.
 */
static const struct dr_json_rule rules[] = {
	{ DR_JSON_KEY("model"), MODEL, DR_JSON_SHORT, NULL },
	{ DR_JSON_KEY("message"), 0, DR_JSON_NOTE, model_rules },
	{ DR_JSON_KEY("response"), 0, DR_JSON_NOTE, model_rules },
	{ .key = NULL },
};

struct renaming {
	struct dr_json_path json;
	const char *there;
	size_t there_len;
	const char *from, *to; /* the bytes at hand */
	const char *found; /* in them: the name, without its quotes; NULL: not yet */
};

/* The reader points into the bytes it was fed where a value stands there whole. */
static void
on_model(void *arg, unsigned id, const struct dr_json_value *value)
{
	struct renaming *r = arg;

	(void)id;
	if (r->found != NULL || value->type != DR_JSON_STRING ||
	    value->text < r->from || value->text >= r->to ||
	    (size_t)(r->to - value->text) <= r->there_len)
		return;
	if (memcmp(value->text, r->there, r->there_len) == 0 &&
	    value->text[r->there_len] == '"')
		r->found = value->text;
}

static void
begin(struct renaming *r, const char *there)
{
	dr_json_path_init(&r->json, rules, NULL, on_model, r);
	r->there = there;
	r->there_len = strlen(there);
	r->from = r->to = r->found = NULL;
}

/* Read on in the JSON text; append it, renamed, to `out`. */
static void
take(struct renaming *r, const char *bytes, size_t len, const char *here,
    struct dr_strbuf *out)
{
	const char *rest = bytes;

	r->from = bytes;
	r->to = bytes + len;
	r->found = NULL;
	dr_json_path_feed(&r->json, bytes, len);
	if (r->found != NULL) {
		dr_strbuf_add(out, bytes, (size_t)(r->found - bytes));
		dr_strbuf_adds(out, here);
		rest = r->found + r->there_len;
	}
	dr_strbuf_add(out, rest, (size_t)(r->to - rest));
}

void
dr_rename_answer(const char *body, size_t len, const char *there, const char *here,
    struct dr_strbuf *out)
{
	struct renaming r;

	begin(&r, there);
	take(&r, body, len, here, out);
}

/* The length of a line without its end; *whole gets the length with it. */
static size_t
line_length(const char *at, const char *end, size_t *whole)
{
	size_t n = 0, room = (size_t)(end - at);

	while (n < room && at[n] != '\n' && at[n] != '\r')
		n++;
	*whole = n;
	if (*whole < room && at[*whole] == '\r')
		++*whole;
	if (*whole < room && at[*whole] == '\n')
		++*whole;
	return n;
}

void
dr_rename_events(const char *events, size_t len, const char *there, const char *here,
    struct dr_strbuf *out)
{
	static const char data[] = "data:";
	const size_t skip = sizeof data - 1;
	const char *at = events, *end = events + len;
	struct renaming r;

	begin(&r, there);
	while (at < end) {
		size_t whole, n = line_length(at, end, &whole);

		if (n == 0)
			begin(&r, there); /* the event is over */
		if (n > skip && memcmp(at, data, skip) == 0) {
			dr_strbuf_add(out, at, skip);
			take(&r, at + skip, n - skip, here, out);
			dr_strbuf_add(out, at + n, whole - n);
		} else {
			dr_strbuf_add(out, at, whole);
		}
		at += whole;
	}
}
