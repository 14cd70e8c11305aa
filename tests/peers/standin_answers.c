/*
 * standin_answers - whole answers: usage blocks, unary bodies, token counts, models.
 *
 * The shapes are those that the official SDKs declare (client-facts of the project);
 * text is made of counted words, so that a test can say what must arrive.
 */
#include "standin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"

const char *
standin_model(const struct conn *conn)
{
	return conn->req.model[0] != '\0' ? conn->req.model : "none";
}

/* ---- usage ---- */

static int64_t
writes(const struct tokens *t)
{
	return t->write + t->write_5m + t->write_1h;
}

static void
anthropic_usage(const struct tokens *t, struct dr_strbuf *out)
{
	dr_strbuf_addf(out,
	    "{\"input_tokens\":%" PRId64 ",\"cache_creation_input_tokens\":%" PRId64
	    ",\"cache_read_input_tokens\":%" PRId64 ",",
	    t->in, writes(t), t->cache_read);
	if (t->write == 0)
		dr_strbuf_addf(out,
		    "\"cache_creation\":{\"ephemeral_5m_input_tokens\":%" PRId64
		    ",\"ephemeral_1h_input_tokens\":%" PRId64 "},",
		    t->write_5m, t->write_1h);
	if (t->searches > 0)
		dr_strbuf_addf(out,
		    "\"server_tool_use\":{\"web_search_requests\":%" PRId64 "},",
		    t->searches);
	dr_strbuf_addf(out,
	    "\"output_tokens\":%" PRId64 ",\"service_tier\":\"standard\"}", t->out);
}

/* Chat and Responses: totals that include what their details name. */
static void
openai_usage(const struct tokens *t, bool chat, struct dr_strbuf *out)
{
	int64_t in = t->in + t->cache_read + writes(t);
	const char *input = chat ? "prompt" : "input";
	const char *output = chat ? "completion" : "output";

	dr_strbuf_addf(out,
	    "{\"%s_tokens\":%" PRId64 ",\"%s_tokens\":%" PRId64
	    ",\"total_tokens\":%" PRId64
	    ",\"%s_tokens_details\":{\"cached_tokens\":%" PRId64,
	    input, in, output, t->out, in + t->out, input, t->cache_read);
	if (writes(t) > 0)
		dr_strbuf_addf(out, ",\"cache_write_tokens\":%" PRId64, writes(t));
	dr_strbuf_addf(out,
	    "},\"%s_tokens_details\":{\"reasoning_tokens\":%" PRId64 "}}", output,
	    t->reasoning);
}

void
standin_usage(const struct conn *conn, struct dr_strbuf *out)
{
	const struct tokens *t = &conn->plan.tokens;

	if (conn->req.route == ROUTE_CHAT || conn->req.route == ROUTE_RESPONSES)
		openai_usage(t, conn->req.route == ROUTE_CHAT, out);
	else
		anthropic_usage(t, out);
}

/* ---- text ---- */

static void
add_letters(struct dr_strbuf *out, int64_t n)
{
	static const char words[] = "the quick brown fox jumps over the lazy dog and ";

	while (n > 0) {
		size_t step =
		    n < (int64_t)sizeof words - 1 ? (size_t)n : sizeof words - 1;

		dr_strbuf_add(out, words, step);
		n -= (int64_t)step;
	}
}

static void
add_stamp(struct dr_strbuf *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	dr_strbuf_addf(out, "@%lld@",
	    (long long)ts.tv_sec * 1000000 + (long long)ts.tv_nsec / 1000);
}

/* Text of one delta, as it stands inside a JSON string. */
void
standin_text(const struct conn *conn, int64_t delta, struct dr_strbuf *out)
{
	const struct plan *plan = &conn->plan;

	if (plan->kind == KIND_TOOL && delta == 0)
		dr_strbuf_adds(out, "{\\\"text\\\":\\\"");
	if (plan->stamp)
		add_stamp(out);
	if (plan->utf8)
		for (int64_t n = 9; n <= plan->event_bytes || n == 9; n += 9)
			dr_strbuf_adds(out, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	else if (plan->event_bytes > 0)
		add_letters(out, plan->event_bytes);
	else
		dr_strbuf_addf(out, "word%" PRId64 " ", delta);
	if (plan->kind == KIND_TOOL && delta == plan->events - 1)
		dr_strbuf_adds(out, "\\\"}");
}

void
standin_all_text(const struct conn *conn, struct dr_strbuf *out)
{
	for (int64_t i = 0; i < conn->plan.events; i++)
		standin_text(conn, i, out);
}

const char *
standin_stop_reason(const struct conn *conn)
{
	const char *stop = conn->plan.stop;
	bool chat = conn->req.route == ROUTE_CHAT;

	if (strcmp(stop, "end_turn") == 0 && conn->plan.kind == KIND_TOOL)
		return chat ? "tool_calls" : "tool_use";
	if (chat && strcmp(stop, "end_turn") == 0)
		return "stop";
	if (chat && strcmp(stop, "max_tokens") == 0)
		return "length";
	return stop;
}

/* ---- unary answers ---- */

static void
message(struct conn *conn, struct dr_strbuf *out)
{
	const struct plan *plan = &conn->plan;

	dr_strbuf_addf(out,
	    "{\"id\":\"msg_standin%08" PRIu64 "\",\"type\":\"message\","
	    "\"role\":\"assistant\",\"model\":\"%s\",\"content\":[",
	    conn->serial, standin_model(conn));
	if (plan->kind == KIND_TOOL) {
		dr_strbuf_adds(out,
		    "{\"type\":\"tool_use\",\"id\":\"toolu_standin\",\"name\":\"note\","
		    "\"input\":{\"text\":\"from the stand-in\"}}");
	} else if (plan->kind == KIND_THINKING) {
		dr_strbuf_adds(out, "{\"type\":\"thinking\",\"thinking\":\"");
		standin_all_text(conn, out);
		dr_strbuf_adds(out, "\",\"signature\":\"c3RhbmRpbg==\"}");
	} else {
		dr_strbuf_adds(out, "{\"type\":\"text\",\"text\":\"");
		standin_all_text(conn, out);
		dr_strbuf_adds(out, "\"}");
	}
	dr_strbuf_addf(out, "],\"stop_reason\":\"%s\",\"stop_sequence\":null",
	    standin_stop_reason(conn));
	if (!plan->tokens.absent) {
		dr_strbuf_adds(out, ",\"usage\":");
		standin_usage(conn, out);
	}
	dr_strbuf_addc(out, '}');
}

static void
completion(struct conn *conn, struct dr_strbuf *out)
{
	const struct plan *plan = &conn->plan;

	dr_strbuf_addf(out,
	    "{\"id\":\"chatcmpl-standin%08" PRIu64 "\",\"object\":\"chat.completion\","
	    "\"created\":1767225600,\"model\":\"%s\",\"choices\":[{\"index\":0,"
	    "\"message\":{\"role\":\"assistant\",\"refusal\":null,",
	    conn->serial, standin_model(conn));
	if (plan->kind == KIND_TOOL)
		dr_strbuf_adds(out,
		    "\"content\":null,\"tool_calls\":[{\"id\":\"call_standin\","
		    "\"type\":\"function\",\"function\":{\"name\":\"note\",\"arguments\":\"");
	else
		dr_strbuf_adds(out, "\"content\":\"");
	standin_all_text(conn, out);
	dr_strbuf_addf(out, "\"%s},\"logprobs\":null,\"finish_reason\":\"%s\"}]",
	    plan->kind == KIND_TOOL ? "}}]" : "", standin_stop_reason(conn));
	if (!plan->tokens.absent) {
		dr_strbuf_adds(out, ",\"usage\":");
		standin_usage(conn, out);
	}
	dr_strbuf_adds(out, ",\"service_tier\":\"default\"}");
}

void
standin_response_item(
    const struct conn *conn, const char *status, struct dr_strbuf *out)
{
	bool begun = strcmp(status, "in_progress") == 0;

	switch (conn->plan.kind) {
	case KIND_TOOL:
		dr_strbuf_addf(out,
		    "{\"type\":\"function_call\",\"id\":\"fc_standin\",\"status\":\"%s\","
		    "\"call_id\":\"call_standin\",\"name\":\"note\",\"arguments\":\"",
		    status);
		break;
	case KIND_THINKING:
		dr_strbuf_addf(out,
		    "{\"type\":\"reasoning\",\"id\":\"rs_standin\","
		    "\"encrypted_content\":\"sealed/%s/%08" PRIu64 "==\",\"summary\":[",
		    standin_options.name, conn->serial);
		if (!begun)
			dr_strbuf_adds(out, "{\"type\":\"summary_text\",\"text\":\"");
		break;
	default:
		dr_strbuf_addf(out,
		    "{\"type\":\"message\",\"id\":\"msg_standin\",\"status\":\"%s\","
		    "\"role\":\"assistant\",\"content\":[",
		    status);
		if (!begun)
			dr_strbuf_adds(out,
			    "{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],"
			    "\"text\":\"");
	}
	if (!begun)
		standin_all_text(conn, out);
	dr_strbuf_adds(out, conn->plan.kind == KIND_TOOL ? "\"}"
			    : begun                      ? "]}"
							 : "\"}]}");
}

/* Items of the output that tell of searches. */
int64_t
standin_search_items(const struct conn *conn)
{
	return conn->plan.tokens.searches > 0 ? conn->plan.tokens.searches + 1 : 0;
}

/* One search, or (behind the last of them) a page that was opened: it is no search. */
void
standin_search_item(const struct conn *conn, int64_t i, struct dr_strbuf *out)
{
	dr_strbuf_addf(out,
	    "{\"type\":\"web_search_call\",\"id\":\"ws_standin%" PRId64
	    "\",\"status\":\"completed\",\"action\":{\"type\":\"%s\"}}",
	    i, i < conn->plan.tokens.searches ? "search" : "open_page");
}

void
standin_response_object(
    const struct conn *conn, const char *status, bool whole, struct dr_strbuf *out)
{
	dr_strbuf_addf(out,
	    "{\"id\":\"resp_%s%08" PRIu64 "\",\"object\":\"response\","
	    "\"created_at\":1767225600,\"status\":\"%s\",\"background\":false,"
	    "\"error\":null,\"incomplete_details\":%s,\"instructions\":null,"
	    "\"max_output_tokens\":null,\"model\":\"%s\",\"output\":[",
	    standin_options.name, conn->serial, status,
	    strcmp(status, "incomplete") == 0 ? "{\"reason\":\"max_output_tokens\"}"
					      : "null",
	    standin_model(conn));
	for (int64_t i = 0; whole && i < standin_search_items(conn); i++) {
		standin_search_item(conn, i, out);
		dr_strbuf_addc(out, ',');
	}
	if (whole)
		standin_response_item(conn, status, out);
	dr_strbuf_adds(out,
	    "],\"parallel_tool_calls\":true,\"previous_response_id\":null,"
	    "\"service_tier\":\"default\",\"store\":true,\"temperature\":1.0,"
	    "\"text\":{\"format\":{\"type\":\"text\"}},\"tool_choice\":\"auto\","
	    "\"tools\":[],\"top_p\":1.0,\"truncation\":\"disabled\",\"metadata\":{}");
	if (!whole)
		dr_strbuf_adds(out, ",\"usage\":null");
	if (whole && !conn->plan.tokens.absent) {
		dr_strbuf_adds(out, ",\"usage\":");
		standin_usage(conn, out);
	}
	dr_strbuf_addc(out, '}');
}

static void
models(struct dr_strbuf *out)
{
	static const char *const names[] = { "claude-sonnet-4-6", "claude-opus-4-8",
		"claude-haiku-4-5", "gpt-5.1", "gpt-5.1-codex" };

	dr_strbuf_adds(out, "{\"object\":\"list\",\"has_more\":false,\"data\":[");
	for (size_t i = 0; i < DR_N_ELEMENTS(names); i++)
		dr_strbuf_addf(out,
		    "%s{\"id\":\"%s\",\"object\":\"model\",\"type\":\"model\","
		    "\"display_name\":\"%s\",\"created\":1767225600,"
		    "\"created_at\":\"2026-01-01T00:00:00Z\",\"owned_by\":\"standin\"}",
		    i > 0 ? "," : "", names[i], names[i]);
	dr_strbuf_addf(out, "],\"first_id\":\"%s\",\"last_id\":\"%s\"}", names[0],
	    names[DR_N_ELEMENTS(names) - 1]);
}

static void
stats(struct dr_strbuf *out)
{
	const struct counters *c = &standin_counters;

	dr_strbuf_addf(out,
	    "{\"name\":\"%s\",\"connections\":%" PRIu64
	    ",\"connections_total\":%" PRIu64 ",\"requests\":%" PRIu64
	    ",\"running\":%" PRIu64 ",\"streams\":%" PRIu64 ",\"client_gone\":%" PRIu64
	    "}",
	    standin_options.name, c->connections, c->connections_total, c->requests,
	    c->running - 1, c->streams, c->client_gone);
}

static void
body_of_route(struct conn *conn, struct dr_strbuf *out)
{
	switch (conn->req.route) {
	case ROUTE_MESSAGES:
		message(conn, out);
		break;
	case ROUTE_CHAT:
		completion(conn, out);
		break;
	case ROUTE_RESPONSES:
		standin_response_object(conn,
		    strcmp(conn->plan.stop, "max_tokens") == 0 ? "incomplete"
							       : "completed",
		    true, out);
		break;
	case ROUTE_COUNT_TOKENS:
		dr_strbuf_addf(
		    out, "{\"input_tokens\":%" PRId64 "}", conn->plan.tokens.in);
		break;
	case ROUTE_MODELS:
		models(out);
		break;
	case ROUTE_STATS:
		stats(out);
		break;
	default:
		break;
	}
}

/* A JSON text of `filler` more bytes: opened here, the bytes and the end come later. */
static void
huge_body(struct conn *conn, struct dr_strbuf *out)
{
	dr_strbuf_adds(out, "{\"filler\":\"");
	conn->filler_left = conn->plan.filler;
	dr_strbuf_adds(&conn->suffix, "\",");
	body_of_route(conn, &conn->suffix);
	/* two objects become one: the second one's brace goes */
	memmove(conn->suffix.data + 2, conn->suffix.data + 3, conn->suffix.len - 2);
	conn->suffix.len--;
}

void
standin_answer(struct conn *conn, struct dr_strbuf *out)
{
	struct plan *plan = &conn->plan;

	if (out->len > 0)
		return; /* an error has put it there */
	if (plan->body != NULL) {
		dr_strbuf_adds(out, plan->body);
	} else if (plan->sse) {
		/* only for gzip: all at once */
		for (int64_t i = 0; standin_event(conn, i, out); i++)
			;
		plan->sse = false;
	} else if (plan->filler > 0) {
		huge_body(conn, out);
	} else {
		body_of_route(conn, out);
	}
	if (plan->truncate_json)
		out->len -= out->len / 3;
	if (plan->gzip)
		standin_gzip(out);
}
