/*
 * anthropic - what is particular to Anthropic's Messages API.
 *
 * Only tables and judgements; the reading itself is done by json_path and tap.c. Source
 * of the shapes: the SDKs' type files and vendor documentation of November 2026.
 */
#include <string.h>

#include "base/json.h"
#include "dialects/parts.h"

static const struct dr_body_field fields[] = {
	{ "model", DR_FIELD_MODEL },
	{ "stream", DR_FIELD_STREAM },
	{ "max_tokens", DR_FIELD_MAX_TOKENS },
	{ "service_tier", DR_FIELD_SERVICE_TIER },
	{ "speed", DR_FIELD_SPEED },
	{ "inference_geo", DR_FIELD_INFERENCE_GEO },
	{ "metadata", DR_FIELD_METADATA },
	{ "system", DR_FIELD_SYSTEM },
	{ "messages", DR_FIELD_MESSAGES },
	{ "tools", DR_FIELD_TOOLS },
	{ NULL, DR_N_FIELDS },
};

/* Run by the caller: the vendor's tool reference calls them client tools. */
static const char *const free_tools[] = { "custom", "bash", "text_editor", "computer",
	"memory", NULL };

#define COUNT(text, what)                                                              \
	{                                                                              \
		DR_JSON_KEY(text), DR_SEEN_COUNT + DR_COUNT_##what, DR_JSON_SHORT,     \
		    NULL                                                               \
	}

static const struct dr_json_rule cache_creation_rules[] = {
	COUNT("ephemeral_5m_input_tokens", CACHE_5M),
	COUNT("ephemeral_1h_input_tokens", CACHE_1H),
	{ .key = NULL },
};

static const struct dr_json_rule server_tool_rules[] = {
	COUNT("web_search_requests", WEB_SEARCH),
	{ .key = NULL },
};

static const struct dr_json_rule usage_rules[] = {
	COUNT("input_tokens", INPUT),
	COUNT("output_tokens", OUTPUT),
	COUNT("cache_creation_input_tokens", CACHE_WRITE),
	COUNT("cache_read_input_tokens", CACHE_READ),
	{ DR_JSON_KEY("cache_creation"), 0, DR_JSON_NOTE, cache_creation_rules },
	{ DR_JSON_KEY("server_tool_use"), 0, DR_JSON_NOTE, server_tool_rules },
	{ .key = NULL },
};

static const struct dr_json_rule answer_rules[] = {
	{ DR_JSON_KEY("usage"), DR_SEEN_USAGE, DR_JSON_CAPTURE, usage_rules },
	{ .key = NULL },
};

/* Deltas: text_delta, input_json_delta, thinking_delta. */
static const struct dr_json_rule delta_rules[] = {
	{ DR_JSON_KEY("text"), DR_SEEN_OUTPUT, DR_JSON_BYTES, NULL },
	{ DR_JSON_KEY("partial_json"), DR_SEEN_OUTPUT, DR_JSON_BYTES, NULL },
	{ DR_JSON_KEY("thinking"), DR_SEEN_OUTPUT, DR_JSON_BYTES, NULL },
	{ .key = NULL },
};

/* A block's start may bring text of its own, or a tool's name: output all the same. */
static const struct dr_json_rule block_rules[] = {
	{ DR_JSON_KEY("text"), DR_SEEN_OUTPUT, DR_JSON_BYTES, NULL },
	{ DR_JSON_KEY("thinking"), DR_SEEN_OUTPUT, DR_JSON_BYTES, NULL },
	{ DR_JSON_KEY("name"), DR_SEEN_OUTPUT, DR_JSON_BYTES, NULL },
	{ .key = NULL },
};

static const struct dr_json_rule error_rules[] = {
	{ DR_JSON_KEY("type"), DR_SEEN_ERROR_TYPE, DR_JSON_SHORT, NULL },
	{ DR_JSON_KEY("code"), DR_SEEN_ERROR_CODE, DR_JSON_SHORT, NULL },
	{ DR_JSON_KEY("message"), DR_SEEN_ERROR_MESSAGE, DR_JSON_CAPTURE, NULL },
	{ .key = NULL },
};

static const struct dr_json_rule event_rules[] = {
	{ DR_JSON_KEY("type"), DR_SEEN_TYPE, DR_JSON_SHORT, NULL },
	{ DR_JSON_KEY("delta"), 0, DR_JSON_NOTE, delta_rules },
	{ DR_JSON_KEY("content_block"), 0, DR_JSON_NOTE, block_rules },
	{ DR_JSON_KEY("message"), 0, DR_JSON_NOTE, answer_rules },
	{ DR_JSON_KEY("usage"), DR_SEEN_USAGE, DR_JSON_CAPTURE, usage_rules },
	{ DR_JSON_KEY("error"), DR_SEEN_ERROR, DR_JSON_NOTE, error_rules },
	{ .key = NULL },
};

/*
 * Every event of this API has a type. content_block_stop, message_start and kinds not
 * yet invented decide, and mean nothing more.
 */
static unsigned
judge(const struct dr_event *event)
{
	const char *type = event->type;

	if (strcmp(type, "content_block_delta") == 0 ||
	    strcmp(type, "content_block_start") == 0)
		return DR_EVENT_OUTPUT;
	if (strcmp(type, "ping") == 0)
		return DR_EVENT_UNDECIDED;
	if (strcmp(type, "error") == 0 || event->error)
		return DR_EVENT_ERROR;
	if (strcmp(type, "message_stop") == 0)
		return DR_EVENT_END;
	/* message_start counts output too, but only what was there at the start */
	if (strcmp(type, "message_delta") == 0)
		return DR_EVENT_FINAL;
	return 0;
}

/*
 * The total of cache writes and its split by lifetime come together in message_start;
 * later blocks repeat the total alone, so the hour's share is kept.
 */
static void
add_cache_writes(const struct dr_counts *counts, struct dr_usage *usage)
{
	int64_t hour = usage->cache_write_1h, total, split;

	if (dr_counted(counts, DR_COUNT_CACHE_1H))
		hour = counts->value[DR_COUNT_CACHE_1H];
	else if (dr_counted(counts, DR_COUNT_CACHE_5M))
		hour = 0;
	split = hour + counts->value[DR_COUNT_CACHE_5M];
	if (dr_counted(counts, DR_COUNT_CACHE_WRITE))
		total = counts->value[DR_COUNT_CACHE_WRITE];
	else if (dr_counted(counts, DR_COUNT_CACHE_5M) ||
		 dr_counted(counts, DR_COUNT_CACHE_1H))
		total = split;
	else
		return;
	/* where both are told and disagree, nothing that was written is lost */
	if ((dr_counted(counts, DR_COUNT_CACHE_5M) ||
		dr_counted(counts, DR_COUNT_CACHE_1H)) &&
	    total < split)
		total = split;
	if (hour > total)
		hour = total;
	usage->cache_write_1h = hour;
	usage->cache_write_5m = total - hour;
}

/* Totals so far, in every block: overwrite, never add. */
static void
add_usage(const struct dr_counts *counts, bool final, struct dr_usage *usage)
{
	const int64_t *value = counts->value;

	if (dr_counted(counts, DR_COUNT_INPUT)) {
		usage->input = value[DR_COUNT_INPUT];
		usage->input_seen = true;
	}
	if (dr_counted(counts, DR_COUNT_CACHE_READ))
		usage->cache_read = value[DR_COUNT_CACHE_READ];
	add_cache_writes(counts, usage);
	if (dr_counted(counts, DR_COUNT_WEB_SEARCH))
		usage->web_searches = value[DR_COUNT_WEB_SEARCH];
	if (dr_counted(counts, DR_COUNT_OUTPUT)) {
		usage->output = value[DR_COUNT_OUTPUT];
		usage->output_seen |= final;
	}
}

/* The request id is part of this API's bodies, beside the headers. */
static void
add_error(const struct dr_error_info *info, const char *message, const char *request_id,
    struct dr_strbuf *out)
{
	dr_strbuf_addf(out,
	    "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":",
	    info->anthropic_type);
	dr_json_add_string(out, message);
	dr_strbuf_adds(out, "},\"request_id\":");
	dr_json_add_string(out, request_id);
	dr_strbuf_addc(out, '}');
}

/* The SDKs throw on this name, even after output has come. */
static void
add_error_event(const struct dr_error_info *info, const char *message,
    const char *request_id, int64_t sequence, struct dr_strbuf *out)
{
	(void)sequence;
	dr_strbuf_adds(out, "event: error\ndata: ");
	add_error(info, message, request_id, out);
	dr_strbuf_adds(out, "\n\n");
}

const struct dr_dialect_parts dr_anthropic_parts = {
	.fields = fields,
	.free_tools = free_tools,
	.event_rules = event_rules,
	.answer_rules = answer_rules,
	.judge = judge,
	.add_usage = add_usage,
	.typed_error = true,
	.add_error = add_error,
	.add_error_event = add_error_event,
};
