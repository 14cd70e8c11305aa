/*
 * fcgi_conn - the FastCGI responder's side of the web server's connections.
 *
 * One listening socket, many connections, one request at a time on each (multiplexing
 * is refused by FCGI_CANT_MPX_CONN); FCGI_KEEP_CONN keeps a connection for the next
 * one.
 *
 * A request is handed over (`on_request`) when its params and its whole body are in, or
 * as soon as something is wrong with it. From then on the receiver must end it with
 * dr_fcgi_end() or dr_fcgi_break(), or learn by `on_gone` that nobody reads the answer
 * any more (connection closed, FCGI_ABORT_REQUEST): exactly one of the two. A request
 * may be ended inside on_request.
 *
 * Output is gathered and written at the end of the loop turn. Callbacks come from the
 * loop only, on_gone also from dr_fcgi_free(). Any call below is fine inside any
 * callback.
 */
#ifndef DR_FCGI_CONN_H
#define DR_FCGI_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "io/loop.h"

struct dr_fcgi;         /* opaque: the server, one per process */
struct dr_fcgi_request; /* opaque: one request */

enum dr_fcgi_fault {
	DR_FCGI_FINE,
	DR_FCGI_PARAMS_TOO_LARGE, /* above DR_MAX_PARAMS_BYTES; those that fit are kept
				   */
	DR_FCGI_BODY_TOO_LARGE,   /* above max_body; the body is empty, its rest ignored
				   */
	DR_FCGI_BAD_PARAMS,       /* name-value lengths outside their block */
	DR_FCGI_BODY_SHORT        /* CONTENT_LENGTH names more bytes than came */
};

struct dr_fcgi_options {
	size_t max_body;          /* bytes */
	unsigned max_connections; /* accept no more above it (0: from the fd limit) */
	void *arg;
	void (*on_request)(void *arg, struct dr_fcgi_request *req);
	/* The client left. The request may still be read, and dies after the call. */
	void (*on_gone)(void *request_arg);
	/* Unsent fell below DR_OUT_LOW_WATER, having been above DR_OUT_HIGH_WATER. */
	void (*on_drain)(void *request_arg);
};

/*
 * Open a listening socket: "unix:/path" (mode as given, group NULL = unchanged; a stale
 * socket file nobody answers on is replaced, a live one is an error) or "host:port". -1
 * with one line in err. May block to look a name up: for start-up only.
 */
int dr_fcgi_listen(const char *address, unsigned mode, const char *group, int backlog,
    char *err, size_t err_size) DR_MUSTCHECK;

/* Serve on listen_fd (owned from now on; 0 is fine). Options are copied. */
struct dr_fcgi *dr_fcgi_new(
    struct dr_loop *loop, int listen_fd, const struct dr_fcgi_options *options);
/* For requests from now on. */
void dr_fcgi_set_max_body(struct dr_fcgi *server, size_t max_body);
/*
 * Drain: the listening socket closes, idle connections close, the others after their
 * request. Who has connected or sent a request already is still served. Idempotent.
 */
void dr_fcgi_stop_accepting(struct dr_fcgi *server);
size_t dr_fcgi_connections(const struct dr_fcgi *server);
/* Close everything at once; on_gone is called for running requests. NULL is fine. */
void dr_fcgi_free(struct dr_fcgi **server);

/* ---- a request ---- */

/* What on_gone and on_drain get; before on_request returns. */
void dr_fcgi_set_arg(struct dr_fcgi_request *req, void *request_arg);
enum dr_fcgi_fault dr_fcgi_fault(const struct dr_fcgi_request *req);

/*
 * A param by name ("REQUEST_METHOD", "HTTP_X_API_KEY"): NUL-terminated, borrowed until
 * the end; NULL where absent. Of two with one name the first counts. A pair with a NUL
 * byte inside counts as absent.
 */
const char *dr_fcgi_param(const struct dr_fcgi_request *req, const char *name);
/* The i-th pair, in the order of arrival; false beyond the last. For header
 * allow-lists. */
bool dr_fcgi_param_at(
    const struct dr_fcgi_request *req, size_t i, const char **name, const char **value);

/* The body: borrowed until dr_fcgi_drop_body() or the end; followed by a NUL. */
const char *dr_fcgi_body(const struct dr_fcgi_request *req, size_t *len);
/* Give the body's memory back early. */
void dr_fcgi_drop_body(struct dr_fcgi_request *req);
/* The same for the params (streams): dr_fcgi_param() finds nothing afterwards. */
void dr_fcgi_drop_params(struct dr_fcgi_request *req);

/*
 * Append to FCGI_STDOUT: the CGI head ("Status: 200\r\n...\r\n\r\n"), then the body.
 * Copied. Nothing inside on_gone.
 */
void dr_fcgi_write(struct dr_fcgi_request *req, const char *bytes, size_t len);
/* Bytes that wait, with the records' headers: compare with DR_OUT_HIGH_WATER. */
size_t dr_fcgi_unsent(const struct dr_fcgi_request *req);

/* The answer is complete. `req` is gone. */
void dr_fcgi_end(struct dr_fcgi_request **req);
/*
 * The answer is broken off: what was written so far is still delivered, then the
 * connection closes without the marks of a complete answer, so that a web server which
 * can tell will not take it for one. `req` is gone.
 */
void dr_fcgi_break(struct dr_fcgi_request **req);

#endif
