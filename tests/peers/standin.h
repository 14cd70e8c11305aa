/*
 * standin - a provider that is not one: it speaks the three APIs well enough for the
 * official SDKs, and misbehaves in every way that a gateway has to survive.
 *
 * It keeps no state between requests (one exception: [[fail first=N id=X]]). What it
 * does is said by the request itself: by the model's name ("fake/NAME", "fake-NAME") or
 * by directives anywhere in the body, "[[name key=value ...]]". README.md lists them.
 *
 * A request becomes a plan (standin_request.c, standin_faults.c), a plan becomes bytes
 * (standin_send.c, standin_answers.c), and the end of it a line in the log.
 *
 * Thread: one, the loop's. Time: milliseconds of the monotonic clock.
 */
#ifndef DR_STANDIN_H
#define DR_STANDIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/* ---- loop: standin_loop.c ---- */

/* One watched descriptor, embedded in its owner; edge-triggered for connections. */
struct watch {
	void (*ready)(struct watch *watch, uint32_t events);
};

/* A one-shot timer, embedded in its owner, which stops it before it dies. */
struct timer {
	uint64_t at_ms;
	size_t slot; /* place in the heap + 1; 0 while stopped */
	void (*fire)(struct timer *timer);
};

void standin_loop_open(void);
void standin_loop_add(int fd, uint32_t events, struct watch *watch);
void standin_loop_run(void); /* until standin_loop_stop() */
void standin_loop_stop(void);
uint64_t standin_now_ms(void); /* read once per turn */
void standin_timer_start(struct timer *timer, uint64_t delay_ms);
void standin_timer_stop(struct timer *timer); /* idempotent */

/* ---- what was asked: standin_http.c, standin_request.c ---- */

enum route {
	ROUTE_MESSAGES, /* the first three are the dialects */
	ROUTE_CHAT,
	ROUTE_RESPONSES,
	ROUTE_COUNT_TOKENS,
	ROUTE_MODELS,
	ROUTE_STATS, /* GET /standin: the stand-in's own counters */
	ROUTE_UNKNOWN
};

#define MAX_MODEL    256
#define MAX_PATH     512
#define MAX_REQ_HEAD (256 * 1024)
#define MAX_REQ_BODY (256 * 1024 * 1024)

struct request {
	enum route route;
	char method[16];
	char path[MAX_PATH]; /* with the query */
	char auth[256];      /* x-api-key, or what follows "Bearer " */
	char version[64];    /* anthropic-version */
	bool http10;
	bool keep_alive;
	bool expect_continue;
	bool chunked;
	uint64_t content_length;

	/* of the body's top level, raw as between the quotes; "" where absent */
	char model[MAX_MODEL];
	int64_t max_tokens; /* -1: absent */
	bool stream;
	bool include_usage;
	size_t body_bytes;
	uint32_t checksum; /* FNV-1a of the body; only with --log */
};

/* ---- what will be done: the plan ---- */

enum framing { FRAME_LENGTH, FRAME_CHUNKED, FRAME_CLOSE };

/* How the answer's bytes end, when it is not in peace. */
enum ending {
	END_CLEAN,
	END_CLOSE, /* FIN where more was promised */
	END_RESET  /* RST */
};

enum when { BEFORE_HEAD, MID_HEAD, NO_WAY };

enum content { KIND_TEXT, KIND_THINKING, KIND_TOOL };

/* Four disjoint counts, as DeRouter keeps them; each dialect adds them up its own way.
 */
struct tokens {
	int64_t in, out, cache_read, write_5m, write_1h;
	int64_t write;     /* cache writes without naming a lifetime */
	int64_t reasoning; /* part of out */
	int64_t searches;
	bool absent;      /* the answer says nothing of usage */
	bool output_only; /* message_delta names only output_tokens */
	bool nulls;       /* message_delta has null for the others */
};

#define NEVER (-1)

struct plan {
	char fault[48]; /* the row that shaped it, for the log; "" for none */

	/* the head */
	int status;
	const char *type; /* content-type; static */
	enum framing framing;
	struct dr_strbuf header; /* more header lines, each with CRLF */
	int informational;       /* 1xx sent first; 0: none */
	size_t head_filler;      /* bytes of padding headers */
	int64_t length_extra;    /* added to a truthful Content-Length */
	const char *raw;         /* bytes instead of HTTP, then close; static */

	/* the body */
	bool sse;
	const char *body; /* instead of the route's own answer; static */
	enum content kind;
	struct tokens tokens;
	int64_t events;      /* deltas */
	int64_t event_bytes; /* text of one; 0: a short word */
	bool stamp;          /* each delta's text begins with "@microseconds@" */
	bool utf8;           /* text of 2, 3 and 4 byte characters */
	bool no_space, bom, comments;
	char eol[3];         /* of SSE lines */
	char stop[32];       /* stop reason, in Anthropic's words */
	char error_type[64]; /* of an in-stream error */
	bool failed_event;   /* Responses: response.failed rather than error */
	bool gzip, no_done, truncate_json;

	/* time */
	int64_t head_ms, first_ms, gap_ms;
	int64_t piece;    /* bytes per write; 0: as they come */
	int64_t piece_ms; /* between two pieces */

	/* trouble; events are counted as written, message_start being the first */
	enum when refuse; /* end before the head, or inside it */
	bool silent;      /* never answer */
	bool bad_chunk;
	enum ending ending;
	int64_t cut_events, cut_bytes, early_events, stall_events;
	int64_t malformed_event, error_event, huge_event, line_event;
	int64_t filler; /* bytes put into the huge event, line or text */
};

/* ---- one connection ---- */

enum phase { PHASE_READ, PHASE_HEAD, PHASE_BODY, PHASE_LAST };

struct conn {
	unsigned magic;
#define CONN_MAGIC 0x57a4d100
	int fd;
	struct watch watch;
	struct timer timer;
	struct conn *prev, *next; /* all connections */
	enum phase phase;
	bool broken; /* the other side is gone */

	struct dr_strbuf in;
	size_t head_len;            /* of the request; 0 until it is whole */
	size_t chunk_at, chunk_out; /* decoding of a chunked body */
	struct request req;

	struct plan plan;
	struct dr_strbuf payload; /* of the body, not yet framed */
	struct dr_strbuf suffix;  /* payload that follows the filler */
	struct dr_strbuf out;     /* bytes to write */
	size_t out_at;            /* how many of them are written */
	int64_t filler_left;
	int64_t event;   /* the next one's index */
	bool pausing;    /* the timer is the pause before `event` */
	bool pause_over; /* ... and has fired */
	bool ended;      /* the payload is complete */
	bool cut;        /* ... because a fault cut it */
	bool unread;     /* bytes wait in the socket, but `in` is full enough */

	struct dr_strbuf log; /* the line so far */
	uint64_t began_ms, first_ms;
	uint64_t payload_bytes, wire_bytes;
	uint64_t serial; /* number of the request in this process */
};

struct conn *standin_conn_new(int fd);
void standin_conn_close(struct conn *conn, bool reset);
void standin_conn_done(struct conn *conn); /* answered; wait for the next request */
void standin_conn_close_all(void);

/* standin_send.c: go on as far as possible. May free `conn`. */
void standin_send(struct conn *conn);
/* Append the head of the answer to conn->out; payload_len: of a FRAME_LENGTH body. */
void standin_head(struct conn *conn, uint64_t payload_len);

/* ---- from body to plan ---- */

enum route standin_route(const char *method, const char *path);
void standin_body_facts(struct request *req, const char *body, size_t len);
/* Fill conn->plan for the request whose body this is. */
void standin_plan(struct conn *conn, const char *body, size_t len);
void standin_plan_free(struct plan *plan);

/* "[[fault cut-after=3 reset=1]]": name fault, word cut-after, n=3, then pairs. */
struct directive {
	char name[32];
	char word[48];
	struct {
		char key[32], value[64];
	} pair[12];
	unsigned pairs;
};

/* Read one directive's inside ("fault 429 retry-after=3"); false: it is none. */
bool standin_directive(const char *text, size_t len, struct directive *out);
const char *standin_value(const struct directive *d, const char *key); /* or NULL */
int64_t standin_number(const struct directive *d, const char *key, int64_t absent);

/* standin_faults.c: shape `plan` by the row named d->word. False: no such row. */
bool standin_fault(struct conn *conn, const struct directive *d);
/* The fault of a model named "fake/NAME", "fake-NAME" or "fake-NAME-N", if there is
 * one. */
bool standin_fault_of_model(struct conn *conn);
void standin_list_faults(void); /* on stdout, for --faults */

/* standin_errors.c: an error answer in the route's shape; text NULL: the status' own.
 */
struct error_row {
	const char *name;
	int status;
	const char *anthropic_type, *openai_type, *openai_code; /* code NULL: null */
	const char *text;
};
const struct error_row *standin_error_row(const char *name);
const struct error_row *standin_error_next(
    const struct error_row *row); /* NULL: first */
void standin_error_plan(struct conn *conn, const struct error_row *row);
void standin_error_event(struct conn *conn, struct dr_strbuf *out);
void standin_error_text(struct conn *conn, const struct error_row *row,
    const char *text, struct dr_strbuf *out);

/* ---- bodies: standin_answers.c (whole ones), standin_streams.c (events) ---- */

void standin_answer(struct conn *conn, struct dr_strbuf *out);
void standin_usage(
    const struct conn *conn, struct dr_strbuf *out); /* the usage object */
void standin_text(const struct conn *conn, int64_t delta, struct dr_strbuf *out);
const char *standin_stop_reason(const struct conn *conn); /* in the route's words */
const char *standin_model(const struct conn *conn);
/* "text" of all deltas as a JSON string's inside; tool arguments once more escaped. */
void standin_all_text(const struct conn *conn, struct dr_strbuf *out);
/* The parts that the unary answer and the closing events of Responses share. */
void standin_response_item(
    const struct conn *conn, const char *status, struct dr_strbuf *out);
int64_t standin_search_items(const struct conn *conn);
void standin_search_item(const struct conn *conn, int64_t i, struct dr_strbuf *out);
void standin_response_object(
    const struct conn *conn, const char *status, bool whole, struct dr_strbuf *out);
/* Append event number `i` (from 0); false: there are no more. */
bool standin_event(struct conn *conn, int64_t i, struct dr_strbuf *out);
/* Is event number `i` a delta, and which one? -1: it is none. */
int64_t standin_delta_of(const struct conn *conn, int64_t i);
/* One SSE event, in the line ends and spacing that the plan asks for. name NULL: none.
 */
void standin_sse(const struct plan *plan, struct dr_strbuf *out, const char *name,
    const char *data, size_t len);
/* Wrap `body` as gzip (stored, not compressed), in place. */
void standin_gzip(struct dr_strbuf *body);

/* ---- the log: standin_log.c ---- */

bool standin_log_open(const char *path); /* NULL: none */
bool standin_logging(void);
void standin_log_begin(
    struct conn *conn, const char *head, size_t len); /* the headers */
void standin_log_body(struct conn *conn, const char *body, size_t len);
/* Write the line: "complete", "cut", "reset", "closed", "client-gone", "upload-cut",
 * ... */
void standin_log_end(struct conn *conn, const char *end);

/* ---- the process: standin.c ---- */

struct options {
	const char *name;           /* of this stand-in, for [[fault ... at=NAME]] */
	const char *credentials[8]; /* any of them is good; none: all are */
	unsigned n_credentials;
	const char *fault; /* for every request that asks for nothing else */
	int64_t log_body;  /* bytes of each body that go into the log */
	bool strict;       /* parse bodies whole, want the headers that the APIs want */
};
extern struct options standin_options;

struct counters {
	uint64_t connections, connections_total, requests, running, streams,
	    client_gone;
};
extern struct counters standin_counters;

#endif
