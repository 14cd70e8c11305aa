/*
 * load_answer - reads one HTTP/1.1 answer as it comes: head, length or chunks, and in
 * the body the stamps "@MICROSECONDS@" that the stand-in puts into each delta.
 *
 * Not a parser for the world: it trusts nginx. Constant memory per answer.
 */
#include "load.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
load_answer_init(struct answer *answer)
{
	/* Not the whole struct: `head` is large and needs no clearing. */
	answer->state = ANSWER_HEAD;
	answer->status = 0;
	answer->chunked = answer->close = answer->in_stamp = false;
	answer->left = answer->head_len = answer->tail_len = 0;
	answer->deltas = answer->last_delta_us = answer->body_bytes = 0;
}

static void
note_delta(struct answer *answer, uint64_t now, struct report *report)
{
	load_add_sample(&report->delay, now > answer->stamp ? now - answer->stamp : 0);
	if (answer->last_delta_us != 0)
		load_add_sample(&report->gap, now - answer->last_delta_us);
	answer->last_delta_us = now;
	answer->deltas++;
	report->events++;
}

static void
find_stamps(struct answer *answer, const char *at, const char *end, uint64_t now,
    struct report *report)
{
	while (at < end) {
		if (!answer->in_stamp) {
			at = memchr(at, '@', (size_t)(end - at));
			if (at == NULL)
				return;
			answer->in_stamp = true;
			answer->stamp = 0;
			at++;
		} else if (*at >= '0' && *at <= '9') {
			answer->stamp = answer->stamp * 10 + (uint64_t)(*at++ - '0');
		} else {
			if (*at++ == '@')
				note_delta(answer, now, report);
			answer->in_stamp = false;
		}
	}
}

static void
keep_tail(struct answer *answer, const char *bytes, size_t len)
{
	size_t room = sizeof answer->tail, keep;

	if (len >= room) {
		memcpy(answer->tail, bytes + len - room, room);
		answer->tail_len = room;
		return;
	}
	keep = answer->tail_len < room - len ? answer->tail_len : room - len;
	memmove(answer->tail, answer->tail + answer->tail_len - keep, keep);
	memcpy(answer->tail + keep, bytes, len);
	answer->tail_len = keep + len;
}

static void
take_body(struct answer *answer, const char *bytes, size_t len, uint64_t now,
    struct report *report)
{
	answer->body_bytes += len;
	if (answer->chunked) {
		find_stamps(answer, bytes, bytes + len, now, report);
		keep_tail(answer, bytes, len);
	}
}

bool
load_answer_is_whole(const struct answer *answer)
{
	return memmem(answer->tail, answer->tail_len, "message_stop", 12) != NULL;
}

static void
read_header(struct answer *answer, const char *line)
{
	if (strncasecmp(line, "content-length:", 15) == 0)
		answer->left = strtoull(line + 15, NULL, 10);
	else if (strncasecmp(line, "transfer-encoding: chunked", 26) == 0)
		answer->chunked = true;
	else if (strncasecmp(line, "connection: close", 17) == 0)
		answer->close = true;
}

/* Copy up to the head's end; returns how many bytes it took. */
static size_t
read_head(struct answer *answer, const char *bytes, size_t len)
{
	size_t before = answer->head_len, room = sizeof answer->head - 1 - before, n;
	char *end, *line;

	n = len < room ? len : room;
	memcpy(answer->head + before, bytes, n);
	answer->head_len += n;
	answer->head[answer->head_len] = '\0';
	end = strstr(answer->head, "\r\n\r\n");
	if (end == NULL) {
		if (n == room)
			answer->state = ANSWER_GARBAGE;
		return n;
	}
	if (strncmp(answer->head, "HTTP/1.1 ", 9) != 0) {
		answer->state = ANSWER_GARBAGE;
		return n;
	}
	answer->status = (int)strtol(answer->head + 9, NULL, 10);
	for (line = answer->head; (line = strstr(line, "\r\n")) != NULL && line < end;)
		read_header(answer, line += 2);
	answer->state = answer->chunked    ? ANSWER_SIZE
			: answer->left > 0 ? ANSWER_LENGTH
					   : ANSWER_DONE;
	return (size_t)(end + 4 - answer->head) - before;
}

/* One byte of a chunk's size line. */
static void
read_size(struct answer *answer, char c)
{
	if (c >= '0' && c <= '9')
		answer->left = answer->left * 16 + (uint64_t)(c - '0');
	else if (c >= 'a' && c <= 'f')
		answer->left = answer->left * 16 + (uint64_t)(c - 'a' + 10);
	else if (c == '\n')
		answer->state = answer->left > 0 ? ANSWER_CHUNK : ANSWER_LAST;
}

/* Body bytes in LENGTH and CHUNK; returns how many it took. */
static size_t
read_body(struct answer *answer, const char *bytes, size_t len, uint64_t now,
    struct report *report)
{
	size_t n = len < answer->left ? len : answer->left;

	take_body(answer, bytes, n, now, report);
	answer->left -= n;
	if (answer->left == 0)
		answer->state =
		    answer->state == ANSWER_CHUNK ? ANSWER_CRLF : ANSWER_DONE;
	return n;
}

void
load_answer_feed(struct answer *answer, const char *bytes, size_t len, uint64_t now,
    struct report *report)
{
	size_t at = 0;

	while (at < len && answer->state < ANSWER_DONE) {
		switch (answer->state) {
		case ANSWER_HEAD:
			at += read_head(answer, bytes + at, len - at);
			break;
		case ANSWER_LENGTH:
		case ANSWER_CHUNK:
			at += read_body(answer, bytes + at, len - at, now, report);
			break;
		case ANSWER_SIZE:
			read_size(answer, bytes[at++]);
			break;
		case ANSWER_CRLF:
			if (bytes[at++] == '\n')
				answer->state = ANSWER_SIZE;
			break;
		case ANSWER_LAST:
			if (bytes[at++] == '\n')
				answer->state = ANSWER_DONE;
			break;
		default:
			return;
		}
	}
}
