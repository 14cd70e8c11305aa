/*
 * reply - what the gateway itself says: heads, local answers, errors.
 *
 * Every head of every answer is written by dr_reply_head(), so that the request id,
 * CORS and the limits left are never forgotten. Errors take their status, type and
 * retry hint from errors.def and their shape from the dialect of the route.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/money.h"
#include "gateway/endpoint.h"
#include "gateway/gateway.h"
#include "gateway/request.h"

#define MAX_HEAD         8192
#define USUAL_HEAD       1000 /* one allocation instead of five */
#define MAX_ERROR_ANSWER (64 * 1024)

static const char *
reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} known[] = { { 200, "OK" }, { 204, "No Content" }, { 400, "Bad Request" },
		{ 401, "Unauthorized" }, { 402, "Payment Required" },
		{ 403, "Forbidden" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 409, "Conflict" },
		{ 413, "Content Too Large" }, { 422, "Unprocessable Content" },
		{ 426, "Upgrade Required" }, { 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" }, { 502, "Bad Gateway" },
		{ 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
		{ 529, "Overloaded" } };

	for (size_t i = 0; i < DR_N_ELEMENTS(known); i++)
		if (known[i].status == status)
			return known[i].text;
	return "Status";
}

/* ---- what is left of the limits, in the dialect's own headers ---- */

static void
add_limits_left(struct dr_strbuf *head, const struct dr_request *req)
{
	const struct dr_admitted *a = &req->ticket.admitted;
	char when[DR_CLOCK_TEXT], usd[DR_MONEY_TEXT];
	int64_t reset_in = a->rpm_reset_ms - a->now_ms;

	if (req->shape == DR_DIALECT_ANTHROPIC) {
		dr_clock_format_s(a->rpm_reset_ms + 999, when);
		dr_strbuf_addf(head,
		    "anthropic-ratelimit-requests-limit: %lld\r\n"
		    "anthropic-ratelimit-requests-remaining: %lld\r\n"
		    "anthropic-ratelimit-requests-reset: %s\r\n",
		    (long long)a->rpm, (long long)a->rpm_left, when);
	} else {
		if (reset_in < 0)
			reset_in = 0;
		dr_strbuf_addf(head,
		    "x-ratelimit-limit-requests: %lld\r\n"
		    "x-ratelimit-remaining-requests: %lld\r\n"
		    "x-ratelimit-reset-requests: ",
		    (long long)a->rpm, (long long)a->rpm_left);
		if (reset_in >= 60000)
			dr_strbuf_addf(head, "%lldm", (long long)(reset_in / 60000));
		/* whole seconds, rounded up: "1m0s" */
		dr_strbuf_addf(
		    head, "%llds\r\n", (long long)((reset_in % 60000 + 999) / 1000));
	}
	dr_money_format(a->balance_left, usd);
	dr_strbuf_addf(head, "x-derouter-balance-remaining: %s\r\n", usd);
	if (a->budget_left >= 0) {
		dr_money_format(a->budget_left, usd);
		dr_strbuf_addf(head, "x-derouter-budget-remaining: %s\r\n", usd);
	}
	dr_strbuf_addf(head, "x-derouter-concurrency-remaining: %lld\r\n",
	    (long long)a->concurrency_left);
}

/* For pages of other origins only, and a browser says so for each of them: it is half
 * of the head. */
static void
add_cors(struct dr_strbuf *head, const struct dr_request *req)
{
	const char *origin = req->config->settings->cors;

	/* the dashboard's API is for pages of its own origin */
	if (origin[0] == '\0' || strncmp(req->path, "/api/", 5) == 0 ||
	    dr_fcgi_param(req->edge, "HTTP_ORIGIN") == NULL)
		return;
	dr_strbuf_addf(head,
	    "access-control-allow-origin: %s\r\n"
	    "access-control-expose-headers: request-id, x-request-id, retry-after, "
	    "retry-after-ms, x-should-retry, x-derouter-balance-remaining, "
	    "x-derouter-budget-remaining, x-derouter-concurrency-remaining, "
	    "x-derouter-provider-attempts, anthropic-ratelimit-requests-limit, "
	    "anthropic-ratelimit-requests-remaining, anthropic-ratelimit-requests-reset, "
	    "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, "
	    "x-ratelimit-reset-requests\r\n",
	    origin);
}

void
dr_reply_head(struct dr_request *req, int status, const char *content_type,
    int64_t length, const char *extra)
{
	struct dr_strbuf head;

	DR_ASSERT(!req->head_sent);
	req->head_sent = true;
	req->status = status;
	if (req->first_byte_ms == 0)
		req->first_byte_ms = dr_clock_ms();
	if (req->edge == NULL)
		return;
	dr_strbuf_init(&head, MAX_HEAD);
	dr_strbuf_reserve(&head, USUAL_HEAD);
	dr_strbuf_addf(&head, "Status: %d %s\r\nrequest-id: %s\r\nx-request-id: %s\r\n",
	    status, reason(status), req->id, req->id);
	if (content_type != NULL)
		dr_strbuf_addf(&head, "content-type: %s\r\n", content_type);
	if (length >= 0)
		dr_strbuf_addf(&head, "content-length: %lld\r\n", (long long)length);
	add_cors(&head, req);
	if (req->admitted && status < 300 && req->handler->kind == DR_HANDLER_GENERATE)
		add_limits_left(&head, req);
	if (req->n_sent > 0)
		dr_strbuf_addf(
		    &head, "x-derouter-provider-attempts: %u\r\n", req->n_sent);
	dr_strbuf_adds(&head, extra);
	dr_strbuf_adds(&head, "\r\n");
	DR_ASSERT(!head.failed); /* every part is bounded well below MAX_HEAD */
	dr_fcgi_write(req->edge, head.data, head.len);
	dr_strbuf_fini(&head);
}

void
dr_reply_body(struct dr_request *req, const char *bytes, size_t len)
{
	req->bytes_out += len;
	if (req->edge != NULL && len > 0)
		dr_fcgi_write(req->edge, bytes, len);
}

/* ---- local answers ---- */

void
dr_reply_text(
    struct dr_request *req, int status, const char *content_type, const char *text)
{
	size_t len = strlen(text);

	dr_reply_head(req, status, content_type, (int64_t)len,
	    req->more_head.len > 0 ? req->more_head.data
				   : "cache-control: no-store\r\n");
	dr_reply_body(req, text, len);
	dr_request_go(req, DR_REQ_SETTLE);
}

void
dr_reply_more_head(struct dr_request *req, const char *name, const char *value)
{
	DR_ASSERT(value[strcspn(value, "\r\n")] == '\0');
	if (req->more_head.len == 0)
		dr_strbuf_adds(&req->more_head, "cache-control: no-store\r\n");
	dr_strbuf_addf(&req->more_head, "%s: %s\r\n", name, value);
}

void
dr_reply_json(struct dr_request *req, int status, const struct dr_strbuf *body)
{
	DR_ASSERT(!body->failed);
	dr_reply_text(req, status, "application/json", body->data);
}

void
dr_reply_preflight(struct dr_request *req)
{
	dr_reply_head(req, 204, NULL, -1,
	    "access-control-allow-methods: GET, POST, OPTIONS\r\n"
	    "access-control-allow-headers: *, authorization\r\n"
	    "access-control-max-age: 86400\r\n");
	dr_request_go(req, DR_REQ_SETTLE);
}

/* ---- errors ---- */

static const char *
error_text(const struct dr_request *req)
{
	return req->long_message != NULL ? req->long_message : req->message;
}

static void
add_retry_hint(struct dr_strbuf *extra, const struct dr_request *req,
    const struct dr_error_info *info)
{
	int64_t ms = req->retry_after_ms;

	if (info->retry == DR_RETRY_NO) {
		dr_strbuf_adds(extra, "x-should-retry: false\r\n");
		return;
	}
	if (info->retry == DR_RETRY_ANY)
		return;
	if (ms < 0)
		ms = (int64_t)info->retry * 1000;
	/* whole seconds, rounded up: a client that waits so long is not refused again
	 */
	dr_strbuf_addf(extra, "retry-after: %lld\r\n", (long long)((ms + 999) / 1000));
	if (req->err == DR_ERR_RPM)
		dr_strbuf_addf(extra, "retry-after-ms: %lld\r\n", (long long)ms);
}

static void
add_error_headers(struct dr_strbuf *extra, const struct dr_request *req)
{
	const struct dr_error_info *info = dr_error_info(req->err);

	add_retry_hint(extra, req, info);
	if (req->err == DR_ERR_BAD_METHOD) {
		dr_strbuf_adds(extra, "allow: ");
		dr_endpoint_methods(req, extra);
		dr_strbuf_adds(extra, "\r\n");
	}
	if (req->err == DR_ERR_UPGRADE)
		dr_strbuf_adds(extra, "upgrade: HTTP/1.1\r\n");
	if (info->status == 401)
		dr_strbuf_adds(extra, "www-authenticate: Bearer\r\n");
	dr_strbuf_adds(extra, "cache-control: no-store\r\n");
}

/* The head is out: the only honest end is the dialect's own error event. */
static void
reply_error_event(struct dr_request *req)
{
	struct dr_strbuf event;
	int64_t sequence = 0;

	if (req->up.tap == NULL) { /* a unary answer: nothing may be added to it */
		req->broken = true;
		return;
	}
	if (dr_tap_state(req->up.tap)->complete ||
	    dr_tap_state(req->up.tap)->error_seen)
		return; /* the stream has had its end */
	if (req->up.tap != NULL) {
		const struct dr_tap_state *tap = dr_tap_state(req->up.tap);

		sequence = tap->sequence + 1;
		if (tap->mid_event) /* an event too long to hold is partly out: end it
				       first */
			dr_reply_body(req, "\n\n", 2);
	}
	dr_strbuf_init(&event, MAX_ERROR_ANSWER);
	dr_error_event(
	    req->shape, req->err, error_text(req), req->id, sequence, &event);
	dr_reply_body(req, event.data, event.len);
	dr_strbuf_fini(&event);
}

void
dr_reply_error(struct dr_request *req)
{
	struct dr_strbuf body, extra;

	if (req->head_sent) {
		reply_error_event(req);
		return;
	}
	dr_strbuf_init(&body, MAX_ERROR_ANSWER);
	dr_strbuf_init(&extra, 1024);
	dr_error_body(req->shape, req->err, error_text(req), req->id, &body);
	add_error_headers(&extra, req);
	/* PROVIDER_REFUSED keeps the provider's own status */
	dr_reply_head(req,
	    req->err == DR_ERR_PROVIDER_REFUSED && req->up.status >= 400
		? req->up.status
		: dr_error_info(req->err)->status,
	    "application/json", (int64_t)body.len, extra.data);
	dr_reply_body(req, body.data, body.len);
	dr_strbuf_fini(&body);
	dr_strbuf_fini(&extra);
}
