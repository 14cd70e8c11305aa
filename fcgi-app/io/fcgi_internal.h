/*
 * fcgi_internal - what the files of the FastCGI edge know of one another; nobody else
 * includes it.
 *
 *   fcgi_server.c   listens, accepts, keeps the number of connections within bounds
 *   fcgi_conn.c     one connection: reads, writes at the end of the turn, closes
 *   fcgi_records.c  what a record means; the records an answer is made of
 *   fcgi_request.c  one request: its params, its body, what the gateway may ask of it
 *   fcgi_wire.c     the records themselves
 *
 * A connection lives in its server's list, a request hangs on its connection. Callbacks
 * of the gateway may end requests, and close connections or the server, while code here
 * is on the stack: so a closed connection keeps its memory until the end of the loop
 * turn.
 */
#ifndef DR_FCGI_INTERNAL_H
#define DR_FCGI_INTERNAL_H

#include "base/list.h"
#include "base/log.h"
#include "base/limits.h"
#include "io/fcgi_conn.h"
#include "io/fcgi_wire.h"

/* One read takes at most this much; all connections share the buffer. */
#define DR_FCGI_READ_BYTES (64 * 1024)

struct dr_fcgi {
	unsigned magic;
#define DR_FCGI_MAGIC 0xfc610001
	struct dr_loop *loop; /* borrowed */
	struct dr_fcgi_options options;
	int listen_fd;           /* owned; -1 once it accepts no more */
	struct dr_io *listener;  /* owned; NULL once it accepts no more */
	bool tcp;                /* connections want TCP_NODELAY */
	bool stopping;           /* a connection closes after its request */
	bool closed;             /* dr_fcgi_free() was called */
	bool starved;            /* the last accept met EMFILE or the like */
	struct dr_timer retry;   /* after EMFILE: try to accept again */
	struct dr_deferred bury; /* frees the server behind its last connection */
	struct dr_list conns;    /* of struct dr_fcgi_conn */
	size_t n_conns;
	char *input; /* owned: DR_FCGI_READ_BYTES */
};

/*
 * OPEN       reads records; a request may be running
 * FLUSHING   no further request: what is gathered goes out, input is thrown away
 * LINGERING  all is out and said to be; a peer that still sends is let finish, since it
 *            would lose the answer if its bytes met a closed socket
 *
 * CLOSED     freed at the end of the turn
 */
enum dr_fcgi_conn_state {
	DR_FCGI_CONN_OPEN,
	DR_FCGI_CONN_FLUSHING,
	DR_FCGI_CONN_LINGERING,
	DR_FCGI_CONN_CLOSED
};

struct dr_fcgi_conn {
	unsigned magic;
#define DR_FCGI_CONN_MAGIC 0xfc610002
	enum dr_fcgi_conn_state state;
	int fd;                 /* owned; -1 once closed */
	bool at_eof;            /* the peer sends nothing more */
	bool unread;            /* closing now would leave input unread */
	bool fresh;             /* no request has come over it yet */
	bool was_high;          /* unsent rose above DR_OUT_HIGH_WATER */
	struct dr_fcgi *server; /* borrowed; outlives its connections */
	struct dr_list node;    /* in server->conns */
	struct dr_io *io;       /* owned; NULL once closed */
	struct dr_deferred turn_end;
	struct dr_timer patience; /* for a peer that neither reads nor goes */
	struct dr_fcgi_reader reader;
	struct dr_strbuf control; /* a BEGIN or GET_VALUES cut in two; mostly empty */
	struct dr_strbuf out;
	size_t out_start; /* bytes of `out` already written */
	size_t
	    open_record; /* 1 + start in `out` of the record that can grow; 0: none */
	struct dr_fcgi_request *req; /* owned; NULL between requests */
};

/* In the order of a request's life; GONE while on_gone runs. */
enum dr_fcgi_phase {
	DR_FCGI_READS_PARAMS,
	DR_FCGI_READS_BODY,
	DR_FCGI_RUNS,
	DR_FCGI_GONE
};

struct dr_fcgi_param {
	uint32_t name, name_len;
	uint32_t value;
}; /* offsets into the params' bytes */

struct dr_fcgi_request {
	unsigned magic;
#define DR_FCGI_REQUEST_MAGIC 0xfc610003
	enum dr_fcgi_phase phase;
	enum dr_fcgi_fault fault;
	uint16_t id;
	bool keep; /* FCGI_KEEP_CONN */
	bool stdin_ended;
	bool length_known; /* CONTENT_LENGTH is `body.max` */
	unsigned n_params;
	struct dr_fcgi_conn *conn;   /* borrowed */
	void *arg;                   /* the gateway's, for on_gone and on_drain */
	struct dr_strbuf params;     /* the wire's pairs; later "name\0value\0"... */
	struct dr_fcgi_param *table; /* owned: n_params, in the order of arrival */
	struct dr_strbuf body;
};

/* ---- fcgi_conn.c ---- */

void dr_fcgi_conn_new(struct dr_fcgi *server, int fd); /* fd is owned from now on */
static inline size_t
dr_fcgi_conn_unsent(const struct dr_fcgi_conn *conn)
{
	return conn->out.len - conn->out_start;
}
/* Look after output, state and interest at the end of this turn. */
void dr_fcgi_conn_at_turn_end(struct dr_fcgi_conn *conn);
/*
 * Nobody reads the answer of the request, if one runs. on_gone is told only of what was
 * handed over; it may close the connection (dr_fcgi_free), so look at conn->state
 * afterwards.
 */
void dr_fcgi_conn_drop_request(struct dr_fcgi_conn *conn);
/*
 * The last request is answered: send what is gathered, then close. `unread`: the peer
 * may still be sending, so linger.
 */
void dr_fcgi_conn_finish(struct dr_fcgi_conn *conn, bool unread);
/* The peer is lost or of no use: on_gone for what runs, then close. Idempotent. */
void dr_fcgi_conn_lose(struct dr_fcgi_conn *conn);
/* The server drains: close when nothing is under way or on its way. */
void dr_fcgi_conn_drain(struct dr_fcgi_conn *conn);

/* ---- fcgi_records.c ---- */

/* The reader's callback; arg: the connection. False: no more input is wanted. */
bool dr_fcgi_on_record(void *arg, const struct dr_fcgi_record *record,
    const char *bytes, size_t len, bool last);

/* ---- fcgi_server.c ---- */

/* A connection is closed: there is room for another one. */
void dr_fcgi_room(struct dr_fcgi *server);

/* ---- fcgi_request.c ---- */

struct dr_fcgi_request *dr_fcgi_request_new(
    struct dr_fcgi_conn *conn, uint16_t id, bool keep);
void dr_fcgi_request_free(struct dr_fcgi_request **req);
/*
 * A slice of a PARAMS or STDIN record. The call that completes the request runs
 * on_request, which may end it: `req` may be gone afterwards. False: the peer breaks
 * the protocol.
 */
bool dr_fcgi_request_params(struct dr_fcgi_request *req,
    const struct dr_fcgi_record *record, const char *bytes, size_t len) DR_MUSTCHECK;
bool dr_fcgi_request_stdin(struct dr_fcgi_request *req,
    const struct dr_fcgi_record *record, const char *bytes, size_t len) DR_MUSTCHECK;

#endif
