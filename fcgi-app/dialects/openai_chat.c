/*
 * openai_chat - what is particular to OpenAI's Chat Completions API.
 *
 * Only tables and judgements; the reading itself is done by json_path and tap.c. Its
 * events have no names: what they are is told by their members, the end by "[DONE]".
 */
#include "base/json.h"
#include "dialects/parts.h"

static const struct dr_body_field fields[] = {
	{ "model", DR_FIELD_MODEL },
	{ "stream", DR_FIELD_STREAM },
	{ "max_completion_tokens", DR_FIELD_MAX_TOKENS },
	{ "max_tokens", DR_FIELD_MAX_TOKENS_TOO },
	{ "n", DR_FIELD_CHOICES },
	{ "stream_options", DR_FIELD_STREAM_OPTIONS },
	{ "service_tier", DR_FIELD_SERVICE_TIER },
	{ "speed", DR_FIELD_SPEED },
	{ "inference_geo", DR_FIELD_INFERENCE_GEO },
	{ "prompt_cache_key", DR_FIELD_PROMPT_CACHE_KEY },
	{ "metadata", DR_FIELD_METADATA },
	{ "messages", DR_FIELD_MESSAGES },
	{ "tools", DR_FIELD_TOOLS },
	{ "web_search_options", DR_FIELD_WEB_SEARCH_OPTIONS },
	{ "modalities", DR_FIELD_MODALITIES },
	{ "audio", DR_FIELD_AUDIO },
	{ NULL, DR_N_FIELDS },
};

static const char *const free_tools[] = { "function", "custom", NULL };

#define COUNT(text, what)                                                              \
	{                                                                              \
		DR_JSON_KEY(text), DR_SEEN_COUNT + DR_COUNT_##what, DR_JSON_SHORT,     \
		    NULL                                                               \
	}
#define OUTPUT(text)                                                                   \
	{                                                                              \
		DR_JSON_KEY(text), DR_SEEN_OUTPUT, DR_JSON_BYTES, NULL                 \
	}

static const struct dr_json_rule prompt_details_rules[] = {
	COUNT("cached_tokens", CACHE_READ),
	COUNT("cache_write_tokens", CACHE_WRITE),
	{ .key = NULL },
};

static const struct dr_json_rule usage_rules[] = {
	COUNT("prompt_tokens", INPUT),
	COUNT("completion_tokens", OUTPUT),
	{ DR_JSON_KEY("prompt_tokens_details"), 0, DR_JSON_NOTE, prompt_details_rules },
	{ .key = NULL },
};

static const struct dr_json_rule answer_rules[] = {
	{ DR_JSON_KEY("usage"), DR_SEEN_USAGE, DR_JSON_CAPTURE, usage_rules },
	{ .key = NULL },
};

static const struct dr_json_rule function_rules[] = {
	OUTPUT("arguments"),
	OUTPUT("name"),
	{ .key = NULL },
};

static const struct dr_json_rule custom_rules[] = {
	OUTPUT("input"),
	OUTPUT("name"),
	{ .key = NULL },
};

static const struct dr_json_rule tool_call_rules[] = {
	{ DR_JSON_KEY("function"), 0, DR_JSON_NOTE, function_rules },
	{ DR_JSON_KEY("custom"), 0, DR_JSON_NOTE, custom_rules },
	{ .key = NULL },
};

static const struct dr_json_rule tool_calls_rules[] = {
	{ DR_JSON_KEY("[]"), 0, DR_JSON_NOTE, tool_call_rules },
	{ .key = NULL },
};

/* reasoning and reasoning_content: how compatible servers name their thinking. */
static const struct dr_json_rule delta_rules[] = {
	OUTPUT("content"),
	OUTPUT("refusal"),
	OUTPUT("reasoning_content"),
	OUTPUT("reasoning"),
	{ DR_JSON_KEY("tool_calls"), 0, DR_JSON_NOTE, tool_calls_rules },
	{ DR_JSON_KEY("function_call"), 0, DR_JSON_NOTE, function_rules },
	{ .key = NULL },
};

static const struct dr_json_rule choice_rules[] = {
	{ DR_JSON_KEY("delta"), 0, DR_JSON_NOTE, delta_rules },
	{ DR_JSON_KEY("finish_reason"), DR_SEEN_FINISH, DR_JSON_SHORT, NULL },
	{ .key = NULL },
};

static const struct dr_json_rule choices_rules[] = {
	{ DR_JSON_KEY("[]"), DR_SEEN_CHOICE, DR_JSON_NOTE, choice_rules },
	{ .key = NULL },
};

static const struct dr_json_rule error_rules[] = {
	{ DR_JSON_KEY("type"), DR_SEEN_ERROR_TYPE, DR_JSON_SHORT, NULL },
	{ DR_JSON_KEY("code"), DR_SEEN_ERROR_CODE, DR_JSON_SHORT, NULL },
	{ DR_JSON_KEY("message"), DR_SEEN_ERROR_MESSAGE, DR_JSON_CAPTURE, NULL },
	{ .key = NULL },
};

static const struct dr_json_rule event_rules[] = {
	{ DR_JSON_KEY("choices"), DR_SEEN_CHOICES, DR_JSON_NOTE, choices_rules },
	{ DR_JSON_KEY("usage"), DR_SEEN_USAGE, DR_JSON_CAPTURE, usage_rules },
	{ DR_JSON_KEY("error"), DR_SEEN_ERROR, DR_JSON_NOTE, error_rules },
	{ .key = NULL },
};

/*
 * Any event but these two is a chunk of the answer. An error counts although choices
 * stand beside it, as some routers send it.
 */
static unsigned
judge(const struct dr_event *event)
{
	unsigned flags = DR_EVENT_OUTPUT | DR_EVENT_FINAL;

	if (event->done_mark)
		return DR_EVENT_END;
	if (event->error)
		return DR_EVENT_ERROR;
	if (event->finish)
		flags |= DR_EVENT_FINISH;
	if (event->usage && event->choices && !event->choice)
		flags |= DR_EVENT_EXTRA;
	return flags;
}

static void
add_usage(const struct dr_counts *counts, bool final, struct dr_usage *usage)
{
	(void) final; /* every block of this API is a total */
	dr_usage_split_input(counts, usage);
}

/* All four members always: clients read param and code unasked. */
void
dr_openai_add_error(const struct dr_error_info *info, const char *message,
    const char *request_id, struct dr_strbuf *out)
{
	(void)request_id; /* the headers tell it */
	dr_strbuf_adds(out, "{\"error\":{\"message\":");
	dr_json_add_string(out, message);
	dr_strbuf_addf(
	    out, ",\"type\":\"%s\",\"param\":null,\"code\":", info->openai_type);
	dr_json_add_string(out, info->openai_code);
	dr_strbuf_adds(out, "}}");
}

/* Nameless, and no [DONE] after it: the SDK throws on the error member. */
static void
add_error_event(const struct dr_error_info *info, const char *message,
    const char *request_id, int64_t sequence, struct dr_strbuf *out)
{
	(void)sequence;
	dr_strbuf_adds(out, "data: ");
	dr_openai_add_error(info, message, request_id, out);
	dr_strbuf_adds(out, "\n\n");
}

const struct dr_dialect_parts dr_openai_chat_parts = {
	.fields = fields,
	.free_tools = free_tools,
	.takes_sound = true,
	.event_rules = event_rules,
	.answer_rules = answer_rules,
	.judge = judge,
	.add_usage = add_usage,
	.add_error = dr_openai_add_error,
	.add_error_event = add_error_event,
};
