/*
 * http_client_fixture - a scripted provider on loopback and a record of what the client
 * was told. Both live in the test's own loop, so that a test is one thread and its
 * order is fixed. Shared by the http_client tests; each includes it once.
 */
#ifndef DR_TEST_HTTP_CLIENT_FIXTURE_H
#define DR_TEST_HTTP_CLIENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/http_client.h"

#define DEADLINE_MS 10000
#define MAX_CONNS   256

static struct dr_loop *loop;
static struct dr_http *http;

/* ---- the provider ---- */

enum after { KEEP, CLOSE, RESET, STALL };

struct conn {
	struct dr_io *io;
	int fd;
	struct dr_strbuf in;
	size_t scanned;       /* bytes of `in` taken by answered requests */
	size_t sent, to_send; /* of the present answer */
	bool answering;
};

static struct peer {
	int fd;
	unsigned port;
	struct dr_io *io;
	/* the script */
	const char *reply;
	size_t reply_len;
	size_t fill; /* bytes of pattern sent after the reply */
	enum after after;
	bool early;          /* answer when the head is in, whatever the body */
	size_t read_at_most; /* then stop reading; 0: no limit */
	/* the record */
	unsigned n_conns, n_requests, n_closed;
	size_t fill_sent, body_received;
	char last_head[4096];
	struct dr_strbuf last_body;
	struct conn *conns[MAX_CONNS];
} peer;

static char
pattern(size_t i)
{
	return (char)('a' + (i * 7 + i / 1000) % 26);
}

static void
conn_end(struct conn *conn, bool reset)
{
	struct linger hard = { 1, 0 };

	if (reset)
		setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	for (unsigned i = 0; i < peer.n_conns; i++)
		if (peer.conns[i] == conn)
			peer.conns[i] = NULL;
	dr_io_free(&conn->io);
	close(conn->fd);
	dr_strbuf_fini(&conn->in);
	free(conn);
	peer.n_closed++;
}

/* Bytes of a whole request at the start of the unread input, 0 while it is not whole.
 */
static size_t
whole_request(struct conn *conn)
{
	const char *start = conn->in.data + conn->scanned,
		   *end = strstr(start, "\r\n\r\n");
	const char *length;
	size_t head, body = 0;

	if (conn->in.len == conn->scanned || end == NULL)
		return 0;
	head = (size_t)(end - start) + 4;
	length = strcasestr(start, "content-length:");
	if (length != NULL && length < end)
		body = strtoul(length + 15, NULL, 10);
	if (!peer.early && conn->in.len - conn->scanned < head + body)
		return 0;
	if (head + body > conn->in.len - conn->scanned)
		body = conn->in.len - conn->scanned - head;
	snprintf(peer.last_head, sizeof peer.last_head, "%.*s", (int)head, start);
	dr_strbuf_clear(&peer.last_body);
	dr_strbuf_add(&peer.last_body, start + head, body);
	return head + body;
}

/* False where the connection is gone. */
static bool
conn_send(struct conn *conn)
{
	while (conn->sent < conn->to_send) {
		char chunk[4096];
		const char *from = peer.reply + conn->sent;
		size_t n = peer.reply_len - conn->sent;
		ssize_t put;

		if (conn->sent >= peer.reply_len) {
			size_t at = conn->sent - peer.reply_len;

			n = conn->to_send - conn->sent;
			n = n < sizeof chunk ? n : sizeof chunk;
			for (size_t i = 0; i < n; i++)
				chunk[i] = pattern(at + i);
			from = chunk;
		}
		put = send(conn->fd, from, n, MSG_NOSIGNAL);
		if (put < 0 && errno == EAGAIN) {
			dr_io_want(conn->io, DR_IO_READ | DR_IO_WRITE);
			return true;
		}
		if (put < 0) {
			conn_end(conn, false);
			return false;
		}
		conn->sent += (size_t)put;
		if (conn->sent > peer.reply_len)
			peer.fill_sent = conn->sent - peer.reply_len;
	}
	conn->answering = false;
	dr_io_want(conn->io, DR_IO_READ);
	if (peer.after == CLOSE || peer.after == RESET) {
		conn_end(conn, peer.after == RESET);
		return false;
	}
	return true;
}

static void
on_conn_ready(void *arg, unsigned bits)
{
	struct conn *conn = arg;
	char bytes[65536];
	ssize_t n = 0;
	size_t whole;

	if (bits & DR_IO_READ) {
		n = recv(conn->fd, bytes, sizeof bytes, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			conn_end(conn, false);
			return;
		}
		if (n > 0)
			dr_strbuf_add(&conn->in, bytes, (size_t)n);
		peer.body_received += n > 0 ? (size_t)n : 0;
		if (peer.read_at_most != 0 && peer.body_received >= peer.read_at_most)
			dr_io_want(conn->io, 0);
	}
	if (!conn->answering && (whole = whole_request(conn)) > 0) {
		conn->scanned += whole;
		peer.n_requests++;
		conn->answering = true;
		conn->sent = 0;
		conn->to_send = peer.reply_len + peer.fill;
	}
	if (conn->answering)
		conn_send(conn);
}

static void
on_accept(void *arg, unsigned bits)
{
	struct conn *conn;
	int fd;

	(void)arg;
	(void)bits;
	while ((fd = accept(peer.fd, NULL, NULL)) >= 0) {
		assert_true(peer.n_conns < MAX_CONNS);
		conn = dr_calloc(1, sizeof *conn);
		conn->fd = fd;
		dr_strbuf_init(&conn->in, 64 << 20);
		conn->io = dr_io_new(loop, fd, on_conn_ready, conn);
		dr_io_want(conn->io, DR_IO_READ);
		peer.conns[peer.n_conns++] = conn;
	}
}

static void
peer_start(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof at;

	memset(&peer, 0, sizeof peer);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	peer.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(peer.fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(peer.fd, 128), 0);
	assert_int_equal(getsockname(peer.fd, (struct sockaddr *)&at, &len), 0);
	peer.port = ntohs(at.sin_port);
	dr_strbuf_init(&peer.last_body, 64 << 20);
	peer.io = dr_io_new(loop, peer.fd, on_accept, NULL);
	dr_io_want(peer.io, DR_IO_READ);
}

static void
peer_drop_connections(void)
{
	for (unsigned i = 0; i < peer.n_conns; i++)
		if (peer.conns[i] != NULL)
			conn_end(peer.conns[i], false);
}

static void
peer_stop(void)
{
	peer_drop_connections();
	dr_io_free(&peer.io);
	close(peer.fd);
	dr_strbuf_fini(&peer.last_body);
}

static DR_UNUSED void
peer_says(const char *reply, size_t len, enum after after)
{
	peer.reply = reply;
	peer.reply_len = len;
	peer.after = after;
}

/* ---- what the client was told ---- */

struct seen {
	struct dr_transfer *transfer;
	unsigned heads, bodies, ends;
	int status;
	size_t bytes;
	bool pattern_ok;
	struct dr_strbuf text; /* the first bytes of the body */
	enum dr_http_result result;
	char why[512];
	char header[256]; /* of the name in `ask` */
	const char *ask;
	bool no_resend; /* may_resend() says so; asked so many times */
	unsigned resends_asked;
	int64_t content_length;
	/* what to do inside a callback */
	enum {
		NOTHING,
		CANCEL_IN_HEAD,
		CANCEL_IN_BODY,
		PAUSE_IN_HEAD,
		PAUSE_IN_BODY,
		START_IN_BODY
	} act;
	struct seen *other; /* START_IN_BODY: started there */
};

static void seen_start(struct seen *seen, const char *method, const char *url,
    const struct dr_http_piece *body, size_t n_body);

static void
seen_head(void *arg, struct dr_transfer *transfer, int status)
{
	struct seen *seen = arg;
	const char *value;

	assert_ptr_equal(transfer, seen->transfer);
	assert_int_equal(seen->heads++, 0);
	assert_int_equal(seen->ends, 0);
	seen->status = status;
	seen->content_length = dr_http_content_length(transfer);
	assert_true(dr_http_connect_ms(transfer) >= 0);
	if (seen->ask != NULL && (value = dr_http_header(transfer, seen->ask)) != NULL)
		snprintf(seen->header, sizeof seen->header, "%s", value);
	if (seen->act == CANCEL_IN_HEAD)
		dr_http_cancel(&seen->transfer);
	if (seen->act == PAUSE_IN_HEAD)
		dr_http_pause(transfer);
}

static void
seen_body(void *arg, const char *bytes, size_t len)
{
	struct seen *seen = arg;

	assert_int_equal(seen->heads, 1);
	assert_int_equal(seen->ends, 0);
	assert_non_null(seen->transfer);
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != pattern(seen->bytes + i))
			seen->pattern_ok = false;
	seen->bytes += len;
	seen->bodies++;
	dr_strbuf_add(&seen->text, bytes, len);
	if (seen->act == CANCEL_IN_BODY)
		dr_http_cancel(&seen->transfer);
	if (seen->act == PAUSE_IN_BODY)
		dr_http_pause(seen->transfer);
	if (seen->act == START_IN_BODY) {
		char url[128];

		seen->act = NOTHING;
		snprintf(url, sizeof url, "http://127.0.0.1:%u/other", peer.port);
		seen_start(seen->other, "GET", url, NULL, 0);
	}
}

static void
seen_end(void *arg, enum dr_http_result result, const char *why)
{
	struct seen *seen = arg;

	assert_int_equal(seen->ends++, 0);
	assert_true((result == DR_HTTP_OK) == (why[0] == '\0'));
	assert_null(strpbrk(why, "\r\n"));
	seen->result = result;
	snprintf(seen->why, sizeof seen->why, "%s", why);
	seen->transfer = NULL;
}

static bool
seen_may_resend(void *arg)
{
	struct seen *seen = arg;

	assert_int_equal(seen->heads, 0);
	assert_int_equal(seen->ends, 0);
	seen->resends_asked++;
	return !seen->no_resend;
}

static const char *const json_header[] = { "content-type: application/json",
	"x-api-key: secret-of-the-provider", NULL };

static struct dr_http_request
seen_request(struct seen *seen, const char *method, const char *url)
{
	return (struct dr_http_request){ .method = method,
		.url = url,
		.headers = json_header,
		.connect_timeout_ms = 5000,
		.arg = seen,
		.may_resend = seen_may_resend,
		.on_head = seen_head,
		.on_body = seen_body,
		.on_end = seen_end };
}

static DR_UNUSED void
seen_init(struct seen *seen)
{
	*seen = (struct seen){ .pattern_ok = true };
	dr_strbuf_init(&seen->text, 4096);
}

static DR_UNUSED void
seen_fini(struct seen *seen)
{
	dr_strbuf_fini(&seen->text);
}

static DR_UNUSED void
seen_start(struct seen *seen, const char *method, const char *url,
    const struct dr_http_piece *body, size_t n_body)
{
	struct dr_http_request request = seen_request(seen, method, url);

	request.body = body;
	request.n_body = n_body;
	seen->transfer = dr_http_start(http, &request);
}

/* ---- turning the loop ---- */

/* Wakes the loop so that the deadline is looked at. */
static void
on_tick(struct dr_timer *timer)
{
	dr_timer_start(timer, 50);
}

/* One turn that ends soon, whatever happens. */
static DR_UNUSED void
turn(void)
{
	struct dr_timer tick;

	dr_timer_init(&tick, loop, on_tick);
	dr_timer_start(&tick, 50);
	dr_loop_turn(loop);
	dr_timer_stop(&tick);
}

/* Turn the loop until *what is at least `least`, or fail at the deadline. */
static void
turn_until(const unsigned *what, unsigned least)
{
	uint64_t deadline = dr_clock_ms() + DEADLINE_MS;

	while (*what < least) {
		turn();
		if (dr_clock_ms() > deadline)
			fail_msg("nothing came within %d ms", DEADLINE_MS);
	}
}

/* Turn the loop until nothing happens for a while (a turn that only waited). */
static void
settle(void)
{
	struct dr_timer tick;

	dr_timer_init(&tick, loop, on_tick);
	for (int i = 0; i < 10; i++) {
		dr_timer_start(&tick, 5);
		dr_loop_turn(loop);
	}
	dr_timer_stop(&tick);
}

static int
set_up(void **state)
{
	static const struct dr_http_options options = { .max_idle_connections = 2048 };

	(void)state;
	loop = dr_loop_new();
	http = dr_http_new(loop, &options);
	peer_start();
	return 0;
}

/* Everything goes before the check, so that a failed test leaves the next ones alone.
 */
static int
tear_down(void **state)
{
	size_t left = dr_http_running(http);

	(void)state;
	dr_http_free(&http);
	peer_stop();
	dr_loop_free(&loop);
	assert_int_equal(left, 0);
	return 0;
}

#endif
