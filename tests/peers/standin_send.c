/*
 * standin_send - carry out a plan: head, body, pauses, and the trouble in between.
 *
 * The body's bytes pass three places: what the dialect makes (`payload`), what the plan
 * lets through of it (pieces, cuts), and what goes over the wire (`out`, with chunk
 * sizes). Everything that is ready at one moment leaves in one write.
 */
#include "standin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

#define BATCH       (32 * 1024) /* payload gathered before it is written */
#define KEEP_BUFFER (16 * 1024) /* larger ones are given back when empty */

static const char filler[] =
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

static void
add_filler(struct dr_strbuf *out, size_t n)
{
	dr_strbuf_reserve(out, n);
	while (n > 0) {
		size_t step = n < sizeof filler - 1 ? n : sizeof filler - 1;

		dr_strbuf_add(out, filler, step);
		n -= step;
	}
}

/* ---- the head ---- */

static const char *
reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 302:
		return "Found";
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 429:
		return "Too Many Requests";
	case 500:
		return "Internal Server Error";
	default:
		return "Whatever";
	}
}

/*
 * What real providers add about their account and their edge, which is nobody's
 * business behind a gateway: its allow-list of headers has something to drop.
 */
static void
add_provider_headers(struct conn *conn)
{
	char id[40];

	snprintf(id, sizeof id, "req_standin%08llx", (unsigned long long)conn->serial);
	if (conn->req.route == ROUTE_CHAT || conn->req.route == ROUTE_RESPONSES)
		dr_strbuf_addf(&conn->out,
		    "x-request-id: %s\r\nopenai-organization: org-standin\r\n"
		    "openai-processing-ms: 12\r\nx-ratelimit-remaining-requests: 9999\r\n",
		    id);
	else
		dr_strbuf_addf(&conn->out,
		    "request-id: %s\r\nanthropic-organization-id: org-standin\r\n"
		    "anthropic-ratelimit-requests-remaining: 9999\r\n",
		    id);
	dr_strbuf_adds(&conn->out, "set-cookie: __standin=secret; path=/\r\n");
}

void
standin_head(struct conn *conn, uint64_t payload_len)
{
	const struct plan *plan = &conn->plan;

	if (plan->informational != 0)
		dr_strbuf_addf(&conn->out,
		    "HTTP/1.1 %d Wait\r\nlink: </x>; rel=x\r\n\r\n",
		    plan->informational);
	dr_strbuf_addf(
	    &conn->out, "HTTP/1.1 %d %s\r\n", plan->status, reason(plan->status));
	if (plan->type[0] != '\0')
		dr_strbuf_addf(&conn->out, "content-type: %s\r\n", plan->type);
	add_provider_headers(conn);
	dr_strbuf_add(&conn->out, plan->header.data, plan->header.len);
	for (size_t left = plan->head_filler; left > 0;) {
		size_t step = left < 4000 ? left : 4000;

		dr_strbuf_adds(&conn->out, "x-filler: ");
		add_filler(&conn->out, step);
		dr_strbuf_adds(&conn->out, "\r\n");
		left -= step;
	}
	if (plan->framing == FRAME_CHUNKED)
		dr_strbuf_adds(&conn->out, "transfer-encoding: chunked\r\n");
	else if (plan->framing == FRAME_LENGTH)
		dr_strbuf_addf(&conn->out, "content-length: %lld\r\n",
		    (long long)payload_len + (long long)plan->length_extra);
	if (plan->framing == FRAME_CLOSE || !conn->req.keep_alive)
		dr_strbuf_adds(&conn->out, "connection: close\r\n");
	dr_strbuf_adds(&conn->out, "\r\n");
}

/* ---- writing ---- */

enum flushed { FLUSHED, BLOCKED, BROKEN };

static enum flushed
flush(struct conn *conn)
{
	while (conn->out_at < conn->out.len) {
		ssize_t n = send(conn->fd, conn->out.data + conn->out_at,
		    conn->out.len - conn->out_at, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? BLOCKED : BROKEN;
		conn->out_at += (size_t)n;
		conn->wire_bytes += (uint64_t)n;
		if (conn->first_ms == 0)
			conn->first_ms = standin_now_ms();
	}
	conn->out_at = 0;
	if (conn->out.size > KEEP_BUFFER)
		dr_strbuf_fini(&conn->out);
	else
		dr_strbuf_clear(&conn->out);
	return FLUSHED;
}

/* Frame `n` bytes of the payload and take them off it. */
static void
frame(struct conn *conn, size_t n)
{
	bool chunked = conn->plan.framing == FRAME_CHUNKED;

	if (n == 0)
		return;
	if (chunked && conn->plan.bad_chunk)
		dr_strbuf_adds(&conn->out, "xyzzy\r\n");
	else if (chunked)
		dr_strbuf_addf(&conn->out, "%zx\r\n", n);
	dr_strbuf_add(&conn->out, conn->payload.data, n);
	if (chunked)
		dr_strbuf_adds(&conn->out, "\r\n");
	conn->payload_bytes += n;
	if (n == conn->payload.len && conn->payload.size > KEEP_BUFFER)
		dr_strbuf_fini(&conn->payload);
	else
		dr_strbuf_consume(&conn->payload, n);
}

/* ---- the body ---- */

/* Before event `i`: how long, and because of what? */
static int64_t
pause_before(struct conn *conn, int64_t i)
{
	const struct plan *plan = &conn->plan;
	int64_t delta = standin_delta_of(conn, i);

	/* The first delta follows its opening at once; the pauses lie between. */
	if (i == 0)
		return plan->first_ms;
	return delta > 0 ? plan->gap_ms : 0;
}

enum made { MADE_MORE, MADE_PAUSE, MADE_STALL };

/* What a plan does instead of, or before, event `i`. True: the event is dealt with. */
static bool
trouble_at(struct conn *conn, int64_t i)
{
	const struct plan *plan = &conn->plan;

	if (i == plan->cut_events) {
		conn->ended = conn->cut = true;
	} else if (i == plan->early_events) {
		conn->ended = true;
	} else if (i == plan->error_event) {
		standin_error_event(conn, &conn->payload);
		conn->ended = true;
	} else if (i == plan->malformed_event) {
		standin_sse(plan, &conn->payload, "content_block_delta",
		    "{\"type\":\"content_block_delta\",\"delta\":{\"te", 42);
		conn->event++;
	} else if (i == plan->huge_event || i == plan->line_event) {
		bool whole = i == plan->huge_event;

		dr_strbuf_adds(&conn->payload,
		    "event: standin_filler\ndata: {\"type\":\"standin_filler\",\"text\":\"");
		conn->filler_left = plan->filler;
		if (whole)
			dr_strbuf_adds(&conn->suffix, "\"}\n\n");
		else
			conn->ended = true; /* a line that nobody ends */
		conn->event++;
	} else {
		return false;
	}
	return true;
}

/* Make the next event, unless its time has not come. */
static enum made
make_event(struct conn *conn)
{
	int64_t i = conn->event, wait;

	if (i == conn->plan.stall_events)
		return MADE_STALL;
	wait = conn->pause_over ? 0 : pause_before(conn, i);
	if (wait > 0 && conn->plan.piece > 0 && conn->payload.len > 0)
		return MADE_PAUSE; /* the timer belongs to the pieces until they are out
				    */
	if (wait > 0) {
		standin_timer_start(&conn->timer, (uint64_t)wait);
		conn->pausing = true;
		return MADE_PAUSE;
	}
	conn->pause_over = false;
	if (trouble_at(conn, i))
		return MADE_MORE;
	if (standin_event(conn, i, &conn->payload))
		conn->event++;
	else
		conn->ended = true;
	return MADE_MORE;
}

/* Gather payload until there is a batch, a pause, or an end. */
static enum made
make_payload(struct conn *conn)
{
	while (conn->payload.len < BATCH) {
		if (conn->filler_left > 0) {
			size_t step = conn->filler_left < 2 * BATCH
					  ? (size_t)conn->filler_left
					  : 2 * BATCH;

			add_filler(&conn->payload, step);
			conn->filler_left -= (int64_t)step;
		} else if (conn->suffix.len > 0) {
			dr_strbuf_add(
			    &conn->payload, conn->suffix.data, conn->suffix.len);
			dr_strbuf_clear(&conn->suffix);
		} else if (conn->ended) {
			break;
		} else if (!conn->plan.sse) {
			conn->ended = true;
		} else {
			enum made made = make_event(conn);

			if (made != MADE_MORE)
				return made;
		}
	}
	return MADE_MORE;
}

/* Frame what the plan lets through. True: this was the last of it. */
static bool
let_through(struct conn *conn)
{
	const struct plan *plan = &conn->plan;
	size_t n = conn->payload.len;

	if (plan->piece > 0 && n > (size_t)plan->piece)
		n = (size_t)plan->piece;
	if (plan->cut_bytes != NEVER &&
	    conn->payload_bytes + n >= (uint64_t)plan->cut_bytes) {
		frame(conn, (size_t)((uint64_t)plan->cut_bytes - conn->payload_bytes));
		conn->cut = true;
		return true;
	}
	frame(conn, n);
	return conn->ended && conn->payload.len == 0 && conn->filler_left == 0 &&
	       conn->suffix.len == 0;
}

/* One step of the body. False: wait for the timer, or for ever. */
static bool
step_body(struct conn *conn)
{
	enum made made = MADE_MORE;

	/* While pieces go out one by one, nothing is made ahead of its pauses. */
	if (conn->plan.piece == 0 || conn->payload.len == 0)
		made = make_payload(conn);
	if (let_through(conn)) {
		if (conn->plan.framing == FRAME_CHUNKED && !conn->cut &&
		    conn->plan.ending == END_CLEAN)
			dr_strbuf_adds(&conn->out, "0\r\n\r\n");
		conn->phase = PHASE_LAST;
		return true;
	}
	if (conn->timer.slot != 0 || (made == MADE_STALL && conn->payload.len == 0))
		return false;
	if (conn->plan.piece_ms > 0) {
		standin_timer_start(&conn->timer, (uint64_t)conn->plan.piece_ms);
		return false;
	}
	return true;
}

/* The head, and for answers of known length the body beside it. */
static bool
step_head(struct conn *conn)
{
	struct plan *plan = &conn->plan;

	if (plan->silent)
		return false;
	if (plan->head_ms > 0) {
		standin_timer_start(&conn->timer, (uint64_t)plan->head_ms);
		plan->head_ms = 0;
		return false;
	}
	if (plan->raw != NULL) {
		dr_strbuf_adds(&conn->out, plan->raw);
		conn->cut = true;
		conn->phase = PHASE_LAST;
		return true;
	}
	if (plan->refuse == BEFORE_HEAD) {
		conn->cut = true;
		conn->phase = PHASE_LAST;
		return true;
	}
	if (!plan->sse || plan->gzip)
		standin_answer(conn, &conn->payload);
	standin_head(
	    conn, conn->payload.len + (uint64_t)conn->filler_left + conn->suffix.len);
	if (plan->refuse == MID_HEAD) {
		conn->out.len /= 2;
		conn->cut = true;
		conn->phase = PHASE_LAST;
		return true;
	}
	conn->phase = PHASE_BODY;
	return true;
}

/* Everything is written. True: the connection goes on with the next request. */
static bool
step_last(struct conn *conn)
{
	enum ending ending = conn->plan.ending;
	bool keep;

	if (conn->cut && ending == END_CLEAN)
		ending = END_CLOSE;
	standin_log_end(conn, ending == END_RESET   ? "reset"
			      : ending == END_CLOSE ? "cut"
						    : "complete");
	keep = ending == END_CLEAN && conn->req.keep_alive &&
	       conn->plan.framing != FRAME_CLOSE;
	if (!keep)
		standin_conn_close(conn, ending == END_RESET);
	return keep;
}

void
standin_send(struct conn *conn)
{
	/* The timer that brought us here has ended the pause before the next event. */
	if (conn->pausing && conn->timer.slot == 0) {
		conn->pausing = false;
		conn->pause_over = true;
	}
	for (;;) {
		bool go_on = false;
		enum flushed flushed;

		if (conn->timer.slot == 0 && conn->out.len == 0) {
			if (conn->phase == PHASE_HEAD)
				go_on = step_head(conn);
			if (conn->phase == PHASE_BODY)
				go_on = step_body(conn);
		} else if (conn->timer.slot == 0) {
			/* What a slow reader left: no other event tells that there is
			 * room once it is written. */
			go_on = true;
		}
		flushed = flush(conn);
		if (flushed == BROKEN) {
			standin_counters.client_gone++;
			standin_log_end(conn, "client-gone");
			standin_conn_close(conn, false);
			return;
		}
		if (flushed == BLOCKED)
			return;
		if (conn->phase == PHASE_LAST) {
			if (step_last(conn))
				standin_conn_done(conn);
			return;
		}
		if (!go_on)
			return;
	}
}
