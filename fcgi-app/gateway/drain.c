/*
 * drain - see the header. Only an answer whose head is out is drained: before that
 * nothing would be charged. What was told is what counts: once the dialect's end was
 * seen there is nothing more to learn.
 */
#include "gateway/drain.h"

#include "base/limits.h"
#include "gateway/gateway.h"

static bool
is_worth_it(const struct dr_request *req)
{
	const struct dr_exchange *up = &req->up;

	return req->state == DR_REQ_RELAY && req->admitted && up->transfer != NULL &&
	       !up->ended && (up->tap == NULL || !dr_tap_state(up->tap)->complete);
}

static void
on_time_over(struct dr_timer *timer)
{
	struct dr_request *req = DR_CONTAINER_OF(timer, struct dr_request, drain.timer);

	DR_CHECK(req, DR_REQUEST_MAGIC);
	dr_request_go(req, DR_REQ_SETTLE);
}

bool
dr_drain_begin(struct dr_request *req)
{
	const struct dr_settings *s = req->config->settings;
	struct dr_gateway *gw = req->gw;

	if (s->drain_on_abort == 0 || gw->draining || !is_worth_it(req) ||
	    gw->n_drains >= (size_t)s->drain_most)
		return false;
	gw->n_drains++;
	req->drain.began = req->drain.runs = true;
	dr_timer_stop(&req->keepalive);
	dr_timer_init(&req->drain.timer, gw->loop, on_time_over);
	dr_timer_start(&req->drain.timer, (uint64_t)s->drain_on_abort);
	dr_admission_free_slot(gw->admission, &req->ticket);
	dr_relay_drained(req); /* nobody is too slow any more */
	return true;
}

bool
dr_drain_bytes(struct dr_request *req, size_t len)
{
	if (!req->drain.runs)
		return true;
	req->drain.bytes += len;
	if (req->drain.bytes <= DR_MAX_DRAIN_BYTES)
		return true;
	dr_request_go(req, DR_REQ_SETTLE);
	return false;
}

void
dr_drain_end(struct dr_request *req)
{
	if (!req->drain.runs)
		return;
	DR_ASSERT(req->gw->n_drains > 0);
	req->gw->n_drains--;
	req->drain.runs = false;
	dr_timer_stop(&req->drain.timer);
}

/* A stream's end may have been told, and the time be over before the connection closed.
 */
static bool
is_read_to_its_end(const struct dr_request *req)
{
	if (req->up.tap != NULL)
		return dr_tap_state(req->up.tap)->complete;
	return req->attempts[req->n_attempts - 1].outcome == DR_OUTCOME_OK;
}

const char *
dr_drain_said(const struct dr_request *req)
{
	if (!req->drain.began)
		return "not drained";
	return is_read_to_its_end(req) ? "drained" : "cut";
}
