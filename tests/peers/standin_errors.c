/*
 * standin_errors - the refusals of the two real APIs, as they word them.
 *
 * Types, codes and statuses: shared with nothing in the product on purpose, since this
 * is what the product is judged by. Sources: platform.claude.com/docs/en/api/errors and
 * platform.openai.com/docs/guides/error-codes.
 */
#include "standin.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

static const struct error_row rows[] = {
	{ "401", 401, "authentication_error", "invalid_request_error",
	    "invalid_api_key", "invalid x-api-key" },
	{ "402", 402, "billing_error", "insufficient_quota", "insufficient_quota",
	    "Your account has no credit" },
	{ "403", 403, "permission_error", "invalid_request_error",
	    "unsupported_country_region_territory", "Request not allowed" },
	{ "400", 400, "invalid_request_error", "invalid_request_error", NULL,
	    "messages: at least one message is required" },
	{ "context-length", 400, "invalid_request_error", "invalid_request_error",
	    "context_length_exceeded",
	    "prompt is too long: 200001 tokens > 200000 maximum" },
	{ "content-filter", 400, "invalid_request_error", "invalid_request_error",
	    "content_policy_violation", "Output blocked by content filtering policy" },
	{ "credit-low", 400, "invalid_request_error", "insufficient_quota",
	    "billing_not_active",
	    "Your credit balance is too low to access the Anthropic API. Please go to "
	    "Plans & Billing to upgrade or purchase credits." },
	{ "404", 404, "not_found_error", "invalid_request_error", "model_not_found",
	    "model: no such model" },
	{ "408", 408, "api_error", "server_error", NULL, "Request Timeout" },
	{ "409", 409, "conflict_error", "invalid_request_error", NULL, "Conflict" },
	{ "413", 413, "request_too_large", "invalid_request_error", NULL,
	    "Request exceeds the maximum size" },
	{ "422", 422, "invalid_request_error", "invalid_request_error", NULL,
	    "tools.0.input_schema: invalid" },
	{ "429", 429, "rate_limit_error", "requests", "rate_limit_exceeded",
	    "This request would exceed your organization's rate limit" },
	{ "insufficient-quota", 429, "rate_limit_error", "insufficient_quota",
	    "insufficient_quota",
	    "You exceeded your current quota, please check your plan and billing details." },
	{ "500", 500, "api_error", "server_error", NULL, "Internal server error" },
	{ "502", 502, "api_error", "server_error", NULL, "Bad gateway" },
	{ "503", 503, "api_error", "service_unavailable_error", "server_is_overloaded",
	    "Service unavailable" },
	{ "504", 504, "timeout_error", "server_error", NULL, "Gateway timeout" },
	{ "529", 529, "overloaded_error", "server_error", NULL, "Overloaded" },
	/* what the stand-in itself refuses */
	{ "no-model", 400, "invalid_request_error", "invalid_request_error",
	    "missing_required_parameter", "model: Field required" },
	{ "no-version", 400, "invalid_request_error", "invalid_request_error", NULL,
	    "anthropic-version: header is required" },
	{ "bad-json", 400, "invalid_request_error", "invalid_request_error", NULL,
	    "The request body is not valid JSON" },
};

const struct error_row *
standin_error_row(const char *name)
{
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

const struct error_row *
standin_error_next(const struct error_row *row)
{
	if (row == NULL)
		return &rows[0];
	return row + 1 < rows + DR_N_ELEMENTS(rows) ? row + 1 : NULL;
}

static bool
openai_route(const struct conn *conn)
{
	return conn->req.route == ROUTE_CHAT || conn->req.route == ROUTE_RESPONSES;
}

void
standin_error_text(struct conn *conn, const struct error_row *row, const char *text,
    struct dr_strbuf *out)
{
	if (text == NULL)
		text = row->text;
	if (openai_route(conn)) {
		dr_strbuf_adds(out, "{\"error\":{\"message\":");
		dr_json_add_string(out, text);
		dr_strbuf_addf(
		    out, ",\"type\":\"%s\",\"param\":null,\"code\":", row->openai_type);
		dr_json_add_string(out, row->openai_code);
		dr_strbuf_adds(out, "}}");
	} else {
		dr_strbuf_addf(out,
		    "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":",
		    row->anthropic_type);
		dr_json_add_string(out, text);
		dr_strbuf_addf(out, "},\"request_id\":\"req_standin%08llx\"}",
		    (unsigned long long)conn->serial);
	}
}

void
standin_error_plan(struct conn *conn, const struct error_row *row)
{
	struct plan *plan = &conn->plan;

	snprintf(plan->fault, sizeof plan->fault, "%s", row->name);
	plan->status = row->status;
	plan->type = "application/json";
	plan->framing = FRAME_LENGTH;
	plan->sse = false;
	plan->tokens = (struct tokens){ .absent = true };
	dr_strbuf_clear(&conn->payload);
	standin_error_text(conn, row, NULL, &conn->payload);
}

/* An error inside a stream, in the form that each API has for it. */
void
standin_error_event(struct conn *conn, struct dr_strbuf *out)
{
	const char *type = conn->plan.error_type;
	char data[512];
	int n;

	if (conn->req.route == ROUTE_CHAT) {
		n = snprintf(data, sizeof data,
		    "{\"error\":{\"message\":\"stand-in: %s\",\"type\":\"%s\","
		    "\"param\":null,\"code\":null}}",
		    type, type);
		standin_sse(&conn->plan, out, NULL, data, (size_t)n);
	} else if (conn->req.route == ROUTE_MESSAGES) {
		n = snprintf(data, sizeof data,
		    "{\"type\":\"error\",\"error\":{\"type\":\"%s\","
		    "\"message\":\"stand-in: %s\"}}",
		    type, type);
		standin_sse(&conn->plan, out, "error", data, (size_t)n);
	} else if (conn->plan.failed_event) {
		n = snprintf(data, sizeof data,
		    "{\"type\":\"response.failed\",\"sequence_number\":%lld,\"response\":{"
		    "\"id\":\"resp_standin\",\"object\":\"response\",\"status\":\"failed\","
		    "\"error\":{\"code\":\"%s\",\"message\":\"stand-in: %s\"},"
		    "\"output\":[],\"usage\":null}}",
		    (long long)conn->event, type, type);
		standin_sse(&conn->plan, out, "response.failed", data, (size_t)n);
	} else {
		n = snprintf(data, sizeof data,
		    "{\"type\":\"error\",\"sequence_number\":%lld,\"code\":\"%s\","
		    "\"message\":\"stand-in: %s\",\"param\":null}",
		    (long long)conn->event, type, type);
		standin_sse(&conn->plan, out, "error", data, (size_t)n);
	}
}
