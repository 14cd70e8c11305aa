/*
 * attempt - one try at a provider, from its slot to an answer worth passing on.
 *
 * An attempt ends in one of three ways: its answer is good and goes to RELAY; it is the
 * caller's own fault and is passed through as it came; or it failed, which the breaker
 * is told, and the request goes back to ROUTE (steps.c decides there whether anything
 * is left to try). Until the head is out nothing of an attempt has reached the client.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "dialects/json_scan.h"
#include "gateway/gateway.h"
#include "gateway/metrics_request.h"
#include "gateway/request.h"
#include "gateway/retry.h"
#include "gateway/upstream_head.h"

#define LOOK_AGAIN_MS 1000
#define PROVIDER_TEXT 255 /* bytes of what a provider says that are kept */

/* ---- the end of an attempt ---- */

void
dr_attempt_note_text(struct dr_request *req, const char *text)
{
	free(req->provider_text);
	req->provider_text =
	    text[0] != '\0' ? dr_strndup(text, strnlen(text, PROVIDER_TEXT)) : NULL;
}

void
dr_attempt_finish(struct dr_request *req, enum dr_outcome outcome, const char *why)
{
	struct dr_attempt *attempt = &req->attempts[req->n_attempts - 1];

	attempt->status = req->up.status;
	attempt->outcome = outcome;
	req->tried[req->n_tried - 1].outcome = outcome;
	attempt->ms = (uint32_t)(dr_clock_ms() - req->up.started_ms);
	free(attempt->why);
	attempt->why =
	    why[0] != '\0' ? dr_strndup(why, strnlen(why, DR_ATTEMPT_WHY - 1)) : NULL;
	/* what is said of a caller's fault may quote the request: it stays out of the
	 * log */
	if (outcome != DR_OUTCOME_OK && outcome != DR_OUTCOME_CALLER)
		dr_log_info(request, "%s: provider %s: status %d, %s", req->id,
		    attempt->provider->record->name, req->up.status, why);
	dr_providers_outcome(req->gw->providers, attempt->provider, outcome,
	    req->up.retry_after_ms, req->up.started_ms);
	dr_attempt_stop(req);
}

void
dr_attempt_stop(struct dr_request *req)
{
	struct dr_exchange *up = &req->up;
	struct dr_attempt *last =
	    req->n_attempts > 0 ? &req->attempts[req->n_attempts - 1] : NULL;

	if (up->transfer != NULL && last != NULL && last->outcome == DR_OUTCOME_NONE) {
		last->status =
		    up->status; /* given up by us: the client left, or we close */
		last->ms = (uint32_t)(dr_clock_ms() - up->started_ms);
	}
	dr_http_cancel(&up->transfer);
	dr_timer_stop(&up->timer);
	dr_timer_stop(&up->failover);
	dr_provider_give(req->gw->providers, &up->lease);
	dr_strbuf_fini(&up->held);
	dr_strbuf_fini(&up->slices);
	free(up->edits);
	up->edits = NULL;
}

/* Failed: whether another try makes sense is ROUTE's business. */
static void
failed(struct dr_request *req, enum dr_outcome outcome, const char *why)
{
	dr_tap_free(&req->up.tap);
	dr_attempt_finish(req, outcome, why);
	dr_request_go(req, DR_REQ_ROUTE);
}

/* ---- judging a whole answer ---- */

/* 206 says itself that it is not all. */
static bool
is_success(int status)
{
	return status >= 200 && status <= 299 && status != 206;
}

/* Is the answer of this type, and readable? We ask for no encoding and hand on none: a
 * body that came encoded all the same would reach the client without the header that
 * says so. */
static bool
is_type(struct dr_exchange *up, const char *type)
{
	const char *value = dr_http_header(up->transfer, "content-type");
	const char *encoding = dr_http_header(up->transfer, "content-encoding");
	size_t n = strlen(type);

	if (encoding != NULL && strcasecmp(encoding, "identity") != 0)
		return false;
	return value != NULL && strncasecmp(value, type, n) == 0 &&
	       (value[n] == '\0' || value[n] == ';' || value[n] == ' ');
}

static bool
no_member(void *arg, const struct dr_json_member *member)
{
	(void)arg;
	(void)member;
	return true;
}

static void
pass_through(
    struct dr_request *req, const struct dr_provider_error *error, bool in_shape)
{
	struct dr_exchange *up = &req->up;
	int status = up->status;

	if (req->err == DR_OK)
		req->ended_in = req->state;
	dr_strbuf_clear(&req->answer);
	dr_strbuf_add(&req->answer, up->held.data, up->held.len);
	dr_attempt_finish(req, DR_OUTCOME_CALLER,
	    error->message[0] != '\0' ? error->message : "refused the request");
	up->status = status;
	if (in_shape) {
		req->passed_through = true;
		dr_reply_head(
		    req, status, "application/json", (int64_t)req->answer.len, "");
		dr_reply_body(req, req->answer.data, req->answer.len);
		dr_request_go(req, DR_REQ_SETTLE);
	} else {
		dr_request_fail(req, DR_ERR_PROVIDER_REFUSED, (long long)status);
	}
}

/* A complete answer that is no success: what does it say, and of whom? */
static void
judge_error(struct dr_request *req)
{
	struct dr_exchange *up = &req->up;
	struct dr_provider_error error;
	bool in_shape = dr_read_provider_error(
	    req->handler->dialect, up->status, up->held.data, up->held.len, &error);
	char why[DR_ATTEMPT_WHY];

	/* what concerns the provider's own account (its key, its organisation) is not
	 * repeated */
	if (error.fault != DR_FAULT_ACCOUNT && error.fault != DR_FAULT_OVERLOADED)
		dr_attempt_note_text(req, error.message);
	snprintf(why, sizeof why, "%s",
	    error.fault == DR_FAULT_ACCOUNT      ? "credential or account refused"
	    : error.fault == DR_FAULT_OVERLOADED ? "overloaded"
	    : error.message[0] != '\0'           ? error.message
						 : "error answer");
	switch (error.fault) {
	case DR_FAULT_ACCOUNT:
		failed(req, DR_OUTCOME_AUTH, why);
		break;
	case DR_FAULT_OVERLOADED:
		failed(req, DR_OUTCOME_OVERLOADED, why);
		break;
	case DR_FAULT_CALLER:
		pass_through(req, &error, in_shape);
		break;
	case DR_FAULT_NONE:
		if (up->status >= 400 && up->status < 500) {
			pass_through(req, &error, false);
			break;
		}
		/* fall through */
	case DR_FAULT_SERVER:
		failed(req, DR_OUTCOME_SERVER, why);
		break;
	}
}

static void
judge_unary(struct dr_request *req)
{
	struct dr_exchange *up = &req->up;
	char err[128];

	if (!is_success(up->status)) {
		judge_error(req);
	} else if (!is_type(up, "application/json")) {
		failed(req, DR_OUTCOME_SERVER, "wrong content type or encoding");
	} else if (!dr_json_scan(
		       up->held.data, up->held.len, no_member, NULL, err, sizeof err)) {
		failed(req, DR_OUTCOME_SERVER, "answer is not a JSON object");
	} else {
		dr_request_go(req, DR_REQ_RELAY);
	}
}

/* ---- what the transfer tells ---- */

/* Milliseconds that total_timeout still leaves for an answer's head. */
static uint64_t
time_left(const struct dr_request *req)
{
	uint64_t spent = dr_clock_ms() - req->received_ms;
	uint64_t total = (uint64_t)req->config->settings->total_timeout;

	return spent < total ? total - spent : 0;
}

/* The next byte within idle_timeout; until our own head is out, total_timeout counts
 * too. */
static void
expect_bytes(struct dr_request *req)
{
	uint64_t ms = (uint64_t)req->config->settings->idle_timeout,
		 left = time_left(req);

	if (req->head_sent && req->up.tap != NULL &&
	    dr_tap_state(req->up.tap)->complete)
		return; /* relay waits for the end alone, not for more */
	dr_timer_start(&req->up.timer, req->head_sent || ms < left ? ms : left);
}

static void
on_head(void *arg, struct dr_transfer *transfer, int status)
{
	struct dr_request *req = arg;
	struct dr_exchange *up = &req->up;
	const struct dr_settings *s = req->config->settings;

	DR_CHECK(req, DR_REQUEST_MAGIC);
	if (is_success(status) && !req->facts.stream &&
	    req->handler->kind == DR_HANDLER_GENERATE)
		dr_provider_note_first(
		    up->lease.provider, false, dr_clock_ms() - up->started_ms);
	up->head_in = true;
	free(up->edits); /* the body is curl's now */
	up->edits = NULL;
	up->status = status;
	up->transfer = transfer;
	up->content_length = dr_http_content_length(transfer);
	up->retry_after_ms =
	    dr_retry_after_ms(dr_http_header(transfer, "retry-after-ms"),
		dr_http_header(transfer, "retry-after"), dr_clock_wall_ms());
	expect_bytes(req);
	if (s->first_token_timeout == 0 || !req->facts.stream)
		dr_timer_stop(&up->failover);
	if (is_success(status) && req->facts.stream && is_type(up, "text/event-stream"))
		dr_relay_tap(req);
	if (is_success(status) && req->facts.stream && up->tap == NULL &&
	    req->handler->kind == DR_HANDLER_GENERATE)
		failed(req, DR_OUTCOME_SERVER, "wrong content type or encoding");
}

/* Held until it is whole; a long one with a known length is let through as it comes. */
static void
hold(struct dr_request *req, const char *bytes, size_t len)
{
	struct dr_exchange *up = &req->up;
	bool good = is_success(up->status);
	size_t most = good ? DR_MAX_UNARY_BYTES : DR_MAX_ERROR_BYTES;

	if (len <= most - up->held.len) {
		dr_strbuf_add(&up->held, bytes, len);
		return;
	}
	if (good && up->content_length > 0 && is_type(up, "application/json")) {
		dr_request_go(req, DR_REQ_RELAY);
		dr_relay_bytes(req, bytes, len);
	} else {
		failed(req, DR_OUTCOME_SERVER, "answer is too long");
	}
}

static void
on_body(void *arg, const char *bytes, size_t len)
{
	struct dr_request *req = arg;

	DR_CHECK(req, DR_REQUEST_MAGIC);
	if (!req->paused)
		expect_bytes(req);
	if (req->up.tap != NULL || req->state == DR_REQ_RELAY)
		dr_relay_bytes(req, bytes, len);
	else
		hold(req, bytes, len);
}

static bool
may_resend(void *arg)
{
	struct dr_request *req = arg;

	DR_CHECK(req, DR_REQUEST_MAGIC);
	return dr_retry_resends(req);
}

static void
on_end(void *arg, enum dr_http_result result, const char *why)
{
	struct dr_request *req = arg;

	DR_CHECK(req, DR_REQUEST_MAGIC);
	req->up.ended = true;
	if (req->up.tap != NULL || req->state == DR_REQ_RELAY)
		dr_relay_ended(req, result, why);
	else if (result == DR_HTTP_OK)
		judge_unary(req);
	else if (result == DR_HTTP_REFUSED || result == DR_HTTP_RESET)
		failed(req, DR_OUTCOME_REFUSED, why);
	else if (result == DR_HTTP_STALE)
		failed(req, DR_OUTCOME_STALE, why);
	else
		failed(req, DR_OUTCOME_SERVER, why);
}

static void
on_timeout(struct dr_timer *timer)
{
	struct dr_request *req = DR_CONTAINER_OF(timer, struct dr_request, up.timer);

	DR_CHECK(req, DR_REQUEST_MAGIC);
	if (req->up.tap != NULL && req->head_sent &&
	    dr_tap_state(req->up.tap)->complete) {
		/* all is said; only the connection was not closed */
		dr_attempt_finish(req, DR_OUTCOME_OK, "");
		dr_request_go(req, DR_REQ_SETTLE);
	} else if (req->head_sent) {
		dr_attempt_finish(
		    req, DR_OUTCOME_SILENT, "silent in the middle of its answer");
		dr_request_fail(req, DR_ERR_PROVIDER_TIMEOUT);
	} else {
		failed(req, DR_OUTCOME_SILENT, "no answer in the time allowed");
	}
}

/* failover_after or first_token_timeout: move on, but only where there is somewhere to
 * go. */
static void
on_failover(struct dr_timer *timer)
{
	struct dr_request *req = DR_CONTAINER_OF(timer, struct dr_request, up.failover);
	struct dr_provider *other;

	DR_CHECK(req, DR_REQUEST_MAGIC);
	if (req->head_sent || !dr_retry_allowed(req))
		return;
	if (dr_request_choose(req, false, &other, NULL) == DR_OK)
		failed(req, DR_OUTCOME_SILENT, "slow, and another provider is free");
	else
		dr_timer_start(timer, LOOK_AGAIN_MS); /* somebody may become free */
}

/* ---- the start ---- */

static unsigned
body_pieces(struct dr_request *req, const char *model_there)
{
	struct dr_exchange *up = &req->up;
	size_t len, at = 0;
	const char *body = dr_fcgi_body(req->edge, &len);
	unsigned n = 0, n_edits;

	up->edits = dr_malloc(DR_MAX_EDITS * sizeof *up->edits);
	n_edits = dr_body_edits(
	    req->handler->dialect, body, &req->facts, model_there, up->edits);
	for (unsigned i = 0; i < n_edits; i++) {
		const struct dr_edit *edit = &up->edits[i];

		up->pieces[n++] = (struct dr_http_piece){ body + at, edit->at - at };
		up->pieces[n++] =
		    (struct dr_http_piece){ edit->text, strlen(edit->text) };
		at = edit->at + edit->drop;
	}
	up->pieces[n++] = (struct dr_http_piece){ body + at, len - at };
	return n;
}

static void
start_transfer(struct dr_request *req, const struct dr_provider *provider)
{
	const struct dr_settings *s = req->config->settings;
	struct dr_exchange *up = &req->up;
	struct dr_upstream_head head;
	struct dr_http_request http = {
		.method = "POST",
		.body = up->pieces,
		.connect_timeout_ms = (unsigned)s->connect_timeout,
		.http2 = req->facts.stream ? s->http2_streams : s->http2,
		.stream = req->facts.stream,
		.arg = req,
		.may_resend = may_resend,
		.on_head = on_head,
		.on_body = on_body,
		.on_end = on_end,
	};

	http.n_body = body_pieces(req, dr_provider_model(provider, req->model->name));
	dr_upstream_head_build(&head, req, provider);
	http.url = head.url;
	http.headers = head.lines;
	http.ca_file = provider->record->ca_file[0] != '\0' ? provider->record->ca_file
		       : s->ca_file[0] != '\0'              ? s->ca_file
							    : NULL;
	up->transfer = dr_http_start(req->gw->http, &http);
	dr_upstream_head_wipe(&head);
}

void
dr_attempt_start(struct dr_request *req)
{
	const struct dr_settings *s = req->config->settings;
	struct dr_exchange *up = &req->up;
	struct dr_provider *provider = up->lease.provider;
	uint64_t wait = (uint64_t)s->response_timeout, left = time_left(req);
	uint64_t failover = (uint64_t)s->failover_after;

	/* the one way to a provider: what is charged has an admission in hand */
	DR_ASSERT(req->admitted || req->handler->kind == DR_HANDLER_COUNT);
	DR_ASSERT(req->n_attempts < DR_MAX_ATTEMPTS && up->transfer == NULL);
	DR_ASSERT(req->n_tried < DR_MAX_TRIED);
	req->tried[req->n_tried++] =
	    (struct dr_tried){ dr_provider_ref(provider), DR_OUTCOME_NONE };
	req->attempts[req->n_attempts++] = (struct dr_attempt){ .provider = provider };
	req->n_sent++;
	dr_retry_count(req);
	up->rename = dr_provider_model(provider, req->model->name);
	if (!provider->record->rename_answers ||
	    strcmp(up->rename, req->model->name) == 0)
		up->rename = NULL;
	up->status = 0;
	up->head_in = up->ended = false;
	up->retry_after_ms = up->content_length = -1;
	up->started_ms = dr_clock_ms();
	dr_strbuf_init(&up->held, DR_MAX_UNARY_BYTES);
	dr_strbuf_init(&up->slices, SIZE_MAX / 4); /* no more than one read of curl's */
	dr_timer_init(&up->timer, req->gw->loop, on_timeout);
	dr_timer_init(&up->failover, req->gw->loop, on_failover);
	dr_timer_start(&up->timer, wait < left ? wait : left);
	if (s->first_token_timeout > 0 && s->first_token_timeout < (int64_t)failover)
		failover = (uint64_t)s->first_token_timeout;
	/* a probe need not be waited for as long as a good provider: a caller would pay
	 * with all of its time for finding out that it is silent */
	if (req->facts.stream || up->lease.probe)
		dr_timer_start(&up->failover, failover);
	dr_metrics_sent(req);
	start_transfer(req, provider);
}
