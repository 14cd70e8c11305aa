/*
 * load - a generator of load: many keep-alive HTTP/1.1 connections in a closed loop,
 * each with one request at a time, whole answers or streams, and what was seen of them.
 *
 * It is for `make bench` and reads only what nginx and the stand-in write. Times are
 * microseconds of the monotonic clock, the one that the stand-in's stamps are of.
 */
#ifndef DR_LOAD_H
#define DR_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- samples: load_report.c ---- */

struct samples {
	uint32_t *us; /* owned */
	size_t count, room;
};

void load_add_sample(struct samples *samples, uint64_t us);

struct report {
	uint64_t requests, ok, unexpected, broken, bytes;
	uint64_t status[600];
	uint64_t events, events_lost; /* deltas seen, and those that should have been */
	uint64_t cut;                 /* streams without message_stop */
	uint64_t aborted;             /* left on purpose */
	struct samples whole;         /* request written to answer complete */
	struct samples first;         /* ... to its first byte of body */
	struct samples delay;         /* stand-in's stamp to here */
	struct samples gap;           /* between two deltas of a stream */
	double seconds;
};

/* One JSON object on one line; frees the samples. */
void load_print_report(struct report *report, FILE *out);

/* ---- one answer: load_answer.c ---- */

enum read_state {
	ANSWER_HEAD,
	ANSWER_LENGTH,
	ANSWER_SIZE,
	ANSWER_CHUNK,
	ANSWER_CRLF,
	ANSWER_LAST,
	ANSWER_DONE,
	ANSWER_GARBAGE
};

struct answer {
	enum read_state state;
	int status;
	bool chunked, close;
	uint64_t left; /* of the body, or of the chunk */
	char head[8192];
	size_t head_len;
	char tail[48]; /* the body's last bytes: did the stream end as it should? */
	size_t tail_len;
	uint64_t stamp; /* being read */
	bool in_stamp;
	uint64_t deltas, last_delta_us, body_bytes;
};

void load_answer_init(struct answer *answer);
/* Take `len` bytes that came at `now`; deltas are noted in the report. */
void load_answer_feed(struct answer *answer, const char *bytes, size_t len,
    uint64_t now, struct report *report);
/* Did the stream say that it is complete? */
bool load_answer_is_whole(const struct answer *answer);

#endif
