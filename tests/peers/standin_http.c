/*
 * standin_http - the side of HTTP/1.1 that reads: connections, heads, bodies.
 *
 * One request at a time per connection; bytes that come early wait. Only what web
 * servers and HTTP clients really send is understood, anything else closes the
 * connection. Answers are standin_send.c's.
 */
#include "standin.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

#define READ_STEP  (16 * 1024)
#define READ_AHEAD (64 * 1024) /* taken in while an answer is under way */

static struct conn *all; /* every connection, for the end of the process */

static void conn_ready(struct watch *watch, uint32_t events);

static void
timer_fired(struct timer *timer)
{
	struct conn *conn = DR_CONTAINER_OF(timer, struct conn, timer);

	DR_CHECK(conn, CONN_MAGIC);
	standin_send(conn);
}

struct conn *
standin_conn_new(int fd)
{
	struct conn *conn = dr_calloc(1, sizeof *conn);

	conn->magic = CONN_MAGIC;
	conn->fd = fd;
	conn->watch.ready = conn_ready;
	conn->timer.fire = timer_fired;
	dr_strbuf_init(&conn->in, MAX_REQ_HEAD + MAX_REQ_BODY);
	dr_strbuf_init(&conn->payload, SIZE_MAX / 2);
	dr_strbuf_init(&conn->suffix, SIZE_MAX / 2);
	dr_strbuf_init(&conn->out, SIZE_MAX / 2);
	dr_strbuf_init(&conn->log, SIZE_MAX / 2);
	conn->next = all;
	if (all != NULL)
		all->prev = conn;
	all = conn;
	standin_counters.connections++;
	standin_counters.connections_total++;
	/* Edge-triggered and for everything, so that no request costs an epoll_ctl. */
	standin_loop_add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &conn->watch);
	return conn;
}

void
standin_conn_close(struct conn *conn, bool reset)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	DR_CHECK(conn, CONN_MAGIC);
	if (reset)
		setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(conn->fd);
	standin_timer_stop(&conn->timer);
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		all = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	standin_counters.connections--;
	standin_plan_free(&conn->plan);
	dr_strbuf_fini(&conn->in);
	dr_strbuf_fini(&conn->payload);
	dr_strbuf_fini(&conn->suffix);
	dr_strbuf_fini(&conn->out);
	dr_strbuf_fini(&conn->log);
	DR_FREE(conn);
}

void
standin_conn_close_all(void)
{
	while (all != NULL) {
		if (all->phase != PHASE_READ)
			standin_log_end(all, "shutdown");
		standin_conn_close(all, false);
	}
}

/* ---- the head ---- */

static bool
header_is(const char *line, size_t name_len, const char *name)
{
	return name_len == strlen(name) && strncasecmp(line, name, name_len) == 0;
}

static void
copy_text(char *out, size_t size, const char *text, size_t len)
{
	if (len >= size)
		len = size - 1;
	memcpy(out, text, len);
	out[len] = '\0';
}

static void
take_credential(struct request *req, const char *value, size_t len)
{
	if (len > 7 && strncasecmp(value, "Bearer ", 7) == 0) {
		value += 7;
		len -= 7;
	}
	copy_text(req->auth, sizeof req->auth, value, len);
}

static void
take_header(struct request *req, const char *line, size_t name_len, const char *value,
    size_t len)
{
	if (header_is(line, name_len, "content-length"))
		req->content_length = strtoull(value, NULL, 10);
	else if (header_is(line, name_len, "transfer-encoding"))
		req->chunked = memmem(value, len, "chunked", 7) != NULL;
	else if (header_is(line, name_len, "connection"))
		req->keep_alive = len >= 5 && strncasecmp(value, "close", 5) != 0;
	else if (header_is(line, name_len, "expect"))
		req->expect_continue = true;
	else if (header_is(line, name_len, "x-api-key") ||
		 header_is(line, name_len, "authorization"))
		take_credential(req, value, len);
	else if (header_is(line, name_len, "anthropic-version"))
		copy_text(req->version, sizeof req->version, value, len);
}

/* "METHOD path HTTP/1.x"; false: not that. */
static bool
read_request_line(struct request *req, const char *line, size_t len)
{
	const char *space = memchr(line, ' ', len), *second;

	if (space == NULL || len < 14 || memcmp(line + len - 9, " HTTP/1.", 8) != 0)
		return false;
	second = line + len - 9;
	if (second <= space || (size_t)(space - line) >= sizeof req->method ||
	    (size_t)(second - space) > sizeof req->path)
		return false;
	copy_text(req->method, sizeof req->method, line, (size_t)(space - line));
	copy_text(req->path, sizeof req->path, space + 1, (size_t)(second - space) - 1);
	req->http10 = line[len - 1] == '0';
	req->keep_alive = !req->http10;
	return true;
}

/* Read the head's lines, without the empty one; false: this is no HTTP. */
static bool
read_head(struct request *req, const char *head, size_t len)
{
	const char *at = head, *end = head + len;
	bool first = true;

	*req = (struct request){ .max_tokens = -1 };
	while (at < end) {
		const char *eol = memmem(at, (size_t)(end - at), "\r\n", 2), *colon,
			   *value;

		if (eol == NULL)
			return false;
		if (first) {
			if (!read_request_line(req, at, (size_t)(eol - at)))
				return false;
			first = false;
		} else {
			colon = memchr(at, ':', (size_t)(eol - at));
			if (colon == NULL)
				return false;
			value = colon + 1;
			while (value < eol && (*value == ' ' || *value == '\t'))
				value++;
			take_header(req, at, (size_t)(colon - at), value,
			    (size_t)(eol - value));
		}
		at = eol + 2;
	}
	return !first && req->content_length <= MAX_REQ_BODY;
}

/* ---- the body ---- */

enum got { GOT_ALL, GOT_PART, GOT_GARBAGE };

/*
 * Decode what has come of a chunked body, in place: the body grows at the front, from
 * head_len to chunk_out, while chunk_at walks over what came.
 */
static enum got
read_chunks(struct conn *conn)
{
	for (;;) {
		char *at = conn->in.data + conn->chunk_at, *eol, *digits_end;
		size_t left = conn->in.len - conn->chunk_at, size;

		eol = memmem(at, left, "\r\n", 2);
		if (eol == NULL)
			return left > 1024 ? GOT_GARBAGE : GOT_PART;
		size = strtoull(at, &digits_end, 16);
		if (digits_end == at || size > MAX_REQ_BODY)
			return GOT_GARBAGE;
		if (left < (size_t)(eol + 2 - at) + size + 2)
			return GOT_PART;
		memmove(conn->in.data + conn->chunk_out, eol + 2, size);
		conn->chunk_out += size;
		conn->chunk_at += (size_t)(eol + 2 - at) + size + 2;
		if (size == 0)
			return GOT_ALL; /* trailers: nobody sends them */
	}
}

static enum got
find_head(struct conn *conn)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	char *end = memmem(conn->in.data, conn->in.len, "\r\n\r\n", 4);

	if (end == NULL)
		return conn->in.len > MAX_REQ_HEAD ? GOT_GARBAGE : GOT_PART;
	conn->head_len = (size_t)(end - conn->in.data) + 4;
	if (!read_head(&conn->req, conn->in.data, conn->head_len - 2))
		return GOT_GARBAGE;
	conn->chunk_at = conn->chunk_out = conn->head_len;
	conn->began_ms = standin_now_ms();
	if (conn->req.expect_continue &&
	    conn->in.len < conn->head_len + conn->req.content_length &&
	    write(conn->fd, go_on, sizeof go_on - 1) < 0)
		return GOT_GARBAGE;
	return GOT_ALL;
}

/* On GOT_ALL the request's bytes end at *used, its body has *body_len bytes. */
static enum got
find_request(struct conn *conn, size_t *used, size_t *body_len)
{
	enum got got = conn->head_len > 0 ? GOT_ALL : find_head(conn);

	if (got != GOT_ALL)
		return got;
	if (conn->req.chunked) {
		got = read_chunks(conn);
		*used = conn->chunk_at;
		*body_len = conn->chunk_out - conn->head_len;
		return got;
	}
	*body_len = conn->req.content_length;
	*used = conn->head_len + *body_len;
	return conn->in.len >= *used ? GOT_ALL : GOT_PART;
}

/* Take the next request out of `in` and begin to answer it. May free `conn`. */
static void
go(struct conn *conn)
{
	size_t used = 0, body_len = 0;
	const char *body;
	enum got got = find_request(conn, &used, &body_len);

	if (got == GOT_GARBAGE) {
		standin_conn_close(conn, false);
		return;
	}
	if (got == GOT_PART)
		return;
	body = conn->in.data + conn->head_len;
	conn->req.body_bytes = body_len;
	conn->serial = ++standin_counters.requests;
	standin_counters.running++;
	conn->req.route = standin_route(conn->req.method, conn->req.path);
	standin_body_facts(&conn->req, body, body_len);
	standin_log_begin(conn, conn->in.data, conn->head_len);
	standin_log_body(conn, body, body_len);
	standin_plan(conn, body, body_len);
	if (conn->plan.sse)
		standin_counters.streams++;
	dr_strbuf_consume(&conn->in, used);
	if (conn->in.len == 0)
		dr_strbuf_fini(&conn->in); /* thousands of streams, each with a body */
	conn->head_len = 0;
	conn->phase = PHASE_HEAD;
	standin_send(conn);
}

/* The other side is gone: while it waits for an answer, that is worth a line. */
static void
client_gone(struct conn *conn)
{
	if (conn->phase != PHASE_READ) {
		standin_counters.client_gone++;
		standin_log_end(conn, "client-gone");
	} else if (conn->head_len > 0) {
		standin_log_begin(conn, conn->in.data, conn->head_len);
		standin_log_end(conn, "upload-cut");
	}
	standin_conn_close(conn, false);
}

/* Read what is there; false: the connection ended or broke. */
static bool
fill(struct conn *conn)
{
	conn->unread = false;
	for (;;) {
		size_t room = READ_STEP;
		ssize_t n;

		if (conn->phase != PHASE_READ && conn->in.len > READ_AHEAD) {
			conn->unread = true;
			return true;
		}
		if (conn->head_len > 0 &&
		    conn->head_len + conn->req.content_length > conn->in.len + room)
			room = conn->head_len + conn->req.content_length - conn->in.len;
		dr_strbuf_reserve(&conn->in, room);
		if (conn->in.len + room > conn->in.max)
			return false;
		n = read(conn->fd, conn->in.data + conn->in.len, room);
		if (n == 0)
			return false;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		conn->in.len += (size_t)n;
		conn->in.data[conn->in.len] = '\0';
		if ((size_t)n < room)
			return true; /* drained: saves the read that says EAGAIN */
		/* Knowing the head lets the rest come in one read. */
		if (conn->phase == PHASE_READ && conn->head_len == 0 &&
		    find_head(conn) == GOT_GARBAGE)
			return false;
	}
}

static void
conn_ready(struct watch *watch, uint32_t events)
{
	struct conn *conn = DR_CONTAINER_OF(watch, struct conn, watch);

	DR_CHECK(conn, CONN_MAGIC);
	if ((events & EPOLLIN) != 0 && !fill(conn))
		conn->broken = true;
	/* A half-closed client is a client that left: gateways do not half-close. */
	if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		conn->broken = true;
	if (conn->broken)
		client_gone(conn);
	else if (conn->phase == PHASE_READ)
		go(conn);
	else if ((events & EPOLLOUT) != 0 && conn->out.len > 0)
		standin_send(conn);
}

void
standin_conn_done(struct conn *conn)
{
	standin_plan_free(&conn->plan);
	dr_strbuf_clear(&conn->payload);
	dr_strbuf_clear(&conn->suffix);
	dr_strbuf_clear(&conn->out);
	conn->phase = PHASE_READ;
	conn->out_at = 0;
	conn->filler_left = conn->event = 0;
	conn->pausing = conn->pause_over = conn->ended = conn->cut = false;
	conn->first_ms = conn->payload_bytes = conn->wire_bytes = 0;
	if (conn->unread && !fill(conn)) {
		standin_conn_close(conn, false);
		return;
	}
	if (conn->in.len > 0)
		go(conn);
}
