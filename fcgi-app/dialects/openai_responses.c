/*
 * openai_responses - what is particular to OpenAI's Responses API.
 *
 * Only tables and judgements; the reading itself is done by json_path and tap.c. Each
 * event's type stands in its data and in its SSE name; the last one carries the whole
 * response, the usage inside.
 */
#include <string.h>

#include "base/json.h"
#include "dialects/parts.h"

static const struct dr_body_field fields[] = {
	{ "model", DR_FIELD_MODEL },
	{ "stream", DR_FIELD_STREAM },
	{ "max_output_tokens", DR_FIELD_MAX_TOKENS },
	{ "background", DR_FIELD_BACKGROUND },
	{ "service_tier", DR_FIELD_SERVICE_TIER },
	{ "speed", DR_FIELD_SPEED },
	{ "inference_geo", DR_FIELD_INFERENCE_GEO },
	{ "previous_response_id", DR_FIELD_PREVIOUS_RESPONSE_ID },
	{ "conversation", DR_FIELD_CONVERSATION },
	{ "prompt_cache_key", DR_FIELD_PROMPT_CACHE_KEY },
	{ "metadata", DR_FIELD_METADATA },
	{ "instructions", DR_FIELD_SYSTEM },
	{ "input", DR_FIELD_MESSAGES },
	{ "tools", DR_FIELD_TOOLS },
	{ "modalities", DR_FIELD_MODALITIES },
	{ "audio", DR_FIELD_AUDIO },
	{ "store", DR_FIELD_STORE },
	{ NULL, DR_N_FIELDS },
};

/* Run by the caller, or (mcp) by somebody whom it names; tool_search and namespace only
 * say which tools the model sees. */
static const char *const free_tools[] = { "function", "custom", "local_shell",
	"apply_patch", "namespace", "tool_search", "mcp", NULL };

#define COUNT(text, what)                                                              \
	{                                                                              \
		DR_JSON_KEY(text), DR_SEEN_COUNT + DR_COUNT_##what, DR_JSON_SHORT,     \
		    NULL                                                               \
	}

static const struct dr_json_rule input_details_rules[] = {
	COUNT("cached_tokens", CACHE_READ),
	COUNT("cache_write_tokens", CACHE_WRITE),
	{ .key = NULL },
};

static const struct dr_json_rule usage_rules[] = {
	COUNT("input_tokens", INPUT),
	COUNT("output_tokens", OUTPUT),
	{ DR_JSON_KEY("input_tokens_details"), 0, DR_JSON_NOTE, input_details_rules },
	{ .key = NULL },
};

/* What a web_search_call did; the other kinds of items have other actions, or none. */
static const struct dr_json_rule action_rules[] = {
	{ DR_JSON_KEY("type"), DR_SEEN_ITEM_ACTION, DR_JSON_SHORT, NULL },
	{ .key = NULL },
};

static const struct dr_json_rule item_rules[] = {
	{ DR_JSON_KEY("type"), DR_SEEN_ITEM_TYPE, DR_JSON_SHORT, NULL },
	{ DR_JSON_KEY("action"), 0, DR_JSON_NOTE, action_rules },
	{ .key = NULL },
};

static const struct dr_json_rule output_rules[] = {
	{ DR_JSON_KEY("[]"), DR_SEEN_ITEM, DR_JSON_NOTE, item_rules },
	{ .key = NULL },
};

static const struct dr_json_rule web_search_rules[] = {
	{ DR_JSON_KEY("num_requests"), DR_SEEN_SEARCHES, DR_JSON_SHORT, NULL },
	{ .key = NULL },
};

static const struct dr_json_rule tool_usage_rules[] = {
	{ DR_JSON_KEY("web_search"), 0, DR_JSON_NOTE, web_search_rules },
	{ .key = NULL },
};

static const struct dr_json_rule answer_rules[] = {
	{ DR_JSON_KEY("usage"), DR_SEEN_USAGE, DR_JSON_CAPTURE, usage_rules },
	{ DR_JSON_KEY("output"), 0, DR_JSON_NOTE, output_rules },
	{ DR_JSON_KEY("tool_usage"), 0, DR_JSON_NOTE, tool_usage_rules },
	{ .key = NULL },
};

static const struct dr_json_rule error_rules[] = {
	{ DR_JSON_KEY("type"), DR_SEEN_ERROR_TYPE, DR_JSON_SHORT, NULL },
	{ DR_JSON_KEY("code"), DR_SEEN_ERROR_CODE, DR_JSON_SHORT, NULL },
	{ DR_JSON_KEY("message"), DR_SEEN_ERROR_MESSAGE, DR_JSON_CAPTURE, NULL },
	{ .key = NULL },
};

static const struct dr_json_rule conversation_rules[] = {
	{ DR_JSON_KEY("id"), DR_SEEN_CONVERSATION, DR_JSON_CAPTURE, NULL },
	{ .key = NULL },
};

static const struct dr_json_rule response_rules[] = {
	{ DR_JSON_KEY("id"), DR_SEEN_ID, DR_JSON_CAPTURE, NULL },
	{ DR_JSON_KEY("conversation"), 0, DR_JSON_NOTE, conversation_rules },
	{ DR_JSON_KEY("usage"), DR_SEEN_USAGE, DR_JSON_CAPTURE, usage_rules },
	{ DR_JSON_KEY("output"), 0, DR_JSON_NOTE, output_rules },
	{ DR_JSON_KEY("tool_usage"), 0, DR_JSON_NOTE, tool_usage_rules },
	{ DR_JSON_KEY("error"), 0, DR_JSON_NOTE, error_rules },
	{ .key = NULL },
};

/* An `error` event holds its code and message directly, or in an error object. */
static const struct dr_json_rule event_rules[] = {
	{ DR_JSON_KEY("type"), DR_SEEN_TYPE, DR_JSON_SHORT, NULL },
	{ DR_JSON_KEY("sequence_number"), DR_SEEN_SEQUENCE, DR_JSON_SHORT, NULL },
	{ DR_JSON_KEY("delta"), DR_SEEN_OUTPUT, DR_JSON_BYTES, NULL },
	{ DR_JSON_KEY("response"), 0, DR_JSON_NOTE, response_rules },
	{ DR_JSON_KEY("item"), DR_SEEN_ITEM, DR_JSON_NOTE, item_rules },
	{ DR_JSON_KEY("error"), DR_SEEN_ERROR, DR_JSON_NOTE, error_rules },
	{ DR_JSON_KEY("code"), DR_SEEN_ERROR_CODE, DR_JSON_SHORT, NULL },
	{ DR_JSON_KEY("message"), DR_SEEN_ERROR_MESSAGE, DR_JSON_CAPTURE, NULL },
	{ .key = NULL },
};

/* Text, reasoning, arguments: anything that grows, but not sound in base64. */
static bool
is_output_delta(const char *type)
{
	size_t len = strlen(type), n = strlen(".delta");

	return len > n && strcmp(type + len - n, ".delta") == 0 &&
	       strcmp(type, "response.audio.delta") != 0 &&
	       strcmp(type, "response.output_audio.delta") != 0;
}

/*
 * response.in_progress decides: a model may then think for minutes, and the client
 * should have its head. A response that failed is an error with a usage, maybe.
 */
static unsigned
judge(const struct dr_event *event)
{
	const char *type = event->type;

	if (is_output_delta(type))
		return DR_EVENT_OUTPUT;
	if (strcmp(type, "response.output_item.done") == 0)
		return DR_EVENT_ITEM;
	if (strcmp(type, "response.created") == 0 ||
	    strcmp(type, "response.queued") == 0)
		return DR_EVENT_UNDECIDED;
	if (strcmp(type, "response.completed") == 0 ||
	    strcmp(type, "response.incomplete") == 0)
		return DR_EVENT_END | DR_EVENT_FINAL;
	if (strcmp(type, "response.failed") == 0)
		return DR_EVENT_ERROR | DR_EVENT_FINAL;
	if (strcmp(type, "error") == 0 || event->error)
		return DR_EVENT_ERROR;
	return 0;
}

/* Every block of this API is a total, and so is the output beside the last one; what a
 * stream's items have shown before stays, should it hold less. */
static void
add_usage(const struct dr_counts *counts, bool final, struct dr_usage *usage)
{
	int64_t searches = dr_searches(counts);

	dr_usage_split_input(counts, usage);
	if (final && searches > usage->web_searches)
		usage->web_searches = searches;
}

/*
 * A response object as the clients' types want it, with what can be known here: the
 * provider's own id and date passed by unread.
 */
static void
add_error_event(const struct dr_error_info *info, const char *message,
    const char *request_id, int64_t sequence, struct dr_strbuf *out)
{
	const char *code =
	    info->openai_code != NULL ? info->openai_code : "server_error";

	if (request_id == NULL)
		request_id = "";
	else if (strncmp(request_id, "req_", 4) == 0)
		request_id += 4;
	dr_strbuf_addf(out,
	    "event: response.failed\ndata: {\"type\":\"response.failed\","
	    "\"sequence_number\":%lld,\"response\":{\"id\":\"resp_%s\","
	    "\"object\":\"response\",\"created_at\":0,\"status\":\"failed\","
	    "\"error\":{\"code\":\"%s\",\"message\":",
	    sequence < 0 ? 0LL : (long long)sequence, request_id, code);
	dr_json_add_string(out, message);
	dr_strbuf_adds(out,
	    "},\"incomplete_details\":null,\"instructions\":null,"
	    "\"max_output_tokens\":null,\"metadata\":{},\"model\":\"\",\"output\":[],"
	    "\"parallel_tool_calls\":true,\"previous_response_id\":null,"
	    "\"temperature\":null,\"tool_choice\":\"auto\",\"tools\":[],\"top_p\":null,"
	    "\"usage\":null}}\n\n");
}

const struct dr_dialect_parts dr_openai_responses_parts = {
	.fields = fields,
	.free_tools = free_tools,
	.takes_sound = true,
	.event_rules = event_rules,
	.answer_rules = answer_rules,
	.judge = judge,
	.add_usage = add_usage,
	.binds = true,
	.add_error = dr_openai_add_error,
	.add_error_event = add_error_event,
};
