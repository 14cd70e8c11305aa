/*
 * http_client_internal - what the three files of http_client share; nobody else
 * includes it.
 *
 *   http_client.c           transfers: start, cancel, pause, the verdict at the end
 *   http_client_exchange.c  one easy handle: what it is told, what it tells
 *   http_client_engine.c    the multi handles: curl's sockets and timers on our loop
 */
#ifndef DR_HTTP_CLIENT_INTERNAL_H
#define DR_HTTP_CLIENT_INTERNAL_H

#include <curl/curl.h>

#include "base/dr_assert.h"
#include "base/list.h"
#include "io/http_client.h"

#define HTTP_BUCKETS 256 /* hosts, hashed, for counting idle connections */

#define SET(easy, option, value)                                                       \
	DR_ASSERT(curl_easy_setopt(easy, option, value) == CURLE_OK)

struct http_engine {
	CURLM *multi;          /* owned */
	struct dr_http *http;  /* borrowed; contains this */
	struct dr_timer timer; /* may fire early: curl then asks again */
	bool kick;             /* curl wants to run at the end of this turn */
	bool look_again;       /* HTTP/2: a stream was broken off */
	/* idle easy handles, after a clean end, newest last: [1] those for streams */
	struct dr_list pool[2];
	unsigned n_pooled[2];
};

enum { HTTP_PLAIN, HTTP_MULTIPLEX, HTTP_N_ENGINES }; /* HTTP/1.1 only; HTTP/2 offered */

struct dr_http {
	unsigned magic;
#define HTTP_MAGIC 0x477b0001
	struct dr_loop *loop; /* borrowed */
	struct http_engine engines[HTTP_N_ENGINES];
	struct dr_list running;   /* transfers known to curl */
	struct dr_list waiting;   /* started inside curl: to be added */
	struct dr_list cancelled; /* inside curl: to be removed */
	struct dr_list resumed;   /* by resume_node: curl holds bytes for them */
	size_t n_running;
	struct dr_deferred at_turn_end;
	bool in_curl;     /* a curl call that may call back is on the stack */
	bool in_turn_end; /* so what wants to run at once waits for the next turn */
	bool fresh_when_busy;
	struct http_watch **watches; /* by descriptor */
	size_t n_watches;
	unsigned idle[HTTP_BUCKETS]; /* connections between two exchanges, by host */
};

/* A descriptor that curl has named: a connection, or the resolver's wake-up pipe. */
struct http_watch {
	unsigned magic;
#define WATCH_MAGIC 0x477b0002
	int fd;                     /* borrowed */
	struct http_engine *engine; /* borrowed; set once curl asks for it */
	struct dr_io *io;           /* owned; NULL until curl asks for it */
	unsigned wanted;            /* DR_IO_* that curl asks for */
	unsigned watched;           /* DR_IO_* that io is set to: may still have READ */
	bool connection;            /* ours: made in open_socket() */
	bool idle;                  /* counted in http->idle[bucket] */
	unsigned bucket;
};

struct dr_transfer {
	unsigned magic;
#define TRANSFER_MAGIC 0x477b0003
#define POOLED_MAGIC   0x477b0004
	enum { WAITING, RUNNING, CANCELLED, ENDING } state;
	struct dr_list node, resume_node;
	struct dr_http *http;       /* borrowed */
	struct http_engine *engine; /* borrowed */
	CURL *easy;                 /* owned */
	bool stream;                /* easy is set up for one */
	void *arg;
	bool (*may_resend)(void *arg); /* or NULL */
	void (*on_head)(void *arg, struct dr_transfer *transfer, int status);
	void (*on_body)(void *arg, const char *bytes, size_t len);
	void (*on_end)(void *arg, enum dr_http_result result, const char *why);
	bool head_done;      /* the final head is complete: on_head was called */
	bool sent;           /* over a connection; a new one from then on: to resend */
	bool stale;          /* and may_resend() said no */
	const char *refused; /* why we do not take the answer; NULL: we do */
	bool paused;         /* the caller wants no bytes */
	bool held;           /* curl was refused some and keeps them */
	size_t head_bytes;
	int64_t named_length; /* by the head's content-length; -1: not yet */

	const struct dr_http_piece *pieces; /* what read_body() hands out */
	struct dr_http_piece rest;          /* where pieces points once it is ours */
	size_t n_pieces, piece, offset;     /* place in the pieces */
	size_t body_len, body_read;
	char *body_copy; /* owned; NULL: none */

	struct curl_slist *lines; /* owned, with line_text: the header lines */
	char *line_text;
	size_t n_lines, line_bytes; /* allocated */
	char *url, *ca_file;        /* owned: what easy is set to */
	CURLU *parsed_url;          /* owned; NULL where curl cannot read it */
	unsigned bucket;            /* of the URL's host */
	char error[CURL_ERROR_SIZE];
};

/* engine */
void dr_http_engine_init(
    struct dr_http *http, int which, const struct dr_http_options *options);
void dr_http_engine_fini(struct http_engine *engine); /* closes its connections */
void dr_http_watches_free(struct dr_http *http);
void dr_http_end_turn(struct dr_deferred *work); /* of http->at_turn_end */
void dr_http_add(struct dr_transfer *transfer);  /* to curl; not inside it */
curl_socket_t dr_http_open_socket(void *arg, curlsocktype purpose,
    struct curl_sockaddr *address);                    /* arg: the transfer */
int dr_http_close_socket(void *arg, curl_socket_t fd); /* arg: http */

/* exchange */
void dr_http_exchange_init(struct dr_transfer *transfer);   /* once per easy handle */
void dr_http_exchange_prepare(struct dr_transfer *transfer, /* once per request */
    const struct dr_http_request *request);
void dr_http_drop_body(struct dr_transfer *transfer);

static inline bool
dr_http_multiplexes(const struct http_engine *engine)
{
	return engine == &engine->http->engines[HTTP_MULTIPLEX];
}

/* client */
void dr_http_take_out(struct dr_transfer *transfer, bool clean); /* not inside curl */
void dr_http_destroy(struct dr_transfer *transfer);
void dr_http_finish(struct dr_transfer *transfer, CURLcode code); /* calls on_end */

#endif
