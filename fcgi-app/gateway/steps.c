/*
 * steps - the life of a request, the file to read first.
 *
 *  RECEIVE -> ADMIT -> ROUTE -> SEND -> RELAY -> SETTLE -> DONE
 *     |         |       ^ |      |       |         ^
 *     |         |       +-|------+       |         |   back to ROUTE only while no byte
 * has |         |         |              |         |   reached the client, and attempts
 * and
 *     +---------+---------+-> ANSWER ----+---------+   time remain
 *
 * A step returns the next state, or DR_REQ_WAIT where a callback will go on. A step
 * that waits stands next to the callback that goes on. Any step or callback may fail:
 * dr_fail() keeps the first cause. The client may leave at any time: dr_request_gone()
 * cancels what runs and settles.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/access_log.h"
#include "gateway/bound.h"
#include "gateway/drain.h"
#include "gateway/endpoint.h"
#include "gateway/gateway.h"
#include "gateway/metrics_request.h"
#include "gateway/request.h"
#include "gateway/retry.h"
#include "gateway/settlement.h"

static const char *const state_name[] = {
#define X(name, doc) [DR_REQ_##name] = #name,
	DR_REQ_STATES(X)
#undef X
};

/* ---- the engine ---- */

static void
set_state(struct dr_request *req, enum dr_req_state next)
{
	DR_ASSERT(req->state != DR_REQ_DONE); /* nothing follows DONE */
	dr_log_trace(
	    request, "%s %s -> %s", req->id, state_name[req->state], state_name[next]);
	req->state = next;
}

static enum dr_req_state step_receive(struct dr_request *req);
static enum dr_req_state step_admit(struct dr_request *req);
static enum dr_req_state step_route(struct dr_request *req);
static enum dr_req_state step_send(struct dr_request *req);
static enum dr_req_state step_relay(struct dr_request *req);
static enum dr_req_state step_answer(struct dr_request *req);
static enum dr_req_state step_settle(struct dr_request *req);
static enum dr_req_state step_done(struct dr_request *req);

static enum dr_req_state (*const steps[DR_REQ_N_STATES])(struct dr_request *) = {
	[DR_REQ_RECEIVE] = step_receive,
	[DR_REQ_ADMIT] = step_admit,
	[DR_REQ_ROUTE] = step_route,
	[DR_REQ_SEND] = step_send,
	[DR_REQ_RELAY] = step_relay,
	[DR_REQ_ANSWER] = step_answer,
	[DR_REQ_SETTLE] = step_settle,
	[DR_REQ_DONE] = step_done,
};

void
dr_request_go(struct dr_request *req, enum dr_req_state next)
{
	DR_CHECK(req, DR_REQUEST_MAGIC);
	while (next != DR_REQ_WAIT) {
		set_state(req, next);
		next = steps[next](req);
	}
}

static void
note_failure(struct dr_request *req, enum dr_error err, va_list ap)
{
	va_list again;
	int n;

	if (req->err != DR_OK)
		return; /* the first cause is the one to report */
	req->err = err;
	req->ended_in = req->state;
	va_copy(again, ap);
	n = vsnprintf(
	    req->message, sizeof req->message, dr_error_info(err)->message, ap);
	if (n >= (int)sizeof req->message) {
		req->long_message = dr_malloc((size_t)n + 1);
		vsnprintf(req->long_message, (size_t)n + 1, dr_error_info(err)->message,
		    again);
	}
	va_end(again);
}

enum dr_req_state
dr_fail(struct dr_request *req, enum dr_error err, ...)
{
	va_list ap;

	va_start(ap, err);
	note_failure(req, err, ap);
	va_end(ap);
	return DR_REQ_ANSWER;
}

void
dr_request_fail(struct dr_request *req, enum dr_error err, ...)
{
	va_list ap;

	va_start(ap, err);
	note_failure(req, err, ap);
	va_end(ap);
	dr_request_go(req, DR_REQ_ANSWER);
}

/* ---- RECEIVE ---- */

void
dr_request_new(void *gateway, struct dr_fcgi_request *edge)
{
	struct dr_gateway *gw = gateway;
	struct dr_request *req = dr_calloc(1, sizeof *req);

	DR_CHECK(gw, DR_GATEWAY_MAGIC);
	req->magic = DR_REQUEST_MAGIC;
	req->gw = gw;
	req->config = dr_config_ref(gw->config);
	req->edge = edge;
	req->retry_after_ms = -1;
	req->received_ms = dr_clock_ms();
	req->arrived_us = dr_clock_us();
	req->received_wall_ms = dr_clock_wall_ms();
	dr_strbuf_init(&req->answer, DR_MAX_ERROR_BYTES);
	dr_strbuf_init(&req->more_head, DR_MAX_MORE_HEAD);
	dr_strbuf_init(&req->raw_usage, DR_MAX_RAW_USAGE);
	dr_strbuf_init(&req->up.held, DR_MAX_UNARY_BYTES);
	dr_list_append(&gw->requests, &req->node);
	gw->n_requests++;
	dr_fcgi_set_arg(edge, req);
	dr_request_go(req, DR_REQ_RECEIVE);
}

/*
 * Read what the request says. What is wrong with the body is only noted here: the key
 * is checked first, and a bad key is told 401 whatever else is wrong.
 */
static enum dr_req_state
step_receive(struct dr_request *req)
{
	enum dr_error err = dr_endpoint_find(req);
	size_t len;
	const char *body;

	if (err != DR_OK)
		return DR_REQ_ANSWER;
	if (req->preflight) {
		dr_reply_preflight(req);
		return DR_REQ_WAIT;
	}
	if (req->handler->kind == DR_HANDLER_LOCAL) {
		if (dr_endpoint_wants_key(req))
			return DR_REQ_ADMIT;
		if (req->handler->auth != DR_AUTH_NONE)
			return dr_session_gate(req);
		req->handler->answer(req);
		return DR_REQ_WAIT;
	}
	body = dr_fcgi_body(req->edge, &len);
	req->body_bytes = len;
	dr_endpoint_read_body(req, body, len);
	return DR_REQ_ADMIT;
}

/* ---- ADMIT ---- */

static void on_admitted(struct dr_ticket *ticket, enum dr_error err);
static void take(struct dr_request *req, struct dr_provider *provider);

/* Charged, while charges could not be kept through an outage. */
static bool
is_unrecorded(const struct dr_request *req)
{
	return req->handler->kind == DR_HANDLER_GENERATE &&
	       !dr_admission_can_record(req->gw->admission);
}

static enum dr_admit_mode
admit_mode(const struct dr_request *req)
{
	/* what is known to be refused anyway is only checked for its key */
	if (req->handler->kind == DR_HANDLER_LOCAL || !dr_endpoint_is_servable(req) ||
	    is_unrecorded(req))
		return DR_ADMIT_KEY;
	return req->handler->kind == DR_HANDLER_COUNT ? DR_ADMIT_COUNT : DR_ADMIT_FULL;
}

/*
 * A key in good standing: the best provider's slot is taken in the same flush as the
 * admission, one round trip to Redis for both. A refusal gives it back.
 */
static void
take_early(struct dr_request *req)
{
	struct dr_provider *provider;

	if (dr_admission_key_in_use(req->gw->admission, &req->key) &&
	    dr_endpoint_is_servable(req) &&
	    dr_request_choose(req, false, &provider, NULL) == DR_OK)
		take(req, provider);
}

static enum dr_req_state
step_admit(struct dr_request *req)
{
	const struct dr_settings *s = req->config->settings;
	struct dr_admit_query query;

	req->admit_mode = admit_mode(req);
	query = (struct dr_admit_query){
		.mode = req->admit_mode,
		.key = &req->key,
		.request_id = req->id,
		.model = req->model != NULL ? req->model->name : "",
		.default_rpm = s->default_rpm,
		.default_concurrency = s->default_concurrency,
		.count_rpm = s->count_tokens_rpm,
		.lease_ms = s->lease_time,
		.sweep_after_ms = s->sweep_after,
		.trace_ttl_ms = s->trace_ttl,
		.clock_offset_ms = dr_settings_clock_offset(s),
	};

	if (query.mode == DR_ADMIT_FULL) {
		query.estimate_nano = dr_retry_estimate(req);
	}
	req->admit_pending = true;
	req->asked_us = dr_clock_us();
	dr_admission_reserve(req->gw->admission, &req->ticket, &query, on_admitted);
	if (query.mode != DR_ADMIT_FULL)
		return DR_REQ_WAIT;
	if (dr_bound_refers(req)) /* to something of one organisation: which is it? */
		dr_bound_ask(req);
	else
		take_early(req);
	return DR_REQ_WAIT;
}

/* The key is good. What is wrong with the rest leaves its id among the account's last
 * ones. */
static enum dr_req_state
check_body(struct dr_request *req)
{
	enum dr_req_state next =
	    !req->admitted && dr_endpoint_is_servable(req) && is_unrecorded(req)
		? dr_fail(req, DR_ERR_UNRECORDED)
		: dr_endpoint_check_body(req);

	if (req->err != DR_OK && !req->admitted)
		dr_admission_note(req->gw->admission, &req->key, req->id,
		    req->facts.model, dr_error_info(req->err)->status,
		    dr_error_info(req->err)->name);
	return next;
}

static void
on_admitted(struct dr_ticket *ticket, enum dr_error err)
{
	struct dr_request *req = DR_CONTAINER_OF(ticket, struct dr_request, ticket);

	DR_CHECK(req, DR_REQUEST_MAGIC);
	req->admit_pending = false;
	dr_metrics_admitted(req);
	req->admitted = err == DR_OK && req->admit_mode == DR_ADMIT_FULL;
	if (err != DR_OK)
		dr_request_go(req, dr_endpoint_refuse(req, err));
	else if (req->handler->kind == DR_HANDLER_LOCAL)
		req->handler->answer(req);
	else
		dr_request_go(req, check_body(req));
}

/* ---- ROUTE ---- */

static void on_taken(struct dr_provider_lease *lease, enum dr_error err);
static void on_pause_over(struct dr_timer *timer);

static void
take(struct dr_request *req, struct dr_provider *provider)
{
	req->taking = true;
	dr_provider_take(
	    req->gw->providers, &req->up.lease, provider, req->id, on_taken);
}

static enum dr_req_state
step_route(struct dr_request *req)
{
	struct dr_provider *provider;
	enum dr_error err;
	int64_t wait_ms = -1;

	if (req->leased && dr_retry_keeps(req))
		return DR_REQ_SEND;
	req->leased = false;
	if (req->taking || dr_bound_waits(req))
		return DR_REQ_WAIT;
	if (req->bound.failed)
		return dr_fail(req, DR_ERR_STORE_DOWN);
	err = dr_request_choose(req, false, &provider, &wait_ms);
	if (err == DR_OK && !dr_retry_allowed(req)) /* out of attempts, or of time */
		err = dr_retry_failure(req);
	else if (err == DR_OK) {
		take(req, provider);
		return DR_REQ_WAIT;
	} else if (dr_retry_allowed(req) &&
		   dr_retry_same(req, wait_ms, on_pause_over)) {
		return DR_REQ_WAIT;
	}
	if (dr_retry_fallback(req, err))
		return DR_REQ_ROUTE;
	return dr_retry_give_up(req, err, wait_ms);
}

static void
on_pause_over(struct dr_timer *timer)
{
	struct dr_request *req = DR_CONTAINER_OF(timer, struct dr_request, pause);

	struct dr_provider *provider;
	int64_t wait_ms;
	enum dr_error err;

	DR_CHECK(req, DR_REQUEST_MAGIC);
	err = dr_request_choose(req, true, &provider, &wait_ms);
	if (err == DR_OK)
		take(req, provider);
	else
		dr_request_go(req, dr_retry_fallback(req, err)
				       ? DR_REQ_ROUTE
				       : dr_retry_give_up(req, err, wait_ms));
}

static void
on_taken(struct dr_provider_lease *lease, enum dr_error err)
{
	struct dr_request *req = DR_CONTAINER_OF(lease, struct dr_request, up.lease);

	DR_CHECK(req, DR_REQUEST_MAGIC);
	req->taking = false;
	if (err == DR_ERR_FULL)
		dr_retry_note(req, lease->provider, DR_OUTCOME_FULL);
	else if (err != DR_OK && req->state != DR_REQ_ROUTE)
		return; /* the early one failed: ROUTE takes again */
	else if (err == DR_ERR_OFFLINE)
		dr_log_trace(request, "%s: another process probes", req->id);
	else if (err != DR_OK)
		(void)dr_fail(req, err);
	else
		req->leased = true;
	if (req->state != DR_REQ_ROUTE)
		return; /* admission has still to say its word */
	dr_request_go(req, req->err != DR_OK ? DR_REQ_ANSWER : DR_REQ_ROUTE);
}

/* ---- SEND, RELAY: the attempt's and the relay's callbacks go on ---- */

static enum dr_req_state
step_send(struct dr_request *req)
{
	req->leased = false;
	dr_attempt_start(req);
	return DR_REQ_WAIT;
}

static enum dr_req_state
step_relay(struct dr_request *req)
{
	bool whole = req->up.tap == NULL && req->up.ended;

	dr_relay_begin(req);
	return whole ? DR_REQ_SETTLE : DR_REQ_WAIT;
}

/* ---- ANSWER ---- */

static enum dr_req_state
step_answer(struct dr_request *req)
{
	DR_ASSERT(req->err != DR_OK);
	dr_reply_error(req);
	return DR_REQ_SETTLE;
}

/* ---- SETTLE, DONE ---- */

/* Stop whatever still runs: legal in every state. */
static void
cancel_all(struct dr_request *req)
{
	if (req->admit_pending)
		dr_admission_cancel(req->gw->admission, &req->ticket);
	req->admit_pending = false;
	dr_timer_stop(&req->pause);
	dr_timer_stop(&req->keepalive);
	dr_drain_end(req);
	dr_bound_cancel(req);
	dr_attempt_stop(req);
	req->taking = req->leased = false;
	if (req->cancel_local != NULL)
		req->cancel_local(req->local);
	req->cancel_local = NULL;
	dr_session_cancel(req->session_read);
}

static enum dr_req_state
step_settle(struct dr_request *req)
{
	int64_t charge;

	cancel_all(req);
	req->ended_ms = dr_clock_ms();
	charge = dr_settle(req);
	dr_access_log_write(req->gw->access_log, req, charge);
	dr_metrics_request(req, charge);
	if (req->edge != NULL) {
		if (req->broken)
			dr_fcgi_break(&req->edge);
		else
			dr_fcgi_end(&req->edge);
	}
	return DR_REQ_DONE;
}

static void
reap(struct dr_deferred *work)
{
	struct dr_request *req = DR_CONTAINER_OF(work, struct dr_request, reap);

	DR_CHECK(req, DR_REQUEST_MAGIC);
	DR_ASSERT(req->state == DR_REQ_DONE);
	DR_ASSERT(req->up.transfer == NULL); /* else curl calls into freed memory */
	DR_ASSERT(!req->admitted);           /* else a booking leaks */
	for (unsigned i = 0; i < req->n_tried; i++) {
		struct dr_provider *provider =
		    (struct dr_provider *)req->tried[i].provider;

		dr_provider_unref(&provider);
	}
	for (unsigned i = 0; i < req->n_attempts; i++)
		free(req->attempts[i].why);
	dr_tap_free(&req->up.tap);
	dr_ticket_fini(&req->ticket);
	dr_strbuf_fini(&req->answer);
	dr_strbuf_fini(&req->raw_usage);
	dr_strbuf_fini(&req->more_head);
	dr_config_unref(&req->config);
	free(req->long_message);
	free(req->provider_text);
	free(req->local);
	free(req->session_read);
	dr_list_remove(&req->node);
	req->gw->n_requests--;
	DR_FREE(req);
}

/* Freed at the end of the turn: callbacks may still stand on it. */
static enum dr_req_state
step_done(struct dr_request *req)
{
	dr_deferred_init(&req->reap, reap);
	dr_loop_defer(req->gw->loop, &req->reap);
	return DR_REQ_WAIT;
}

/* ---- from outside ---- */

void
dr_request_gone(void *request)
{
	struct dr_request *req = request;

	DR_CHECK(req, DR_REQUEST_MAGIC);
	req->edge = NULL; /* nobody is left to answer */
	if (req->state >= DR_REQ_SETTLE)
		return;
	if (req->err == DR_OK) {
		req->err = DR_ERR_CLIENT_GONE;
		req->ended_in = req->state;
		if (!req->head_sent)
			req->status = dr_error_info(DR_ERR_CLIENT_GONE)->status;
	}
	if (!dr_drain_begin(req))
		dr_request_go(req, DR_REQ_SETTLE);
}

void
dr_request_shutdown(struct dr_request *req)
{
	DR_CHECK(req, DR_REQUEST_MAGIC);
	if (req->state >= DR_REQ_ANSWER)
		return;
	cancel_all(req);
	if (!req->head_sent)
		dr_tap_free(
		    &req->up.tap); /* no byte of it went out: nothing to charge */
	dr_request_fail(req, DR_ERR_SHUTDOWN);
}
