/*
 * fcgi_records - what a peer's records mean, and the records an answer is made of.
 *
 * What it is for: the FastCGI conversation around a request, including everything the
 * specification lets a peer do besides (abort, queries, second requests, unknown
 * roles). What it is not: it moves no bytes (fcgi_conn) and does not look into params
 * and bodies (fcgi_request). It relies on output being gathered in conn->out until the
 * turn ends.
 */
#include "io/fcgi_conn.h"

#include <fastcgi.h>

#include "io/fcgi_internal.h"

#define ASKING_MAX (1024 * 1024) /* unsent above it: the peer asks but never reads */

/* ---- an answer ---- */

/* Lengthen the record that stands last in `out`; returns how many bytes it took. */
static size_t
grow_record(struct dr_fcgi_conn *conn, const char *bytes, size_t len)
{
	uint8_t *header = (uint8_t *)conn->out.data + conn->open_record - 1;
	size_t has = (size_t)(header[4] << 8 | header[5]);

	if (len > DR_FCGI_MAX_CONTENT - has)
		len = DR_FCGI_MAX_CONTENT - has;
	dr_fcgi_header(header, FCGI_STDOUT, conn->req->id, has + len);
	dr_strbuf_add(&conn->out, bytes, len);
	if (has + len == DR_FCGI_MAX_CONTENT)
		conn->open_record = 0;
	return len;
}

static size_t
begin_record(struct dr_fcgi_conn *conn, const char *bytes, size_t len)
{
	if (len > DR_FCGI_MAX_CONTENT)
		len = DR_FCGI_MAX_CONTENT;
	conn->open_record = len < DR_FCGI_MAX_CONTENT ? conn->out.len + 1 : 0;
	dr_fcgi_add_record(&conn->out, FCGI_STDOUT, conn->req->id, bytes, len);
	return len;
}

/*
 * What one turn writes piece by piece leaves in as few records as possible. Writing
 * nothing adds no record: an empty one would end the stream.
 */
void
dr_fcgi_write(struct dr_fcgi_request *req, const char *bytes, size_t len)
{
	struct dr_fcgi_conn *conn = req->conn;
	size_t n;

	DR_CHECK(req, DR_FCGI_REQUEST_MAGIC);
	if (req->phase == DR_FCGI_GONE)
		return;
	DR_ASSERT(req->phase == DR_FCGI_RUNS && conn->req == req);
	for (; len > 0 && !conn->out.failed; bytes += n, len -= n)
		n = conn->open_record != 0 ? grow_record(conn, bytes, len)
					   : begin_record(conn, bytes, len);
	if (dr_fcgi_conn_unsent(conn) >= DR_OUT_HIGH_WATER)
		conn->was_high = true;
	dr_fcgi_conn_at_turn_end(conn);
}

size_t
dr_fcgi_unsent(const struct dr_fcgi_request *req)
{
	DR_CHECK(req, DR_FCGI_REQUEST_MAGIC);
	return dr_fcgi_conn_unsent(req->conn);
}

/* ---- the end of a request ---- */

static void
add_end(struct dr_fcgi_conn *conn, uint16_t id)
{
	conn->open_record = 0;
	dr_fcgi_add_record(&conn->out, FCGI_STDOUT, id, "", 0);
	dr_fcgi_add_end_request(&conn->out, id, 0, FCGI_REQUEST_COMPLETE);
	dr_fcgi_conn_at_turn_end(conn);
}

static void
release(struct dr_fcgi_request **req, bool complete)
{
	struct dr_fcgi_request *r = *req;
	struct dr_fcgi_conn *conn = r->conn;
	bool keep = complete && r->keep && !conn->server->stopping;

	*req = NULL;
	DR_CHECK(r, DR_FCGI_REQUEST_MAGIC);
	DR_ASSERT(r->phase == DR_FCGI_RUNS); /* not ended twice, not after on_gone */
	DR_ASSERT(conn->req == r);
	conn->req = NULL;
	conn->was_high = false;
	conn->open_record = 0;
	if (complete)
		add_end(conn, r->id);
	if (!keep)
		dr_fcgi_conn_finish(conn, !r->stdin_ended);
	dr_fcgi_request_free(&r);
}

void
dr_fcgi_end(struct dr_fcgi_request **req)
{
	release(req, true);
}

void
dr_fcgi_break(struct dr_fcgi_request **req)
{
	release(req, false);
}

/* ---- records ---- */

/* A short reply of the protocol's own, kept apart from the running request's output. */
static void
replied(struct dr_fcgi_conn *conn)
{
	conn->open_record = 0;
	dr_fcgi_conn_at_turn_end(conn);
	if (dr_fcgi_conn_unsent(conn) > ASKING_MAX)
		dr_fcgi_conn_lose(conn);
}

/* True once the whole content is at *bytes; a cut one is gathered in `control`. */
static bool
is_whole(struct dr_fcgi_conn *conn, const struct dr_fcgi_record *record,
    const char **bytes, size_t *len, bool last)
{
	if (*len == record->content_length)
		return true;
	dr_strbuf_add(&conn->control, *bytes, *len);
	*bytes = conn->control.data;
	*len = conn->control.len;
	return last;
}

static void
begin(struct dr_fcgi_conn *conn, uint16_t id, const char *bytes, size_t len)
{
	const FCGI_BeginRequestBody *body = (const void *)bytes; /* all single bytes */

	if (len != sizeof *body || (conn->req != NULL && conn->req->id == id)) {
		dr_log_trace(
		    fcgi, "fd %d: a BEGIN_REQUEST that makes no sense", conn->fd);
		dr_fcgi_conn_lose(conn);
	} else if (conn->req != NULL) {
		dr_fcgi_add_end_request(&conn->out, id, 0, FCGI_CANT_MPX_CONN);
		replied(conn);
	} else if ((body->roleB1 << 8 | body->roleB0) != FCGI_RESPONDER) {
		dr_fcgi_add_end_request(&conn->out, id, 0, FCGI_UNKNOWN_ROLE);
		conn->fresh = false;
		replied(conn);
		if (!(body->flags & FCGI_KEEP_CONN) && conn->state == DR_FCGI_CONN_OPEN)
			dr_fcgi_conn_finish(conn, true);
	} else if (dr_fcgi_conn_unsent(conn) > ASKING_MAX) {
		dr_fcgi_conn_lose(conn);
	} else {
		dr_timer_stop(&conn->patience);
		conn->fresh = false;
		conn->req = dr_fcgi_request_new(conn, id, body->flags & FCGI_KEEP_CONN);
	}
}

static void
on_begin(struct dr_fcgi_conn *conn, const struct dr_fcgi_record *record,
    const char *bytes, size_t len, bool last)
{
	if (!is_whole(conn, record, &bytes, &len, last))
		return;
	begin(conn, record->request_id, bytes, len);
	dr_strbuf_fini(&conn->control);
}

/* Records of request id 0 concern the connection. */
static void
on_management(struct dr_fcgi_conn *conn, const struct dr_fcgi_record *record,
    const char *bytes, size_t len, bool last)
{
	if (record->type == FCGI_GET_VALUES) {
		if (!is_whole(conn, record, &bytes, &len, last))
			return;
		dr_fcgi_add_values(
		    &conn->out, bytes, len, conn->server->options.max_connections);
		dr_strbuf_fini(&conn->control);
		replied(conn);
	} else if (last) {
		dr_fcgi_add_unknown_type(&conn->out, record->type);
		replied(conn);
	}
}

static void
on_abort(struct dr_fcgi_conn *conn)
{
	uint16_t id = conn->req->id;
	bool keep = conn->req->keep && !conn->server->stopping;
	bool unread = !conn->req->stdin_ended;

	dr_fcgi_conn_drop_request(conn);
	if (conn->state == DR_FCGI_CONN_CLOSED)
		return;
	add_end(conn, id);
	if (!keep)
		dr_fcgi_conn_finish(conn, unread);
}

/* Records of the running request. */
static void
on_request_record(struct dr_fcgi_conn *conn, const struct dr_fcgi_record *record,
    const char *bytes, size_t len, bool last)
{
	bool fine = true;

	if (record->type == FCGI_PARAMS)
		fine = dr_fcgi_request_params(conn->req, record, bytes, len);
	else if (record->type == FCGI_STDIN)
		fine = dr_fcgi_request_stdin(conn->req, record, bytes, len);
	else if (record->type == FCGI_ABORT_REQUEST && last)
		on_abort(conn);
	if (!fine) {
		dr_log_trace(fcgi, "fd %d: a record of type %u out of order", conn->fd,
		    record->type);
		dr_fcgi_conn_lose(conn);
	}
}

bool
dr_fcgi_on_record(void *arg, const struct dr_fcgi_record *record, const char *bytes,
    size_t len, bool last)
{
	struct dr_fcgi_conn *conn = arg;

	DR_CHECK(conn, DR_FCGI_CONN_MAGIC);
	if (record->request_id == FCGI_NULL_REQUEST_ID)
		on_management(conn, record, bytes, len, last);
	else if (record->type == FCGI_BEGIN_REQUEST)
		on_begin(conn, record, bytes, len, last);
	else if (conn->req != NULL && conn->req->id == record->request_id)
		on_request_record(conn, record, bytes, len, last);
	/* else: the rest of a request that is over, or was refused */
	return conn->state == DR_FCGI_CONN_OPEN;
}
