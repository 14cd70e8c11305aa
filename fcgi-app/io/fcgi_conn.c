/*
 * fcgi_conn - one connection of the web server: bytes in, gathered output out, the end.
 *
 * What it is for: reading without a buffer of its own, one write a turn for all that
 * was gathered, and closing in a way that loses no answer. What it is not: it does not
 * know what a record means (fcgi_records), nor accept (fcgi_server). It relies on
 * sockets that never block, and on the end of the loop turn to write and to free.
 */
#include "io/fcgi_conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/fcgi_internal.h"

#define READS_A_TURN     4 /* of full buffers; then others get theirs */
#define OUT_MAX          (64 * 1024 * 1024) /* unsent; back-pressure comes long before */
#define OUT_KEPT         4096   /* an empty buffer up to this size is kept ... */
#define OUT_KEPT_RUNNING 1024   /* ... in the middle of an answer: events fit */
#define LINGER_MS        10000  /* for a peer still sending a refused body */
#define STALL_MS         120000 /* for one that reads none of an ended answer */

static const char *const state_name[] = {
	[DR_FCGI_CONN_OPEN] = "OPEN",
	[DR_FCGI_CONN_FLUSHING] = "FLUSHING",
	[DR_FCGI_CONN_LINGERING] = "LINGERING",
	[DR_FCGI_CONN_CLOSED] = "CLOSED",
};

static void
set_state(struct dr_fcgi_conn *conn, enum dr_fcgi_conn_state next)
{
	DR_ASSERT(conn->state < next); /* there is no way back */
	dr_log_trace(fcgi, "fd %d: %s -> %s", conn->fd, state_name[conn->state],
	    state_name[next]);
	conn->state = next;
}

void
dr_fcgi_conn_at_turn_end(struct dr_fcgi_conn *conn)
{
	dr_loop_defer(conn->server->loop, &conn->turn_end);
}

/* ---- the end of a connection ---- */

static void
drop_output(struct dr_fcgi_conn *conn)
{
	dr_strbuf_fini(&conn->out);
	conn->out_start = 0;
	conn->open_record = 0;
}

static void
close_now(struct dr_fcgi_conn *conn)
{
	DR_ASSERT(conn->req == NULL); /* whose receiver would never learn of it */
	set_state(conn, DR_FCGI_CONN_CLOSED);
	dr_timer_stop(&conn->patience);
	dr_io_free(&conn->io);
	close(conn->fd);
	conn->fd = -1;
	drop_output(conn);
	conn->server->n_conns--;
	dr_fcgi_conn_at_turn_end(conn);
	dr_fcgi_room(conn->server);
}

static void
destroy(struct dr_fcgi_conn *conn)
{
	dr_list_remove(&conn->node);
	dr_deferred_cancel(&conn->turn_end);
	dr_strbuf_fini(&conn->control);
	DR_FREE(conn);
}

void
dr_fcgi_conn_drop_request(struct dr_fcgi_conn *conn)
{
	struct dr_fcgi_request *req = conn->req;

	if (req == NULL)
		return;
	conn->req = NULL;
	conn->was_high = false;
	conn->open_record = 0;
	if (req->phase == DR_FCGI_RUNS) {
		req->phase = DR_FCGI_GONE;
		conn->server->options.on_gone(req->arg);
	}
	dr_fcgi_request_free(&req);
}

void
dr_fcgi_conn_lose(struct dr_fcgi_conn *conn)
{
	DR_CHECK(conn, DR_FCGI_CONN_MAGIC);
	dr_fcgi_conn_drop_request(conn);
	if (conn->state != DR_FCGI_CONN_CLOSED)
		close_now(conn);
}

static void
on_impatient(struct dr_timer *timer)
{
	struct dr_fcgi_conn *conn =
	    DR_CONTAINER_OF(timer, struct dr_fcgi_conn, patience);

	dr_fcgi_conn_lose(conn);
}

void
dr_fcgi_conn_finish(struct dr_fcgi_conn *conn, bool unread)
{
	conn->unread = unread;
	set_state(conn, DR_FCGI_CONN_FLUSHING);
	dr_fcgi_conn_at_turn_end(conn);
}

/* Between two requests, with not even the first byte of a record in. */
static bool
is_idle(const struct dr_fcgi_conn *conn)
{
	return conn->state == DR_FCGI_CONN_OPEN && conn->req == NULL &&
	       conn->reader.header_len == 0;
}

/*
 * A request the web server has already sent is still served; so is the first one of a
 * connection it has just opened, which for a POST it would not try elsewhere.
 */
void
dr_fcgi_conn_drain(struct dr_fcgi_conn *conn)
{
	char byte;

	DR_CHECK(conn, DR_FCGI_CONN_MAGIC);
	if (!is_idle(conn) || recv(conn->fd, &byte, 1, MSG_PEEK) > 0)
		return;
	if (conn->fresh)
		dr_timer_start(&conn->patience, LINGER_MS);
	else
		dr_fcgi_conn_finish(conn, false);
}

/* ---- output ---- */

/* False: the peer is gone. One call a turn; a short count means the socket is full. */
static bool
flush(struct dr_fcgi_conn *conn)
{
	ssize_t n;

	conn->open_record = 0;
	if (dr_fcgi_conn_unsent(conn) == 0)
		return true;
	do {
		n = send(conn->fd, conn->out.data + conn->out_start,
		    dr_fcgi_conn_unsent(conn), MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK;
	conn->out_start += (size_t)n;
	/* Moving bytes only when most are sent keeps a large answer's cost linear. */
	if (conn->out_start > conn->out.len / 2) {
		dr_strbuf_consume(&conn->out, conn->out_start);
		conn->out_start = 0;
	}
	if (conn->out.len == 0 &&
	    conn->out.size > (conn->req != NULL ? OUT_KEPT_RUNNING : OUT_KEPT))
		drop_output(conn);
	if (conn->req == NULL && dr_timer_running(&conn->patience))
		dr_timer_start(&conn->patience, STALL_MS);
	return true;
}

/* Closing with input unread resets the connection, and the peer may lose the answer. */
static void
linger(struct dr_fcgi_conn *conn)
{
	set_state(conn, DR_FCGI_CONN_LINGERING);
	shutdown(conn->fd, SHUT_WR);
	dr_timer_start(&conn->patience, LINGER_MS);
}

/* All output is sent: what that means for the connection. */
static void
after_flush(struct dr_fcgi_conn *conn)
{
	if (conn->server->stopping && is_idle(conn) && !conn->fresh)
		dr_fcgi_conn_finish(conn, false);
	if (conn->state != DR_FCGI_CONN_FLUSHING) {
		if (conn->state == DR_FCGI_CONN_OPEN && !conn->fresh)
			dr_timer_stop(&conn->patience);
		return;
	}
	if (conn->unread && !conn->at_eof)
		linger(conn);
	else
		close_now(conn);
}

static void
watch(struct dr_fcgi_conn *conn)
{
	dr_io_want(conn->io, (conn->at_eof ? 0 : DR_IO_READ) |
				 (dr_fcgi_conn_unsent(conn) > 0 ? DR_IO_WRITE : 0));
}

static void
tell_drained(struct dr_fcgi_conn *conn)
{
	if (!conn->was_high || dr_fcgi_conn_unsent(conn) >= DR_OUT_LOW_WATER)
		return;
	conn->was_high = false;
	if (conn->req != NULL)
		conn->server->options.on_drain(conn->req->arg);
}

static void
on_turn_end(struct dr_deferred *work)
{
	struct dr_fcgi_conn *conn =
	    DR_CONTAINER_OF(work, struct dr_fcgi_conn, turn_end);

	DR_CHECK(conn, DR_FCGI_CONN_MAGIC);
	if (conn->state == DR_FCGI_CONN_CLOSED) {
		destroy(conn);
		return;
	}
	if (conn->out.failed)
		dr_log_error(fcgi,
		    "fd %d: %d bytes wait for the web server, which does not read; "
		    "the answer is cut",
		    conn->fd, OUT_MAX);
	if (conn->out.failed || !flush(conn)) {
		dr_fcgi_conn_lose(conn);
		return;
	}
	if (dr_fcgi_conn_unsent(conn) == 0)
		after_flush(conn);
	else if (conn->req == NULL && !dr_timer_running(&conn->patience))
		dr_timer_start(&conn->patience, STALL_MS);
	if (conn->state == DR_FCGI_CONN_CLOSED)
		return; /* destroyed by its next turn end, which is queued */
	watch(conn);
	tell_drained(conn);
}

/* ---- input ---- */

/* A peer that only shut its sending side still gets an answer that is complete. */
static void
on_eof(struct dr_fcgi_conn *conn)
{
	conn->at_eof = true;
	if (conn->req != NULL || conn->state == DR_FCGI_CONN_LINGERING)
		dr_fcgi_conn_lose(conn);
	else if (conn->state == DR_FCGI_CONN_OPEN)
		dr_fcgi_conn_finish(conn, false);
	else
		dr_fcgi_conn_at_turn_end(conn);
}

static void
on_input(struct dr_fcgi_conn *conn, size_t n)
{
	if (conn->state != DR_FCGI_CONN_OPEN)
		return; /* thrown away */
	if (dr_fcgi_feed(&conn->reader, conn->server->input, n) ==
	    DR_FCGI_BAD_VERSION) {
		dr_log_trace(fcgi, "fd %d: not FastCGI", conn->fd);
		dr_fcgi_conn_lose(conn);
	} else if (conn->server->stopping && conn->state == DR_FCGI_CONN_OPEN) {
		dr_fcgi_conn_at_turn_end(conn); /* it may be idle now */
	}
}

static void
read_input(struct dr_fcgi_conn *conn)
{
	ssize_t n;

	for (int i = 0; i < READS_A_TURN && conn->state != DR_FCGI_CONN_CLOSED; i++) {
		n = recv(conn->fd, conn->server->input, DR_FCGI_READ_BYTES, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0) {
			dr_fcgi_conn_lose(conn);
			return;
		}
		if (n == 0) {
			on_eof(conn);
			return;
		}
		on_input(conn, (size_t)n);
		if (n < DR_FCGI_READ_BYTES)
			return; /* all that was there: no second call to be told so */
	}
}

static void
on_ready(void *arg, unsigned bits)
{
	struct dr_fcgi_conn *conn = arg;

	DR_CHECK(conn, DR_FCGI_CONN_MAGIC);
	if (bits & DR_IO_WRITE)
		dr_fcgi_conn_at_turn_end(conn);
	/* Both may stand for an error, after which libuv watches no longer. */
	if (bits == (DR_IO_READ | DR_IO_WRITE))
		dr_io_want(conn->io, 0);
	if (bits & DR_IO_READ)
		read_input(conn);
}

void
dr_fcgi_conn_new(struct dr_fcgi *server, int fd)
{
	struct dr_fcgi_conn *conn = dr_calloc(1, sizeof *conn);
	int on = 1;

	/* Events of a stream are small: Nagle would hold them back. */
	if (server->tcp)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	conn->magic = DR_FCGI_CONN_MAGIC;
	conn->server = server;
	conn->fd = fd;
	conn->fresh = true;
	dr_deferred_init(&conn->turn_end, on_turn_end);
	dr_timer_init(&conn->patience, server->loop, on_impatient);
	dr_fcgi_reader_init(&conn->reader, dr_fcgi_on_record, conn);
	dr_strbuf_init(&conn->control, UINT16_MAX);
	dr_strbuf_init(&conn->out, OUT_MAX);
	conn->io = dr_io_new(server->loop, fd, on_ready, conn);
	dr_io_want(conn->io, DR_IO_READ);
	dr_list_init(&conn->node);
	dr_list_append(&server->conns, &conn->node);
	server->n_conns++;
}
