/*
 * sse - server-sent events out of bytes that are cut anywhere.
 *
 * Takes LF, CRLF and bare CR, comments, several data lines, no space after the colon
 *and a leading BOM. Collects nothing but the event's name, so an event may have any
 *size. Knows neither JSON nor any API.
 *
 *	while (len > 0) {
 *		size_t n = dr_sse_next(&sse, bytes, len, &part);
 *		... part ...
 *		bytes += n, len -= n;
 *	}
 */
#ifndef DR_SSE_H
#define DR_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_SSE_MAX_NAME 48 /* longer names are cut; the APIs' longest has 45 bytes */

struct dr_sse {
	uint8_t state, bom, field_len, name_len;
	bool after_cr; /* an LF that follows belongs to the line before it */
	bool tail;     /* ... and that line ended an event or a comment */
	bool fields;   /* the event at hand has a line that is no comment */
	bool data;     /* ... and one of them is data */
	bool ended;    /* the last part was its end: the next byte begins another */
	char field[8];
	char name[DR_SSE_MAX_NAME]; /* of the event at hand; "" while it has none */
};

enum dr_sse_kind {
	DR_SSE_MORE,  /* nothing to say yet */
	DR_SSE_DATA,  /* a piece of the event's data; lines are joined by LF */
	DR_SSE_EVENT, /* the event is whole; name and flags stand until the next call */
	DR_SSE_QUIET, /* between events: a comment or an empty line is over */
	DR_SSE_TAIL,  /* the LF of a CRLF whose CR ended the part before */
};

struct dr_sse_part {
	enum dr_sse_kind kind;
	const char *bytes; /* DATA: within the bytes given, or a constant LF */
	size_t len;
};

void dr_sse_init(struct dr_sse *sse);

/* Read on; returns how many bytes were taken, at least 1 where len > 0. */
size_t dr_sse_next(
    struct dr_sse *sse, const char *bytes, size_t len, struct dr_sse_part *part);

/*
 * The stream ended without the empty line: true when the event at hand has a name or
 * data, which is then read as if the line had come.
 */
bool dr_sse_pending(const struct dr_sse *sse);

#endif
