/*
 * fcgi_fixture - a FastCGI server in the test's own loop, and a raw client to script:
 * it sends the bytes it is told to and takes the replies apart. One thread, so that the
 * order of things is the test's. Shared by the fcgi tests; each includes it once.
 */
#ifndef DR_TEST_FCGI_FIXTURE_H
#define DR_TEST_FCGI_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fastcgi.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/fcgi_conn.h"
#include "io/fcgi_wire.h"

#define DEADLINE_MS 20000
#define MAX_HELD    64

/* ---- the server ---- */

enum answering { ECHO, HOLD, BREAK_OFF, FREE_SERVER };

struct held {
	struct dr_fcgi_request *req; /* NULL once ended or gone */
	unsigned drains;
	bool gone;
};

static struct rig {
	struct dr_loop *loop;
	struct dr_fcgi *server;
	struct dr_fcgi_options options;
	struct dr_timer tick; /* bounds a turn of the loop */
	unsigned ticks;
	char dir[64], path[96];
	int listen_fd;
	enum answering answering;
	unsigned requests, gone;
	enum dr_fcgi_fault fault; /* of the last request */
	bool free_when_gone;
	struct held held[MAX_HELD];
	unsigned n_held;
} rig;

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The same text as tests/peers/fcgx_echo gives. */
static inline void
echo_text(const struct dr_fcgi_request *req, struct dr_strbuf *out)
{
	const char *name, *value, *body;
	char *lines[512];
	size_t n = 0, len;

	dr_strbuf_adds(out, "Content-Type: text/plain\r\n\r\n");
	for (; n < DR_N_ELEMENTS(lines) && dr_fcgi_param_at(req, n, &name, &value);
	     n++) {
		size_t size = strlen(name) + strlen(value) + 2;

		lines[n] = dr_malloc(size);
		snprintf(lines[n], size, "%s=%s", name, value);
	}
	qsort(lines, n, sizeof *lines, by_name);
	for (size_t i = 0; i < n; i++) {
		dr_strbuf_addf(out, "%s\n", lines[i]);
		free(lines[i]);
	}
	body = dr_fcgi_body(req, &len);
	dr_strbuf_addf(out, "\n%zu\n", len);
	dr_strbuf_add(out, body, len);
	assert_false(out->failed);
}

static inline void
echo(struct dr_fcgi_request *req)
{
	struct dr_strbuf text;

	dr_strbuf_init(&text, 64 << 20);
	echo_text(req, &text);
	dr_fcgi_write(req, text.data, text.len);
	dr_fcgi_end(&req);
	assert_null(req);
	dr_strbuf_fini(&text);
}

static inline void
on_request(void *arg, struct dr_fcgi_request *req)
{
	assert_ptr_equal(arg, &rig);
	rig.requests++;
	rig.fault = dr_fcgi_fault(req);
	if (rig.answering == ECHO) {
		echo(req);
		return;
	}
	assert_true(rig.n_held < MAX_HELD);
	rig.held[rig.n_held].req = req;
	dr_fcgi_set_arg(req, &rig.held[rig.n_held++]);
	if (rig.answering == BREAK_OFF) {
		dr_fcgi_write(req, "half", 4);
		dr_fcgi_break(&rig.held[rig.n_held - 1].req);
	} else if (rig.answering == FREE_SERVER) {
		dr_fcgi_free(&rig.server);
	}
}

static inline void
on_gone(void *request_arg)
{
	struct held *held = request_arg;

	assert_non_null(held->req);
	assert_false(held->gone);
	dr_fcgi_write(held->req, "into the void", 13); /* harmless */
	(void)dr_fcgi_unsent(held->req);
	held->gone = true;
	held->req = NULL;
	rig.gone++;
	if (rig.free_when_gone)
		dr_fcgi_free(&rig.server);
}

static inline void
on_drain(void *request_arg)
{
	struct held *held = request_arg;

	assert_non_null(held->req);
	assert_true(dr_fcgi_unsent(held->req) < DR_OUT_LOW_WATER);
	held->drains++;
}

static inline void
on_tick(struct dr_timer *timer)
{
	(void)timer;
	rig.ticks++;
}

static inline int
rig_start(void **state)
{
	char err[256], address[128];

	(void)state;
	memset(&rig, 0, sizeof rig);
	rig.loop = dr_loop_new();
	dr_timer_init(&rig.tick, rig.loop, on_tick);
	snprintf(rig.dir, sizeof rig.dir, "/tmp/dr-fcgi-XXXXXX");
	assert_non_null(mkdtemp(rig.dir));
	snprintf(rig.path, sizeof rig.path, "%s/s", rig.dir);
	snprintf(address, sizeof address, "unix:%s", rig.path);
	rig.listen_fd = dr_fcgi_listen(address, 0600, NULL, 64, err, sizeof err);
	assert_true(rig.listen_fd >= 0);
	rig.options = (struct dr_fcgi_options){ .max_body = 1 << 20,
		.max_connections = 500,
		.arg = &rig,
		.on_request = on_request,
		.on_gone = on_gone,
		.on_drain = on_drain };
	rig.server = dr_fcgi_new(rig.loop, rig.listen_fd, &rig.options);
	return 0;
}

static inline int
rig_stop(void **state)
{
	(void)state;
	rig.free_when_gone = false;
	dr_fcgi_free(&rig.server);
	dr_timer_stop(&rig.tick);
	dr_loop_free(&rig.loop);
	unlink(rig.path);
	rmdir(rig.dir);
	return 0;
}

/* Start over with other limits, on the same socket. */
static inline void
rig_restart(unsigned max_connections, size_t max_body)
{
	int fd = dup(rig.listen_fd);

	dr_fcgi_free(&rig.server);
	rig.listen_fd = fd;
	rig.options.max_connections = max_connections;
	rig.options.max_body = max_body;
	rig.server = dr_fcgi_new(rig.loop, fd, &rig.options);
}

static inline void
turn(void)
{
	dr_timer_start(&rig.tick, 2);
	dr_loop_turn(rig.loop);
}

/* Let everything that is ready happen: until a turn found nothing but the tick. */
static inline void
settle(void)
{
	unsigned before;

	do {
		before = rig.ticks;
		turn();
	} while (rig.ticks == before);
}

#define UNTIL(condition)                                                               \
	do {                                                                           \
		uint64_t until_ = (dr_clock_update(), dr_clock_ms() + DEADLINE_MS);    \
		while (!(condition)) {                                                 \
			turn();                                                        \
			dr_clock_update();                                             \
			assert_true(dr_clock_ms() < until_);                           \
		}                                                                      \
	} while (0)

/* ---- the client ---- */

struct client {
	int fd;
	struct dr_fcgi_reader reader;
	struct dr_strbuf answer; /* STDOUT of all requests, one after the other */
	struct dr_strbuf reply;  /* content of the last management record */
	uint8_t reply_type;
	unsigned replies;
	unsigned stdout_records, stdout_ends, ends;
	size_t longest_record;
	uint16_t ended_id;
	uint8_t ended_status; /* of the last END_REQUEST */
	struct dr_strbuf end_body;
	bool eof;
	int error; /* errno of a read; 0: none */
};

static inline bool
on_reply(void *arg, const struct dr_fcgi_record *record, const char *bytes, size_t len,
    bool last)
{
	struct client *c = arg;

	if (record->request_id == 0) {
		dr_strbuf_add(&c->reply, bytes, len);
		c->reply_type = record->type;
		c->replies += last;
	} else if (record->type == FCGI_STDOUT) {
		dr_strbuf_add(&c->answer, bytes, len);
		c->stdout_ends += record->content_length == 0;
		c->stdout_records += last && record->content_length > 0;
		if (record->content_length > c->longest_record)
			c->longest_record = record->content_length;
	} else {
		assert_int_equal(record->type, FCGI_END_REQUEST);
		dr_strbuf_add(&c->end_body, bytes, len);
		if (last) {
			assert_int_equal(c->end_body.len, 8);
			c->ended_status = (uint8_t)c->end_body.data[4];
			c->ended_id = record->request_id;
			c->ends++;
			dr_strbuf_clear(&c->end_body);
		}
	}
	return true;
}

static inline void
client_over(struct client *c, int fd)
{
	memset(c, 0, sizeof *c);
	c->fd = fd;
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	dr_fcgi_reader_init(&c->reader, on_reply, c);
	dr_strbuf_init(&c->answer, 64 << 20);
	dr_strbuf_init(&c->reply, 64 << 20);
	dr_strbuf_init(&c->end_body, 64 << 20);
}

static inline void
client_open(struct client *c)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	memcpy(name.sun_path, rig.path, strlen(rig.path) + 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
	client_over(c, fd);
}

static inline void
client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	dr_strbuf_fini(&c->answer);
	dr_strbuf_fini(&c->reply);
	dr_strbuf_fini(&c->end_body);
}

/* Read what is there; true when anything came. */
static inline bool
client_read(struct client *c)
{
	char bytes[65536];
	ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);

	if (n > 0) {
		assert_int_equal(
		    dr_fcgi_feed(&c->reader, bytes, (size_t)n), DR_FCGI_MORE);
		return true;
	}
	if (n == 0)
		c->eof = true;
	else if (errno != EAGAIN)
		c->error = errno;
	return false;
}

static inline void
client_drain(struct client *c)
{
	while (client_read(c))
		;
}

/* As much as the socket takes; the number of bytes, or -1 once the peer has closed. */
static inline ssize_t
client_try(struct client *c, const char *bytes, size_t len)
{
	ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL);

	return n < 0 && errno == EAGAIN ? 0 : n;
}

/* All of it, while the server runs; false where the peer closes in between. */
static inline bool
client_send(struct client *c, const char *bytes, size_t len)
{
	ssize_t n;

	for (size_t sent = 0; sent < len; sent += (size_t)n) {
		n = client_try(c, bytes + sent, len - sent);
		if (n < 0)
			return false;
		if (n == 0)
			turn();
	}
	return true;
}

#define AWAIT_ENDS(c, n) UNTIL((client_drain(c), (c)->ends >= (n)))
#define AWAIT_EOF(c)     UNTIL((client_drain(c), (c)->eof || (c)->error != 0))

/* ---- what it sends ---- */

static inline void
add_begin(struct dr_strbuf *out, uint16_t id, uint16_t role, bool keep)
{
	uint8_t body[8] = { (uint8_t)(role >> 8), (uint8_t)role,
		keep ? FCGI_KEEP_CONN : 0 };

	dr_fcgi_add_record(out, FCGI_BEGIN_REQUEST, id, body, sizeof body);
}

/* `bytes` as records of at most `slice` bytes, and the empty one that ends the stream.
 */
static inline void
add_stream(struct dr_strbuf *out, uint8_t type, uint16_t id, const char *bytes,
    size_t len, size_t slice)
{
	size_t n;

	for (; len > 0; bytes += n, len -= n) {
		n = len < slice ? len : slice;
		dr_fcgi_add_record(out, type, id, bytes, n);
	}
	dr_fcgi_add_record(out, type, id, "", 0);
}

/* BEGIN and PARAMS of a POST; announced < 0: no CONTENT_LENGTH. */
static inline void
add_head(struct dr_strbuf *out, uint16_t id, bool keep, long announced)
{
	struct dr_strbuf params;
	char number[32];

	dr_strbuf_init(&params, 1 << 16);
	dr_fcgi_add_pair(&params, "REQUEST_METHOD", "POST");
	dr_fcgi_add_pair(&params, "QUERY_STRING", "");
	dr_fcgi_add_pair(&params, "HTTP_X_API_KEY", "sk-ant-dr-a-b-c");
	snprintf(number, sizeof number, "%ld", announced);
	if (announced >= 0)
		dr_fcgi_add_pair(&params, "CONTENT_LENGTH", number);
	add_begin(out, id, FCGI_RESPONDER, keep);
	add_stream(out, FCGI_PARAMS, id, params.data, params.len, 50);
	dr_strbuf_fini(&params);
}

static inline void
add_request(struct dr_strbuf *out, uint16_t id, bool keep, const char *body, size_t len)
{
	add_head(out, id, keep, (long)len);
	add_stream(out, FCGI_STDIN, id, body, len, 30000);
}

/* The echo's answer to add_request(). */
static inline void
expected_echo(struct dr_strbuf *out, const char *body, size_t len)
{
	dr_strbuf_init(out, 64 << 20);
	dr_strbuf_adds(out, "Content-Type: text/plain\r\n\r\n");
	dr_strbuf_addf(out,
	    "CONTENT_LENGTH=%zu\nHTTP_X_API_KEY=sk-ant-dr-a-b-c\n"
	    "QUERY_STRING=\nREQUEST_METHOD=POST\n\n%zu\n",
	    len, len);
	dr_strbuf_add(out, body, len);
}

/* A whole exchange over an open connection: is the server well? */
static inline void
exchange(struct client *c, uint16_t id, bool keep, const char *body, size_t len)
{
	struct dr_strbuf bytes, want;
	unsigned before = c->ends;

	dr_strbuf_init(&bytes, 64 << 20);
	add_request(&bytes, id, keep, body, len);
	dr_strbuf_clear(&c->answer);
	assert_true(client_send(c, bytes.data, bytes.len));
	AWAIT_ENDS(c, before + 1);
	assert_int_equal(c->ended_id, id);
	assert_int_equal(c->ended_status, FCGI_REQUEST_COMPLETE);
	expected_echo(&want, body, len);
	assert_int_equal(c->answer.len, want.len);
	assert_memory_equal(c->answer.data, want.data, want.len);
	dr_strbuf_fini(&want);
	dr_strbuf_fini(&bytes);
}

/* A small request, not waited for. */
static inline void
send_request(struct client *c, uint16_t id, bool keep)
{
	struct dr_strbuf bytes;

	dr_strbuf_init(&bytes, 1 << 16);
	add_request(&bytes, id, keep, "{}", 2);
	assert_true(client_send(c, bytes.data, bytes.len));
	dr_strbuf_fini(&bytes);
}

/* A request that is held: returns when the server has it. */
static inline struct held *
hold(struct client *c, uint16_t id, bool keep)
{
	unsigned n = rig.n_held;

	rig.answering = HOLD;
	send_request(c, id, keep);
	UNTIL(rig.n_held == n + 1);
	return &rig.held[n];
}

#endif
