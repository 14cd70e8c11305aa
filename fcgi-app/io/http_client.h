/*
 * http_client - requests to providers (libcurl multi inside, nowhere else).
 *
 * Connections are kept and reused, HTTP/2 where asked for and offered; TLS always
 * verifies host and chain. Redirects are never followed; nothing is decompressed.
 *
 * Callbacks come from the loop, never from inside a call below, in this order:
 *   on_head once (never on failure before it), on_body any number of times, on_end
 * once. After dr_http_cancel() none comes. After on_end the transfer is gone. Time-outs
 * other than connecting are the caller's (dr_timer + dr_http_cancel).
 */
#ifndef DR_HTTP_CLIENT_H
#define DR_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "io/loop.h"

struct dr_http;     /* opaque: one per process */
struct dr_transfer; /* opaque: one exchange */

struct dr_http_options {
	unsigned max_idle_connections; /* kept open for reuse; too low = churn (2048 is
					  right) */
	unsigned max_host_connections; /* 0: no limit */
};

struct dr_http *dr_http_new(
    struct dr_loop *loop, const struct dr_http_options *options);
void dr_http_free(struct dr_http **http); /* cancels what runs; NULL is fine */
size_t dr_http_running(const struct dr_http *http);

enum dr_http_result {
	DR_HTTP_OK,        /* the answer is complete */
	DR_HTTP_REFUSED,   /* no connection: refused, DNS, TLS, connect time-out */
	DR_HTTP_RESET,     /* broke before the head was complete */
	DR_HTTP_STALE,     /* the kept connection was dead, and may_resend said no */
	DR_HTTP_CUT,       /* broke after the head: the body is not whole */
	DR_HTTP_BAD_ANSWER /* not HTTP, head too large */
};

struct dr_http_request {
	const char *method;         /* "POST"; borrowed during dr_http_start() only */
	const char *url;            /* copied by libcurl */
	const char *const *headers; /* "name: value" lines, NULL-terminated; copied.
				     * Host, Content-Length are added here; no Expect,
				     * no Accept-Encoding but "identity" */
	const struct dr_http_piece
	    *body;           /* pieces sent one after the other; the array and the
			      * bytes are BORROWED until on_head, on_end or cancel */
	size_t n_body;       /* 0: no body */
	const char *ca_file; /* PEM; NULL: the system's bundle file */
	unsigned connect_timeout_ms;
	bool http2;  /* offer HTTP/2 (ALPN over TLS); else HTTP/1.1 */
	bool stream; /* the answer trickles in: its memory counts, not its speed */

	void *arg;
	/*
	 * The kept connection that it went out over broke before a byte of the answer:
	 * may it be sent once more over a fresh one? NULL: yes. No call of this
	 * interface may be made inside.
	 */
	bool (*may_resend)(void *arg);
	void (*on_head)(void *arg, struct dr_transfer *transfer, int status);
	void (*on_body)(void *arg, const char *bytes, size_t len);
	/* `why`: one line for the log and the trace, never a secret; "" on DR_HTTP_OK
	 */
	void (*on_end)(void *arg, enum dr_http_result result, const char *why);
};

struct dr_http_piece {
	const char *data;
	size_t len;
};

struct dr_transfer *dr_http_start(
    struct dr_http *http, const struct dr_http_request *request);

/* Stop at once, close the connection; *transfer becomes NULL. Legal inside callbacks;
 * NULL is fine. */
void dr_http_cancel(struct dr_transfer **transfer);

/* Back-pressure: no on_body between pause and resume (which delivers from the loop).
 * Idempotent. */
void dr_http_pause(struct dr_transfer *transfer);
void dr_http_resume(struct dr_transfer *transfer);

/*
 * From on_head on: a response header of the final answer (name without colon, any
 * case); NULL where absent. Borrowed, valid until the next call on this transfer.
 */
const char *dr_http_header(struct dr_transfer *transfer, const char *name);
/* Content-Length of the answer, -1 where it has none. */
int64_t dr_http_content_length(struct dr_transfer *transfer);

/* Milliseconds from start to a usable connection (DNS, TCP, TLS), -1 while there is
 * none. */
int64_t dr_http_connect_ms(struct dr_transfer *transfer);

#endif
