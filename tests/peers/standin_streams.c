/*
 * standin_streams - the events of each dialect's stream, by number, and their SSE
 * lines.
 *
 * An event is made from its number alone, so a stream needs no memory but a counter.
 */
#include "standin.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"

/* One event's data, before it becomes SSE lines; shared, since it is used at once. */
static struct dr_strbuf *
scratch(void)
{
	static struct dr_strbuf data;

	if (data.max == 0)
		dr_strbuf_init(&data, SIZE_MAX / 2);
	dr_strbuf_clear(&data);
	return &data;
}

void
standin_sse(const struct plan *plan, struct dr_strbuf *out, const char *name,
    const char *data, size_t len)
{
	const char *space = plan->no_space ? "" : " ";

	if (name != NULL) {
		dr_strbuf_adds(out, "event:");
		dr_strbuf_adds(out, space);
		dr_strbuf_adds(out, name);
		dr_strbuf_adds(out, plan->eol);
	}
	dr_strbuf_adds(out, "data:");
	dr_strbuf_adds(out, space);
	dr_strbuf_add(out, data, len);
	dr_strbuf_adds(out, plan->eol);
	dr_strbuf_adds(out, plan->eol);
}

/* Events before the first delta, and after the last. */
static int64_t
opening(const struct conn *conn)
{
	switch (conn->req.route) {
	case ROUTE_CHAT:
		return 1;
	case ROUTE_RESPONSES:
		return conn->plan.kind == KIND_TOOL ? 3 : 4;
	default:
		return 3;
	}
}

int64_t
standin_delta_of(const struct conn *conn, int64_t i)
{
	i -= opening(conn);
	return i >= 0 && i < conn->plan.events ? i : -1;
}

/* ---- Messages ---- */

static void
message_start(struct conn *conn, struct dr_strbuf *d)
{
	int64_t out_tokens = conn->plan.tokens.out;

	dr_strbuf_addf(d,
	    "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_standin%08" PRIu64
	    "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"%s\","
	    "\"content\":[],\"stop_reason\":null,\"stop_sequence\":null",
	    conn->serial, standin_model(conn));
	if (!conn->plan.tokens.absent) {
		/* so far: one token, of those that message_delta counts up to */
		conn->plan.tokens.out = out_tokens > 0 ? 1 : 0;
		dr_strbuf_adds(d, ",\"usage\":");
		standin_usage(conn, d);
		conn->plan.tokens.out = out_tokens;
	}
	dr_strbuf_adds(d, "}}");
}

static void
message_delta(struct conn *conn, struct dr_strbuf *d)
{
	const struct tokens *t = &conn->plan.tokens;

	dr_strbuf_addf(d,
	    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"%s\","
	    "\"stop_sequence\":null}",
	    standin_stop_reason(conn));
	if (!t->absent && t->nulls)
		dr_strbuf_addf(d,
		    ",\"usage\":{\"input_tokens\":null,\"cache_creation_input_tokens\":null,"
		    "\"cache_read_input_tokens\":null,\"output_tokens\":%" PRId64 "}",
		    t->out);
	else if (!t->absent && t->output_only)
		dr_strbuf_addf(d, ",\"usage\":{\"output_tokens\":%" PRId64 "}", t->out);
	else if (!t->absent)
		dr_strbuf_addf(d,
		    ",\"usage\":{\"input_tokens\":%" PRId64
		    ",\"cache_creation_input_tokens\":%" PRId64
		    ",\"cache_read_input_tokens\":%" PRId64
		    ",\"output_tokens\":%" PRId64 "}",
		    t->in, t->write + t->write_5m + t->write_1h, t->cache_read, t->out);
	dr_strbuf_addc(d, '}');
}

static void
content_block(const struct conn *conn, struct dr_strbuf *d)
{
	static const char *const blocks[] = {
		[KIND_TEXT] = "{\"type\":\"text\",\"text\":\"\"}",
		[KIND_THINKING] =
		    "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}",
		[KIND_TOOL] = ("{\"type\":\"tool_use\",\"id\":\"toolu_standin\","
			       "\"name\":\"note\",\"input\":{}}"),
	};

	dr_strbuf_addf(d,
	    "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":%s}",
	    blocks[conn->plan.kind]);
}

static void
content_delta(const struct conn *conn, int64_t delta, struct dr_strbuf *d)
{
	static const char *const types[] = {
		[KIND_TEXT] = "text_delta\",\"text",
		[KIND_THINKING] = "thinking_delta\",\"thinking",
		[KIND_TOOL] = "input_json_delta\",\"partial_json",
	};

	dr_strbuf_addf(d,
	    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"%s\":\"",
	    types[conn->plan.kind]);
	standin_text(conn, delta, d);
	dr_strbuf_adds(d, "\"}}");
}

static bool
messages_event(struct conn *conn, int64_t i, struct dr_strbuf *out)
{
	static const char *const names[] = { "message_start", "content_block_start",
		"ping", "content_block_delta", "content_block_stop", "message_delta",
		"message_stop" };
	struct dr_strbuf *d = scratch();
	int64_t delta = standin_delta_of(conn, i), step;

	step = delta >= 0 ? 3 : i < 3 ? i : i - conn->plan.events + 1;
	switch (step) {
	case 0:
		message_start(conn, d);
		break;
	case 1:
		content_block(conn, d);
		break;
	case 3:
		content_delta(conn, delta, d);
		break;
	case 4:
		dr_strbuf_adds(d, "{\"type\":\"content_block_stop\",\"index\":0}");
		break;
	case 5:
		message_delta(conn, d);
		break;
	case 2:
	case 6:
		dr_strbuf_addf(d, "{\"type\":\"%s\"}", names[step]);
		break;
	default:
		return false;
	}
	standin_sse(&conn->plan, out, names[step], d->data, d->len);
	return true;
}

/* ---- Chat ---- */

static void
chunk_open(const struct conn *conn, struct dr_strbuf *d)
{
	dr_strbuf_addf(d,
	    "{\"id\":\"chatcmpl-standin%08" PRIu64
	    "\",\"object\":\"chat.completion.chunk\","
	    "\"created\":1767225600,\"model\":\"%s\",\"choices\":[",
	    conn->serial, standin_model(conn));
}

static void
chunk_close(const struct conn *conn, const char *finish, struct dr_strbuf *d)
{
	const char *quote = finish != NULL ? "\"" : "";

	dr_strbuf_addf(d, "},\"logprobs\":null,\"finish_reason\":%s%s%s}]%s}", quote,
	    finish != NULL ? finish : "null", quote,
	    conn->req.include_usage ? ",\"usage\":null" : "");
}

static void
chunk_delta(const struct conn *conn, int64_t delta, struct dr_strbuf *d)
{
	bool tool = conn->plan.kind == KIND_TOOL;

	dr_strbuf_adds(d, "{\"index\":0,\"delta\":{");
	if (!tool)
		dr_strbuf_adds(d, "\"content\":\"");
	else if (delta == 0)
		dr_strbuf_adds(d,
		    "\"tool_calls\":[{\"index\":0,\"id\":\"call_standin\","
		    "\"type\":\"function\",\"function\":{\"name\":\"note\",\"arguments\":\"");
	else
		dr_strbuf_adds(
		    d, "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"");
	standin_text(conn, delta, d);
	dr_strbuf_adds(d, tool ? "\"}}]" : "\"");
	chunk_close(conn, NULL, d);
}

static bool
chat_event(struct conn *conn, int64_t i, struct dr_strbuf *out)
{
	const struct plan *plan = &conn->plan;
	bool with_usage = conn->req.include_usage && !plan->tokens.absent;
	int64_t delta = standin_delta_of(conn, i), after = i - 1 - plan->events;
	struct dr_strbuf *d = scratch();

	if (after > 0 && !with_usage)
		after++; /* there is no chunk for the usage */
	if (after > 2 || (after == 2 && plan->no_done))
		return false;
	if (after == 2) {
		standin_sse(plan, out, NULL, "[DONE]", 6);
		return true;
	}
	chunk_open(conn, d);
	if (i == 0) {
		dr_strbuf_adds(d,
		    "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"");
		chunk_close(conn, NULL, d);
	} else if (delta >= 0) {
		chunk_delta(conn, delta, d);
	} else if (after == 0) {
		dr_strbuf_adds(d, "{\"index\":0,\"delta\":{");
		chunk_close(conn, standin_stop_reason(conn), d);
	} else {
		dr_strbuf_adds(d, "],\"usage\":");
		standin_usage(conn, d);
		dr_strbuf_addc(d, '}');
	}
	standin_sse(plan, out, NULL, d->data, d->len);
	return true;
}

/* ---- Responses ---- */

/* What comes in the order of a stream; a tool call has no content part. */
enum step {
	CREATED,
	IN_PROGRESS,
	ITEM_ADDED,
	PART_ADDED,
	DELTA,
	TEXT_DONE,
	PART_DONE,
	ITEM_DONE,
	COMPLETED,
	N_STEPS
};

/* Three kinds of items, each with its own names for the same steps. */
static const char *const step_names[N_STEPS][3] = {
	[CREATED] = { "response.created", "response.created", "response.created" },
	[IN_PROGRESS] = { "response.in_progress", "response.in_progress",
	    "response.in_progress" },
	[ITEM_ADDED] = { "response.output_item.added", "response.output_item.added",
	    "response.output_item.added" },
	[PART_ADDED] = { "response.content_part.added",
	    "response.reasoning_summary_part.added", "" },
	[DELTA] = { "response.output_text.delta",
	    "response.reasoning_summary_text.delta",
	    "response.function_call_arguments.delta" },
	[TEXT_DONE] = { "response.output_text.done",
	    "response.reasoning_summary_text.done",
	    "response.function_call_arguments.done" },
	[PART_DONE] = { "response.content_part.done",
	    "response.reasoning_summary_part.done", "" },
	[ITEM_DONE] = { "response.output_item.done", "response.output_item.done",
	    "response.output_item.done" },
	[COMPLETED] = { "response.completed", "response.completed",
	    "response.completed" },
};

/* The step of event `i`; N_STEPS: the stream is over. */
static enum step
step_of(const struct conn *conn, int64_t i)
{
	bool tool = conn->plan.kind == KIND_TOOL;
	int64_t step;

	if (i < opening(conn))
		return (enum step)i;
	if (standin_delta_of(conn, i) >= 0)
		return DELTA;
	step = TEXT_DONE + i - opening(conn) - conn->plan.events;
	if (tool && step > TEXT_DONE)
		step++;
	return step < N_STEPS ? (enum step)step : N_STEPS;
}

static void
item_ids(const struct conn *conn, struct dr_strbuf *d)
{
	static const char *const ids[] = { "msg_standin", "rs_standin", "fc_standin" };
	static const char *const index[] = { "content_index", "summary_index", "" };
	enum content kind = conn->plan.kind;

	dr_strbuf_addf(d, ",\"item_id\":\"%s\",\"output_index\":0", ids[kind]);
	if (kind != KIND_TOOL)
		dr_strbuf_addf(d, ",\"%s\":0", index[kind]);
}

static void
add_part(const struct conn *conn, bool whole, struct dr_strbuf *d)
{
	dr_strbuf_adds(d, ",\"part\":{\"type\":");
	dr_strbuf_adds(
	    d, conn->plan.kind == KIND_THINKING
		   ? "\"summary_text\",\"text\":\""
		   : "\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\"");
	if (whole)
		standin_all_text(conn, d);
	dr_strbuf_adds(d, "\"}");
}

static void
response_step(struct conn *conn, enum step step, int64_t i, struct dr_strbuf *d)
{
	bool cut_short = strcmp(conn->plan.stop, "max_tokens") == 0;

	switch (step) {
	case CREATED:
	case IN_PROGRESS:
		dr_strbuf_adds(d, ",\"response\":");
		standin_response_object(conn, "in_progress", false, d);
		break;
	case ITEM_ADDED:
	case ITEM_DONE:
		dr_strbuf_adds(d, ",\"output_index\":0,\"item\":");
		standin_response_item(
		    conn, step == ITEM_ADDED ? "in_progress" : "completed", d);
		break;
	case PART_ADDED:
	case PART_DONE:
		item_ids(conn, d);
		add_part(conn, step == PART_DONE, d);
		break;
	case DELTA:
		item_ids(conn, d);
		dr_strbuf_adds(d, ",\"delta\":\"");
		standin_text(conn, standin_delta_of(conn, i), d);
		dr_strbuf_adds(d, "\",\"logprobs\":[]");
		break;
	case TEXT_DONE:
		item_ids(conn, d);
		dr_strbuf_adds(d, conn->plan.kind == KIND_TOOL ? ",\"arguments\":\""
							       : ",\"text\":\"");
		standin_all_text(conn, d);
		dr_strbuf_adds(d, "\",\"logprobs\":[]");
		break;
	default:
		dr_strbuf_adds(d, ",\"response\":");
		standin_response_object(
		    conn, cut_short ? "incomplete" : "completed", true, d);
	}
}

static void
search_events(struct conn *conn, int64_t i, struct dr_strbuf *d, struct dr_strbuf *out)
{
	static const char name[] = "response.output_item.done";

	for (int64_t n = 0; n < standin_search_items(conn); n++) {
		dr_strbuf_addf(d,
		    "{\"type\":\"%s\",\"sequence_number\":%" PRId64
		    ",\"output_index\":%" PRId64 ",\"item\":",
		    name, i, n);
		standin_search_item(conn, n, d);
		dr_strbuf_addc(d, '}');
		standin_sse(&conn->plan, out, name, d->data, d->len);
		dr_strbuf_clear(d);
	}
}

static bool
responses_event(struct conn *conn, int64_t i, struct dr_strbuf *out)
{
	enum step step = step_of(conn, i);
	struct dr_strbuf *d = scratch();
	const char *name;

	if (step == N_STEPS)
		return false;
	if (step == ITEM_ADDED) /* searches come first */
		search_events(conn, i, d, out);
	name = step_names[step][conn->plan.kind];
	if (step == COMPLETED && strcmp(conn->plan.stop, "max_tokens") == 0)
		name = "response.incomplete";
	dr_strbuf_addf(d, "{\"type\":\"%s\",\"sequence_number\":%" PRId64, name, i);
	response_step(conn, step, i, d);
	dr_strbuf_addc(d, '}');
	standin_sse(&conn->plan, out, name, d->data, d->len);
	return true;
}

bool
standin_event(struct conn *conn, int64_t i, struct dr_strbuf *out)
{
	if (i == 0 && conn->plan.bom)
		dr_strbuf_adds(out, "\xef\xbb\xbf");
	if (conn->plan.comments)
		dr_strbuf_addf(out, ": comment %" PRId64 "%s%s", i, conn->plan.eol,
		    conn->plan.eol);
	switch (conn->req.route) {
	case ROUTE_CHAT:
		return chat_event(conn, i, out);
	case ROUTE_RESPONSES:
		return responses_event(conn, i, out);
	default:
		return messages_event(conn, i, out);
	}
}
