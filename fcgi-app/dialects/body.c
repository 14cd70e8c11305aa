/*
 * body - what a request's body says on its top level, and the edits it gets on its way.
 *
 * The body is never parsed whole and never written anew: a change is spliced in, all
 * other bytes go to the provider as they came. What is wrong deeper than the top level
 * is the provider's to say. Relies on json_scan.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "dialects/parts.h"

struct body_reading {
	const char *body;
	const struct dr_dialect_parts *parts;
	struct dr_body_facts *facts;
	unsigned seen;   /* bit n: enum dr_field n came already */
	bool model_seen; /* a model that is not null and not "" */
	int64_t max_tokens_too;
};

static void
problem(
    struct dr_body_facts *facts, enum dr_error err, const char *name, const char *what)
{
	if (facts->err != DR_OK)
		return; /* the first one is told */
	facts->err = err;
	snprintf(facts->problem, sizeof facts->problem, "%s %s", name, what);
}

/* Offsets, since the body may move while it is kept for a second attempt. */
static struct dr_span
span_of(const struct body_reading *reading, const struct dr_json_member *member)
{
	return (struct dr_span){ (size_t)(member->value - reading->body),
		member->value_len };
}

/* ---- one field each ---- */

/*
 * null and "" are as good as absent; a name that cannot be one of ours is told as such
 * here, before it is looked up.
 */
static void
read_model(struct body_reading *reading, const struct dr_json_member *member)
{
	struct dr_body_facts *facts = reading->facts;

	if (member->type == DR_JSON_NULL ||
	    (member->type == DR_JSON_STRING && member->value_len == 2))
		return;
	reading->model_seen = true;
	if (member->type != DR_JSON_STRING)
		problem(facts, DR_ERR_BAD_FIELD, "model", "must be a string");
	else if (!dr_json_text(member, facts->model, sizeof facts->model))
		problem(
		    facts, DR_ERR_BAD_FIELD, "model", "is too long or not valid text");
	else
		facts->model_at = span_of(reading, member);
}

/* A whole number >= 0, or -1 for null. */
static void
read_count(struct body_reading *reading, const struct dr_json_member *member,
    const char *name, int64_t *out)
{
	int64_t number;

	if (member->type == DR_JSON_NULL)
		return;
	if (!dr_json_int(member, &number) || number < 0)
		problem(reading->facts, DR_ERR_BAD_FIELD, name,
		    "must be a whole number, 0 or more");
	else
		*out = number;
}

/* The scan has checked the word: its first letter tells. */
static bool
is_true(const struct dr_json_member *member)
{
	return member->type == DR_JSON_BOOL && member->value[0] == 't';
}

/* null is what some clients send for "not set". */
static void
read_stream(struct body_reading *reading, const struct dr_json_member *member)
{
	if (member->type != DR_JSON_BOOL && member->type != DR_JSON_NULL)
		problem(reading->facts, DR_ERR_BAD_FIELD, "stream",
		    "must be true or false");
	reading->facts->stream = is_true(member);
}

/* What stream_options holds; the spans are relative to its own first byte. */
struct options {
	unsigned members, twice;       /* twice: include_usage stands more than once */
	struct dr_json_member include; /* value NULL: absent */
};

/* Used for reading and again for editing, so that both see the same member. */
static bool
on_option(void *arg, const struct dr_json_member *member)
{
	struct options *options = arg;

	options->members++;
	if (dr_json_key_is(member, "include_usage")) {
		options->twice += options->include.value != NULL;
		options->include = *member;
	}
	return true;
}

/*
 * Read one level deeper than all else, since what is asked for here decides what the
 * client may see of the answer.
 */
static void
read_stream_options(struct body_reading *reading, const struct dr_json_member *member)
{
	struct dr_body_facts *facts = reading->facts;
	struct options options = { .members = 0 };
	char err[64];

	facts->stream_options_at = span_of(reading, member);
	facts->stream_options_null = member->type == DR_JSON_NULL;
	if (facts->stream_options_null)
		return;
	if (member->type != DR_JSON_OBJECT) {
		problem(facts, DR_ERR_BAD_FIELD, "stream_options", "must be an object");
		return;
	}
	facts->stream_options = facts->stream_options_at;
	if (!dr_json_scan(member->value, member->value_len, on_option, &options, err,
		sizeof err)) {
		problem(facts, DR_ERR_BAD_JSON, "stream_options:", err);
	} else if (options.twice > 0) {
		problem(facts, DR_ERR_BAD_JSON, "duplicate field",
		    "\"stream_options.include_usage\"");
	} else if (options.include.value != NULL &&
		   options.include.type != DR_JSON_NULL) {
		if (options.include.type != DR_JSON_BOOL)
			problem(facts, DR_ERR_BAD_FIELD, "stream_options.include_usage",
			    "must be true or false");
		facts->include_usage = is_true(&options.include);
	}
}

/* ---- the whole ---- */

/* null says nothing that a price or a choice of provider could depend on. */
static void
read_span(struct body_reading *reading, const struct dr_json_member *member,
    enum dr_field field)
{
	struct dr_body_facts *facts = reading->facts;
	struct dr_span *const spans[DR_N_FIELDS] = {
		[DR_FIELD_SERVICE_TIER] = &facts->service_tier,
		[DR_FIELD_SPEED] = &facts->speed,
		[DR_FIELD_INFERENCE_GEO] = &facts->inference_geo,
		[DR_FIELD_PREVIOUS_RESPONSE_ID] = &facts->previous_response_id,
		[DR_FIELD_CONVERSATION] = &facts->conversation,
		[DR_FIELD_PROMPT_CACHE_KEY] = &facts->prompt_cache_key,
		[DR_FIELD_METADATA] = &facts->metadata,
		[DR_FIELD_SYSTEM] = &facts->system,
		[DR_FIELD_MESSAGES] = &facts->messages,
		[DR_FIELD_WEB_SEARCH_OPTIONS] = &facts->web_search_options,
		[DR_FIELD_MODALITIES] = &facts->modalities,
		[DR_FIELD_AUDIO] = &facts->audio,
		[DR_FIELD_STORE] = &facts->store,
	};

	if (member->type != DR_JSON_NULL)
		*spans[field] = span_of(reading, member);
}

/* One row of the dialect's table (struct dr_body_field). */
static void
read_field(struct body_reading *reading, const struct dr_json_member *member,
    const struct dr_body_field *row)
{
	struct dr_body_facts *facts = reading->facts;

	switch (row->field) {
	case DR_FIELD_MODEL:
		read_model(reading, member);
		break;
	case DR_FIELD_STREAM:
		read_stream(reading, member);
		break;
	case DR_FIELD_MAX_TOKENS:
		read_count(reading, member, row->name, &facts->max_tokens);
		break;
	case DR_FIELD_MAX_TOKENS_TOO:
		read_count(reading, member, row->name, &reading->max_tokens_too);
		break;
	case DR_FIELD_CHOICES:
		read_count(reading, member, row->name, &facts->choices);
		break;
	case DR_FIELD_BACKGROUND:
		if (is_true(member))
			problem(facts, DR_ERR_BAD_FIELD, "background",
			    "is not supported: its usage would not be known");
		break;
	case DR_FIELD_STREAM_OPTIONS:
		read_stream_options(reading, member);
		break;
	case DR_FIELD_TOOLS:
		break; /* on_tool() has read it; that it stands once is what matters */
	default:
		read_span(reading, member, row->field);
	}
}

/*
 * Names are compared unescaped: "mod\u0065l" is a second model to some parsers and not
 * to others, which is exactly what must not get through.
 */
static bool
on_member(void *arg, const struct dr_json_member *member)
{
	struct body_reading *reading = arg;
	const struct dr_body_field *row = reading->parts->fields;
	struct dr_body_facts *facts = reading->facts;

	while (row->name != NULL && !dr_json_key_is(member, row->name))
		row++;
	if (row->name == NULL)
		return true;
	if ((reading->seen >> row->field & 1) != 0) {
		facts->err = DR_ERR_BAD_JSON;
		snprintf(facts->problem, sizeof facts->problem,
		    "duplicate field \"%s\" at byte %zu", row->name,
		    (size_t)(member->key - 1 - reading->body));
		return false;
	}
	reading->seen |= 1u << row->field;
	read_field(reading, member, row);
	return true;
}

/* How a tool is called stays the caller's affair unless it may be one that the vendor
 * runs: then its type is remembered. */
static void
on_tool(void *arg, size_t element, const struct dr_json_member *type)
{
	struct body_reading *reading = arg;
	struct dr_body_facts *facts = reading->facts;

	if (type->type != DR_JSON_STRING || dr_tool_is_free(reading->parts, type))
		return;
	if (facts->n_vendor_tools == DR_MAX_VENDOR_TOOLS) {
		problem(facts, DR_ERR_BAD_FIELD, "tools",
		    "names more of the vendor's own tools than there are");
		return;
	}
	facts->vendor_tools[facts->n_vendor_tools++] =
	    (struct dr_vendor_tool){ element, span_of(reading, type) };
}

/*
 * The whole body is scanned even after a BAD_FIELD: whether it is JSON at all is the
 * greater trouble, and a duplicate may still come.
 */
void
dr_body_read(
    enum dr_dialect_id dialect, const char *body, size_t len, struct dr_body_facts *out)
{
	struct body_reading reading = {
		.body = body,
		.parts = dr_dialect_parts(dialect),
		.facts = out,
		.max_tokens_too = -1,
	};
	const struct dr_json_watch tools = {
		.member = "tools", .key = "type", .found = on_tool, .arg = &reading
	};
	char err[128];

	memset(out, 0, sizeof *out);
	out->max_tokens = out->include_usage = -1;
	out->choices = 1;
	if (!dr_json_scan_watching(
		body, len, &tools, on_member, &reading, err, sizeof err)) {
		out->err = DR_ERR_BAD_JSON;
		snprintf(out->problem, sizeof out->problem,
		    "The request body is not a JSON object: %s", err);
	}
	if (out->err == DR_ERR_BAD_JSON)
		return;
	if (reading.max_tokens_too > out->max_tokens) /* both: the dearer one */
		out->max_tokens = reading.max_tokens_too;
	if (out->choices < 1)
		out->choices = 1;
	if (!reading.model_seen) {
		out->err = DR_ERR_NO_MODEL;
		snprintf(out->problem, sizeof out->problem, "model is required");
	}
}

/* ---- edits ---- */

/* The texts are constants of this file or a model's name: both fit by construction. */
static void
edit(struct dr_edit *out, size_t at, size_t drop, const char *text)
{
	out->at = at;
	out->drop = drop;
	snprintf(out->text, sizeof out->text, "%s", text);
}

/* Quotes and all: the name may need escapes. */
static void
edit_model(
    struct dr_edit *out, const struct dr_body_facts *facts, const char *model_there)
{
	struct dr_strbuf text;

	dr_strbuf_init(&text, sizeof out->text - 1);
	dr_json_add_string(&text, model_there);
	DR_ASSERT(!text.failed); /* names are at most DR_MAX_MODEL_NAME bytes */
	edit(out, facts->model_at.at, facts->model_at.len, text.data);
	dr_strbuf_fini(&text);
}

/* Ask for usage, in the place where the client said something else or nothing. */
static void
edit_include_usage(
    struct dr_edit *out, const char *body, const struct dr_body_facts *facts)
{
	struct dr_span span = facts->stream_options;
	struct options options = { .members = 0 };
	char err[64];

	if (facts->stream_options_null) {
		edit(out, facts->stream_options_at.at, facts->stream_options_at.len,
		    "{\"include_usage\":true}");
	} else if (span.len == 0) {
		edit(out, facts->model_at.at + facts->model_at.len, 0,
		    ",\"stream_options\":{\"include_usage\":true}");
	} else if (!dr_json_scan(body + span.at, span.len, on_option, &options, err,
		       sizeof err)) {
		DR_WRONG("stream_options was read before");
	} else if (options.include.value != NULL) {
		edit(out, (size_t)(options.include.value - body),
		    options.include.value_len, "true");
	} else {
		edit(out, span.at + 1, 0,
		    options.members > 0 ? "\"include_usage\":true,"
					: "\"include_usage\":true");
	}
}

unsigned
dr_body_edits(enum dr_dialect_id dialect, const char *body,
    const struct dr_body_facts *facts, const char *model_there,
    struct dr_edit edits[DR_MAX_EDITS])
{
	unsigned n = 0;

	DR_ASSERT(facts->err == DR_OK);
	if (model_there != NULL && strcmp(model_there, facts->model) != 0)
		edit_model(&edits[n++], facts, model_there);
	if (dialect == DR_DIALECT_CHAT && facts->stream && facts->include_usage != 1)
		edit_include_usage(&edits[n++], body, facts);
	if (n == 2 && edits[1].at < edits[0].at) {
		struct dr_edit first = edits[1];

		edits[1] = edits[0];
		edits[0] = first;
	}
	return n;
}
