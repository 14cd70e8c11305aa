/*
 * request - one call of a client, from its FastCGI params to its line in the access
 * log.
 *
 * The life of a request is gateway/steps.c; what it does on the way is in attempt.c
 * (one try at a provider), relay.c (the answer on its way to the client), reply.c
 * (heads and bodies that are ours) and settlement.c (what it cost, in one receipt). All
 * of them work on this struct.
 *
 * Owner: the gateway. It is freed at the end of the loop turn in which it reached DONE.
 */
#ifndef DR_REQUEST_H
#define DR_REQUEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errors.h"
#include "base/list.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "dialects/dialect.h"
#include "gateway/admission.h"
#include "gateway/api_key.h"
#include "gateway/breaker.h"
#include "gateway/handler.h"
#include "gateway/providers.h"
#include "gateway/routing.h"
#include "gateway/session.h"
#include "io/fcgi_conn.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "io/store.h"

struct dr_gateway;

#define DR_REQ_STATES(X)                                                               \
	X(RECEIVE, "find the endpoint, read the headers and scan the body")            \
	X(ADMIT, "check the key; book the worst case against its limits")              \
	X(ROUTE, "choose the next provider and take one of its slots")                 \
	X(SEND, "send upstream, wait for an answer worth passing on")                  \
	X(RELAY, "pass the answer on as it arrives")                                   \
	X(ANSWER, "send a local answer, an error body or the in-stream error")         \
	X(SETTLE, "book what was really used, write the log line")                     \
	X(DONE, "nothing left to do; freed when the loop turns")

enum dr_req_state {
#define X(name, doc) DR_REQ_##name,
	DR_REQ_STATES(X)
#undef X
	    DR_REQ_N_STATES,
	DR_REQ_WAIT = -1 /* not a state: a callback will go on */
};

#define DR_MAX_ATTEMPTS 8  /* ceiling of the setting max_attempts */
#define DR_MAX_TRIED    24 /* with providers that were found full */
#define DR_ATTEMPT_WHY  96 /* with the NUL */

/* One finished or running try at a provider: for the receipt and the log. */
struct dr_attempt {
	struct dr_provider *provider; /* borrowed from `tried` */
	int status;                   /* HTTP status, 0 while or where there was none */
	enum dr_outcome outcome;
	uint32_t ms; /* from start to its end or to the head that went out */
	char *why;   /* owned; one line for the receipt, NULL: all went well */
};

/* The exchange with the provider that is under way (attempt.c). */
struct dr_exchange {
	struct dr_transfer *transfer;   /* owned; NULL outside SEND and RELAY */
	struct dr_provider_lease lease; /* the provider's slot */
	struct dr_timer
	    timer; /* response_timeout, idle_timeout or the wait before a second try */
	struct dr_timer
	    failover; /* failover_after (streams, probes), first_token_timeout */
	struct dr_edit *edits; /* owned; until the body is sent */
	struct dr_http_piece pieces[2 * DR_MAX_EDITS + 1];
	uint64_t started_ms;
	int status;     /* of the head; 0 before it */
	bool is_stream; /* the answer is an event stream */
	bool head_in;
	bool ended;             /* the upstream's last byte is in */
	int64_t retry_after_ms; /* the provider's own; -1: none */
	int64_t content_length; /* -1: none */
	struct dr_strbuf held;  /* a unary or error answer; a stream's bytes before its
				   head goes out */
	struct dr_tap *tap;     /* owned; streams */
	const char *rename;     /* the provider's name of the model, where its answer is
				   to say the caller's again; NULL: left as it is */
	struct dr_strbuf slices; /* with rename: of the events at hand */
};

/* Reading on after the client has left (drain.c). */
struct dr_drain {
	bool began, runs;
	struct dr_timer timer;
	uint64_t bytes;
};

/* What it refers to, and whose that is (bound.c). */
struct dr_bound {
	struct dr_mark marks[DR_MAX_BINDINGS];
	size_t n;
	struct dr_store_call call;
	char org[DR_MAX_PROVIDER_ORG + 1]; /* "": anybody may answer */
	bool failed;                       /* Redis could not be asked */
	bool unstored;    /* store is false: its own answer cannot be referred to */
	bool id_noted;    /* of its own answer: told to Redis ... */
	unsigned n_noted; /* ... and so many encrypted pieces */
};

struct dr_request {
	unsigned magic;
#define DR_REQUEST_MAGIC 0x4e91a5d3
	enum dr_req_state state;
	bool running;                 /* inside dr_request_go(): not re-entered */
	struct dr_gateway *gw;        /* borrowed; outlives every request */
	struct dr_config *config;     /* a reference: the rules it began with */
	struct dr_list node;          /* in gw->requests */
	struct dr_fcgi_request *edge; /* NULL once the client is gone or answered */
	struct dr_deferred reap;

	char id[DR_REQUEST_ID_SIZE];
	const struct dr_handler *handler; /* NULL: no such endpoint */
	enum dr_dialect_id shape;         /* of errors */
	char method[12];
	char path[160]; /* without the query; cut where it is longer (then no route) */
	bool path_cut;

	/* what is wrong, first cause only */
	enum dr_error err;
	char message[DR_ERROR_TEXT]; /* the caller's text */
	char *long_message; /* owned; instead of message where it is longer (lists of
			       models) */
	int64_t retry_after_ms; /* -1: as in the catalogue */

	/* the key and what it may */
	struct dr_api_key key;
	bool preflight; /* OPTIONS: answered with CORS headers */
	bool key_presented;
	bool has_key;                         /* ... and it has the form of a key */
	struct dr_session_read *session_read; /* owned; NULL: no token of a session */
	const struct dr_session *session;     /* in it; NULL until it is known to run */
	struct dr_ticket ticket;
	bool admitted; /* the ticket holds a booking to settle */
	bool admit_pending;
	enum dr_admit_mode admit_mode;

	/* the call */
	struct dr_body_facts facts;
	const struct dr_model *asked; /* borrowed from config: what the body names */
	const struct dr_model *model; /* the same, or the fallback that serves */
	unsigned n_fallbacks;         /* of asked->fallback that were looked at */
	uint64_t affinity;            /* its conversation; 0: none */
	struct dr_bound bound;
	const struct dr_price *price; /* the row in force when the request started */
	int64_t price_ppm;            /* what the request's variants multiply it by */
	struct dr_attempt attempts[DR_MAX_ATTEMPTS];
	unsigned n_attempts;
	struct dr_tried
	    tried[DR_MAX_TRIED]; /* attempts and providers found full; references */
	unsigned n_tried;
	unsigned n_sent;       /* attempts that reached out to a provider */
	bool second_try_used;  /* the same provider once more, at most once */
	bool taking;           /* up.lease waits for Redis' word */
	bool leased;           /* up.lease is ours: SEND may start */
	struct dr_timer pause; /* before the same provider is asked once more */
	struct dr_exchange up;

	/* the answer */
	bool head_sent;      /* status is out: no other status, no retry */
	bool passed_through; /* the body is the provider's own error */
	int status;          /* what the client was told */
	uint64_t bytes_out;
	bool paused;                /* upstream waits for the client */
	struct dr_strbuf answer;    /* a provider's error on its way through */
	struct dr_strbuf more_head; /* of a local answer */
	char *provider_text; /* owned; what a provider said last, for receipt and 502;
				NULL: nothing */
	struct dr_usage usage;
	struct dr_strbuf raw_usage;
	bool estimated;
	bool broken; /* the answer must not look complete: break the connection */
	uint64_t body_bytes; /* of the request */
	uint64_t costed_ms;  /* when cost_so_far was last computed */
	struct dr_timer keepalive;
	struct dr_drain drain;

	/* times: dr_clock_ms(), 0 where it did not happen */
	uint64_t received_ms, first_byte_ms, ended_ms;
	int64_t received_wall_ms;
	uint64_t arrived_us, asked_us; /* dr_clock_us(): arrival, admission's call */
	uint64_t piece_ms;             /* the stream's last piece */
	enum dr_req_state
	    ended_in; /* state in which the request was decided: for the end code */
	void *local;  /* a LOCAL handler's own state, freed by free() ... */
	void (*cancel_local)(void *local); /* ... after this; NULL is fine */
	/* Its answer has been read down to DR_OUT_LOW_WATER, having been above
	 * DR_OUT_HIGH_WATER. NULL is fine. */
	void (*drained_local)(void *local);
};

/* Run steps until one has to wait. Every callback ends by calling this. */
void dr_request_go(struct dr_request *req, enum dr_req_state next);

/* A request arrived (dr_fcgi_options.on_request). */
void dr_request_new(void *gateway, struct dr_fcgi_request *edge);
/* The client went away. Legal in every state, any number of times. */
void dr_request_gone(void *request);
/* The drain time is over: end it now, with the dialect's own error where the head is
 * out. */
void dr_request_shutdown(struct dr_request *req);

/*
 * Something failed: keep the first cause and its text (the arguments are those of the
 * catalogue's message) and go to ANSWER: an error body or, once the head is out, the
 * in-stream error.
 */
enum dr_req_state dr_fail(struct dr_request *req, enum dr_error err, ...);
/* The same for a LOCAL handler's callbacks. */
void dr_request_fail(struct dr_request *req, enum dr_error err, ...);

/* What follows the handler's path ("/v1/models/" -> "claude-sonnet-4-6"); "" where
 * nothing does. */
const char *dr_request_rest(const struct dr_request *req);
const char *dr_request_query(
    const struct dr_request *req, const char *name, char *out, size_t out_size);

/* ---- session_gate.c ---- */

/* The token of a session among the headers is noted, not judged: the endpoint may need
 * none. Before the request's id is made, which names the account. */
void dr_session_gate_note(struct dr_request *req);
/* Does the call come from a page of public_url, as the browser says? */
bool dr_session_gate_same_origin(const struct dr_request *req);
/* Let the handler answer once the session is known to run; else 401, 403 or 429. */
enum dr_req_state dr_session_gate(struct dr_request *req);

/* ---- reply.c ---- */

/* Write the head: status, standard headers, `extra` ("name: value\r\n" lines, or "").
 * length -1: none. */
void dr_reply_head(struct dr_request *req, int status, const char *content_type,
    int64_t length, const char *extra);
void dr_reply_body(struct dr_request *req, const char *bytes, size_t len);
/* A whole local answer; ends the request. */
void dr_reply_json(struct dr_request *req, int status, const struct dr_strbuf *body);
void dr_reply_text(
    struct dr_request *req, int status, const char *content_type, const char *text);
/* One more line for the head of the local answer that follows; nothing from outside may
 * be in it unchecked. */
void dr_reply_more_head(struct dr_request *req, const char *name, const char *value);
/* 204 with CORS headers. */
void dr_reply_preflight(struct dr_request *req);
/* The error of req->err as a body, or as the stream's own error event. */
void dr_reply_error(struct dr_request *req);

/* Choose a provider not tried yet (again: or one that may be asked once more); wait_ms
 * (may be NULL): until that may change, -1 unknown. Pure. */
enum dr_error dr_request_choose(
    struct dr_request *req, bool again, struct dr_provider **out, int64_t *wait_ms);

/* ---- attempt.c ---- */

/* Ask the provider whose slot up.lease holds; goes on by itself. */
void dr_attempt_start(struct dr_request *req);
/* Stop what runs and give the slot back; idempotent. */
void dr_attempt_stop(struct dr_request *req);
/* What the provider said of an error: kept for the receipt, cut where it is long. */
void dr_attempt_note_text(struct dr_request *req, const char *text);
/* Note how the running attempt ended, tell the breaker, give the slot back, forget the
 * transfer. */
void dr_attempt_finish(
    struct dr_request *req, enum dr_outcome outcome, const char *why);

/* ---- relay.c ---- */

/* The answer is an event stream: listen to it. */
void dr_relay_tap(struct dr_request *req);
/* The answer is worth passing on: send our head and what was held. */
void dr_relay_begin(struct dr_request *req);
void dr_relay_bytes(
    struct dr_request *req, const char *bytes, size_t len); /* from upstream */
void dr_relay_ended(
    struct dr_request *req, enum dr_http_result result, const char *why);
void dr_relay_drained(void *request); /* dr_fcgi_options.on_drain */

#endif
