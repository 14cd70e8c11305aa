/*
 * relay - a provider's answer on its way to the client.
 *
 * A stream goes through at once: the tap hands on whole events and listens; its head is
 * held back only until the first event is known not to be an error (or, with
 * first_token_timeout, until the first token), so that until then another provider can
 * still be asked. A unary answer arrives here whole (or, above the ceiling, with a
 * known length). Back-pressure: above DR_OUT_HIGH_WATER unsent bytes the transfer is
 * paused, below DR_OUT_LOW_WATER it goes on.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/bound.h"
#include "gateway/drain.h"
#include "gateway/gateway.h"
#include "gateway/metrics_request.h"
#include "gateway/request.h"
#include "gateway/settlement.h"

#define TAIL_BYTES (16 * 1024) /* of a long unary answer, kept for its usage block */
#define LINGER_MS  2000 /* from a stream's last event to the provider's own end */

/* The next bytes within idle_timeout. Once all is said only the end is to come, and
 * neither the caller nor its slot waits long for that. */
static void
await_bytes(struct dr_request *req)
{
	uint64_t ms = (uint64_t)req->config->settings->idle_timeout;

	if (req->up.tap != NULL && dr_tap_state(req->up.tap)->complete &&
	    ms > LINGER_MS)
		ms = LINGER_MS;
	dr_timer_start(&req->up.timer, ms);
}

/* ---- back-pressure ---- */

static void
hold_back(struct dr_request *req)
{
	if (req->paused || req->edge == NULL || req->up.transfer == NULL ||
	    dr_fcgi_unsent(req->edge) < DR_OUT_HIGH_WATER)
		return;
	req->paused = true;
	dr_timer_stop(
	    &req->up.timer); /* the silence is the client's, not the provider's */
	dr_http_pause(req->up.transfer);
}

void
dr_relay_drained(void *request)
{
	struct dr_request *req = request;

	DR_CHECK(req, DR_REQUEST_MAGIC);
	if (req->drained_local != NULL && req->state < DR_REQ_SETTLE)
		req->drained_local(req->local);
	if (!req->paused)
		return;
	req->paused = false;
	if (req->up.transfer == NULL)
		return;
	await_bytes(req);
	dr_http_resume(req->up.transfer);
}

/* ---- silence of the provider, told to whatever sits between us and the client ---- */

static void
on_keepalive(struct dr_timer *timer)
{
	struct dr_request *req = DR_CONTAINER_OF(timer, struct dr_request, keepalive);

	DR_CHECK(req, DR_REQUEST_MAGIC);
	if (req->up.tap == NULL || dr_tap_state(req->up.tap)->mid_event)
		return;
	dr_reply_body(req, ": keep-alive\n\n", 14);
	dr_timer_start(timer, (uint64_t)req->config->settings->keepalive_comment);
}

static void
keep_alive(struct dr_request *req)
{
	if (req->config->settings->keepalive_comment > 0 && req->edge != NULL)
		dr_timer_start(&req->keepalive,
		    (uint64_t)req->config->settings->keepalive_comment);
}

/* ---- streams ---- */

/* What goes to the client: held until the head may go out. */
static void
emit(void *arg, const char *bytes, size_t len)
{
	struct dr_request *req = arg;

	if (req->up.rename != NULL)
		dr_strbuf_add(&req->up.slices, bytes, len);
	else if (req->head_sent)
		dr_reply_body(req, bytes, len);
	else
		dr_strbuf_add(&req->up.held, bytes, len);
}

/* The tap has told what it had to: with the slices together its events are whole. */
static void
emit_renamed(struct dr_request *req)
{
	struct dr_exchange *up = &req->up;
	struct dr_strbuf renamed;

	if (up->rename == NULL || up->slices.len == 0)
		return;
	dr_strbuf_init(&renamed, 2 * up->slices.len + DR_MAX_UNARY_BYTES);
	dr_rename_events(
	    up->slices.data, up->slices.len, up->rename, req->model->name, &renamed);
	dr_strbuf_clear(&up->slices);
	if (req->head_sent)
		dr_reply_body(req, renamed.data, renamed.len);
	else
		dr_strbuf_add(&up->held, renamed.data, renamed.len);
	dr_strbuf_fini(&renamed);
}

/* What is held of a unary answer says the caller's name of the model again. */
static void
rename_held(struct dr_request *req)
{
	struct dr_exchange *up = &req->up;
	struct dr_strbuf renamed;

	if (up->rename == NULL)
		return;
	dr_strbuf_init(&renamed, 2 * DR_MAX_UNARY_BYTES);
	dr_strbuf_reserve(&renamed, up->held.len + 64);
	dr_rename_answer(
	    up->held.data, up->held.len, up->rename, req->model->name, &renamed);
	if (up->content_length >=
	    0) /* the length of a long one is told before its end */
		up->content_length += (int64_t)renamed.len - (int64_t)up->held.len;
	dr_strbuf_fini(&up->held);
	up->held = renamed;
}

void
dr_relay_tap(struct dr_request *req)
{
	bool strip =
	    req->handler->dialect == DR_DIALECT_CHAT && req->facts.include_usage != 1;

	DR_ASSERT(req->up.tap == NULL);
	req->up.tap = dr_tap_new(req->handler->dialect, strip, emit, req);
}

static bool
head_may_go(const struct dr_request *req, const struct dr_tap_state *tap)
{
	if (tap->error_first)
		return false;
	/* more than an event's worth is held: it is no short error event */
	if (req->up.held.len > DR_MAX_EVENT_HOLD || tap->mid_event)
		return true;
	if (req->config->settings->first_token_timeout > 0)
		return tap->token_seen || tap->complete;
	return tap->decided;
}

/* The head, then what was held. The body is not needed any more: no other attempt
 * follows. */
static void
send_stream_head(struct dr_request *req)
{
	dr_timer_stop(&req->up.failover);
	dr_reply_head(req, 200, "text/event-stream; charset=utf-8", -1,
	    "cache-control: no-cache\r\nx-accel-buffering: no\r\n");
	dr_reply_body(req, req->up.held.data, req->up.held.len);
	dr_strbuf_fini(&req->up.held);
	dr_fcgi_drop_body(req->edge);
	dr_fcgi_drop_params(req->edge);
	dr_timer_init(&req->keepalive, req->gw->loop, on_keepalive);
	await_bytes(req); /* from here on only silence ends it */
}

/* The stream opened with an error: as if the head had said so. */
static void
opened_with_error(struct dr_request *req, const struct dr_tap_state *tap)
{
	enum dr_outcome outcome =
	    tap->error.fault == DR_FAULT_OVERLOADED ? DR_OUTCOME_OVERLOADED
	    : tap->error.fault == DR_FAULT_ACCOUNT  ? DR_OUTCOME_AUTH
						    : DR_OUTCOME_SERVER;
	bool callers = tap->error.fault == DR_FAULT_CALLER;
	char why[DR_ATTEMPT_WHY];

	snprintf(
	    why, sizeof why, "opened with %s: %s", tap->error.type, tap->error.message);
	if (outcome == DR_OUTCOME_SERVER) /* else it concerns the provider's account */
		dr_attempt_note_text(req, tap->error.message);
	else
		snprintf(why, sizeof why, "opened with %s", tap->error.type);
	if (callers) { /* asking elsewhere would not help: pass the event on */
		dr_request_go(req, DR_REQ_RELAY);
		return;
	}
	dr_tap_free(&req->up.tap);
	dr_attempt_finish(req, outcome, why);
	dr_request_go(req, DR_REQ_ROUTE);
}

static void
relay_stream_bytes(struct dr_request *req, const char *bytes, size_t len)
{
	const struct dr_tap_state *tap = dr_tap_state(req->up.tap);
	bool begun = tap->token_seen, all_said = tap->complete;

	dr_tap_feed(req->up.tap, bytes, len);
	tap = dr_tap_state(req->up.tap);
	if (tap->token_seen && !begun)
		dr_provider_note_first(
		    req->up.lease.provider, true, dr_clock_ms() - req->up.started_ms);
	emit_renamed(req);
	if (req->head_sent)
		dr_bound_note_stream(req);
	else {
		if (tap->error_seen && !tap->token_seen && !tap->complete)
			opened_with_error(req, tap);
		else if (head_may_go(req, tap))
			dr_request_go(req, DR_REQ_RELAY);
		return;
	}
	dr_cost_so_far(req);
	if (tap->complete && !all_said)
		await_bytes(req);
	hold_back(req);
	keep_alive(req);
}

/* ---- steps of RELAY ---- */

/* RELAY is entered: the answer is worth passing on. */
void
dr_relay_begin(struct dr_request *req)
{
	struct dr_exchange *up = &req->up;

	if (up->tap != NULL) {
		/* a good head says enough of the provider: a half-open circuit need not
		 * wait for the end */
		dr_providers_outcome(req->gw->providers, up->lease.provider,
		    DR_OUTCOME_OK, -1, up->started_ms);
		dr_bound_note_stream(req);
		send_stream_head(req);
		keep_alive(req);
		dr_cost_so_far(req);
		hold_back(req);
		return;
	}
	dr_bound_note_answer(req, up->held.data, up->held.len);
	rename_held(req);
	if (up->ended) { /* a whole unary answer */
		req->estimated = !dr_usage_of_answer(req->handler->dialect,
		    up->held.data, up->held.len, &req->usage, &req->raw_usage);
		dr_reply_head(
		    req, up->status, "application/json", (int64_t)up->held.len, "");
	} else {                       /* a very long one, its length known */
		req->estimated = true; /* until its end tells; searches stand first */
		(void)dr_usage_of_answer(req->handler->dialect, up->held.data,
		    up->held.len, &req->usage, NULL);
		await_bytes(req);
		dr_reply_head(
		    req, up->status, "application/json", up->content_length, "");
	}
	dr_reply_body(req, up->held.data, up->held.len);
	dr_fcgi_drop_body(req->edge);
	if (!up->ended && up->held.len > TAIL_BYTES)
		dr_strbuf_consume(&up->held, up->held.len - TAIL_BYTES);
	if (up->ended)
		dr_attempt_finish(req, DR_OUTCOME_OK, "");
}

/* Of a long unary answer only its end is kept: that is where usage stands, in every
 * dialect. */
static void
keep_tail(struct dr_strbuf *tail, const char *bytes, size_t len)
{
	if (len > TAIL_BYTES) {
		bytes += len - TAIL_BYTES;
		len = TAIL_BYTES;
	}
	if (tail->len + len > 2 * TAIL_BYTES)
		dr_strbuf_consume(tail, tail->len - TAIL_BYTES);
	dr_strbuf_add(tail, bytes, len);
}

/* Where the object that begins at `at` ends (after its brace); 0: not within the text.
 */
static size_t
object_end(const char *text, size_t len, size_t at)
{
	unsigned depth = 0;
	bool in_string = false;

	for (size_t i = at; i < len; i++) {
		char c = text[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && c == '{')
			depth++;
		else if (!in_string && c == '}' && --depth == 0)
			return i + 1;
	}
	return 0;
}

/* The usage block near the end of a long unary answer. False: there is none to be
 * found. */
static bool
usage_of_tail(struct dr_request *req)
{
	static const char name[] = "\"usage\":";
	const struct dr_strbuf *tail = &req->up.held;
	struct dr_strbuf object;
	const char *found = NULL, *next = tail->data;
	int64_t searches = req->usage.web_searches; /* of its beginning */
	size_t at, end;
	bool ok;

	while ((next = memmem(next, tail->len - (size_t)(next - tail->data), name,
		    sizeof name - 1)) != NULL)
		found = next++;
	if (found == NULL)
		return false;
	at = (size_t)(found - tail->data) + sizeof name - 1;
	end = object_end(tail->data, tail->len, at);
	if (end == 0)
		return false;
	dr_strbuf_init(&object, 4 * TAIL_BYTES);
	dr_strbuf_addc(&object, '{');
	dr_strbuf_add(&object, found, end - (size_t)(found - tail->data));
	dr_strbuf_addc(&object, '}');
	ok = dr_usage_of_answer(req->handler->dialect, object.data, object.len,
	    &req->usage, &req->raw_usage);
	if (req->usage.web_searches < searches)
		req->usage.web_searches = searches;
	dr_strbuf_fini(&object);
	return ok;
}

void
dr_relay_bytes(struct dr_request *req, const char *bytes, size_t len)
{
	if (!dr_drain_bytes(req, len))
		return;
	if (req->up.tap != NULL) {
		dr_metrics_piece(req);
		relay_stream_bytes(req, bytes, len);
		return;
	}
	keep_tail(&req->up.held, bytes, len);
	dr_reply_body(req, bytes, len);
	hold_back(req);
}

static void
stream_ended(struct dr_request *req, enum dr_http_result result, const char *why)
{
	const struct dr_tap_state *tap = dr_tap_state(req->up.tap);

	if (result ==
	    DR_HTTP_OK) /* a broken one is not closed as if it had ended well */
		dr_tap_end(req->up.tap);
	emit_renamed(req);
	if (!req->head_sent && (tap->complete || tap->error_seen)) {
		if (!tap->complete && !tap->token_seen &&
		    tap->error.fault != DR_FAULT_CALLER) {
			opened_with_error(req, tap);
			return;
		}
		dr_request_go(req, DR_REQ_RELAY);
	}
	if (tap->complete) {
		dr_attempt_finish(req, DR_OUTCOME_OK, "");
		dr_request_go(req, DR_REQ_SETTLE);
	} else if (!req->head_sent) {
		dr_tap_free(&req->up.tap);
		dr_attempt_finish(
		    req, DR_OUTCOME_SERVER, "ended before its first event");
		dr_request_go(req, DR_REQ_ROUTE);
	} else if (tap->error_seen) { /* the client was told by the provider itself */
		dr_attempt_finish(req,
		    tap->error.fault == DR_FAULT_OVERLOADED ? DR_OUTCOME_OVERLOADED
							    : DR_OUTCOME_SERVER,
		    tap->error.message);
		if (req->err == DR_OK) {
			req->err = DR_ERR_PROVIDER_ERROR;
			req->ended_in = DR_REQ_RELAY;
		}
		dr_request_go(req, DR_REQ_SETTLE);
	} else {
		dr_attempt_finish(req, DR_OUTCOME_SERVER,
		    result == DR_HTTP_OK ? "ended before it was complete" : why);
		dr_request_fail(req, DR_ERR_PROVIDER_ERROR, "Provider error");
	}
}

void
dr_relay_ended(struct dr_request *req, enum dr_http_result result, const char *why)
{
	if (req->up.tap != NULL) {
		stream_ended(req, result, why);
	} else if (result == DR_HTTP_OK) {
		req->estimated = !usage_of_tail(req);
		dr_attempt_finish(req, DR_OUTCOME_OK, "");
		dr_request_go(req, DR_REQ_SETTLE);
	} else { /* Content-Length tells the client that it is cut: nothing may be added
		  */
		dr_attempt_finish(req, DR_OUTCOME_SERVER, why);
		if (req->err == DR_OK)
			req->err = DR_ERR_PROVIDER_ERROR;
		req->broken = true;
		dr_request_go(req, DR_REQ_SETTLE);
	}
}
