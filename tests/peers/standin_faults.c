/*
 * standin_faults - the table of faults: a name, what happens, and the change of the
 * plan that makes it happen. To add one, add a row; README.md shows `--faults`' output.
 *
 * A row whose name ends in a number ("cut-after-3" as a model's name) is the row
 * without it, with n=3.
 */
#include "standin.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

#define MB (1024 * 1024)

static int64_t
n_of(const struct directive *d, int64_t absent)
{
	return standin_number(d, "n", absent);
}

/* How a cut ends: FIN, or with reset=1 RST. */
static enum ending
ending_of(const struct directive *d)
{
	return standin_number(d, "reset", 0) != 0 ? END_RESET : END_CLOSE;
}

/* ---- heads ---- */

static void
redirect(struct conn *conn, const struct directive *d)
{
	const char *to = standin_value(d, "to");

	conn->plan.status = 302;
	conn->plan.sse = false;
	conn->plan.framing = FRAME_LENGTH;
	conn->plan.body = "moved\n";
	conn->plan.type = "text/plain";
	dr_strbuf_addf(
	    &conn->plan.header, "location: %s\r\n", to != NULL ? to : "/v1/elsewhere");
}

static void
html(struct conn *conn, const struct directive *d)
{
	conn->plan.status = (int)standin_number(d, "status", 502);
	conn->plan.sse = false;
	conn->plan.framing = FRAME_LENGTH;
	conn->plan.type = "text/html";
	conn->plan.body =
	    "<html><head><title>502 Bad Gateway</title></head>\n"
	    "<body><center><h1>502 Bad Gateway</h1></center></body></html>\n";
}

static void
html_200(struct conn *conn, const struct directive *d)
{
	html(conn, d);
	conn->plan.status = 200;
}

static void
plain_error(struct conn *conn, const struct directive *d)
{
	html(conn, d);
	conn->plan.status = (int)n_of(d, 400);
	conn->plan.type = "text/plain";
	conn->plan.body = "no JSON here\n";
}

static void
wrong_type(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.type = "text/plain";
}

static void
no_type(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.type = "";
}

static void
informational(struct conn *conn, const struct directive *d)
{
	conn->plan.informational = (int)n_of(d, 103);
}

static void
huge_head(struct conn *conn, const struct directive *d)
{
	conn->plan.head_filler = (size_t)n_of(d, 256) * 1024;
}

static void
not_http(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.raw = "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n";
}

static void
two_lengths(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.framing = FRAME_LENGTH;
	dr_strbuf_adds(&conn->plan.header, "content-length: 1\r\n");
}

/* ---- no answer ---- */

static void
reset(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.refuse = BEFORE_HEAD;
	conn->plan.ending = END_RESET;
}

static void
close_early(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.refuse = BEFORE_HEAD;
	conn->plan.ending = END_CLOSE;
}

static void
cut_head(struct conn *conn, const struct directive *d)
{
	conn->plan.refuse = MID_HEAD;
	conn->plan.ending = ending_of(d);
}

static void
silence(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.silent = true;
}

static void
slow_head(struct conn *conn, const struct directive *d)
{
	conn->plan.head_ms = n_of(d, 1000);
}

static void
slow_first(struct conn *conn, const struct directive *d)
{
	conn->plan.first_ms = n_of(d, 1000);
}

/* ---- whole bodies ---- */

static void
empty(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.body = "";
	conn->plan.sse = false;
	conn->plan.framing = FRAME_LENGTH;
}

static void
empty_stream(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.early_events = 0;
}

static void
short_body(struct conn *conn, const struct directive *d)
{
	conn->plan.framing = FRAME_LENGTH;
	conn->plan.length_extra = n_of(d, 100);
	conn->plan.ending = ending_of(d);
}

static void
chunk_cut(struct conn *conn, const struct directive *d)
{
	conn->plan.framing = FRAME_CHUNKED;
	conn->plan.ending = ending_of(d);
}

static void
bad_chunk(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.framing = FRAME_CHUNKED;
	conn->plan.bad_chunk = true;
	conn->plan.ending = END_CLOSE;
}

static void
no_length(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.framing = FRAME_CLOSE;
}

static void
chunked(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.framing = FRAME_CHUNKED;
}

static void
truncated(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.truncate_json = true;
}

static void
huge_unary(struct conn *conn, const struct directive *d)
{
	conn->plan.filler = n_of(d, 16) * MB;
	if (standin_number(d, "length", 1) == 0)
		conn->plan.framing = FRAME_CHUNKED;
}

static void
gzip(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.gzip = true;
	conn->plan.framing = FRAME_LENGTH;
	dr_strbuf_adds(&conn->plan.header, "content-encoding: gzip\r\n");
}

/* ---- streams ---- */

static void
cut_after(struct conn *conn, const struct directive *d)
{
	conn->plan.cut_events = n_of(d, 3);
	conn->plan.ending = ending_of(d);
}

static void
cut_bytes(struct conn *conn, const struct directive *d)
{
	conn->plan.cut_bytes = n_of(d, 100);
	conn->plan.ending = ending_of(d);
}

static void
early_end(struct conn *conn, const struct directive *d)
{
	conn->plan.early_events = n_of(d, 4);
}

static void
stall_after(struct conn *conn, const struct directive *d)
{
	conn->plan.stall_events = n_of(d, 3);
}

static void
split(struct conn *conn, const struct directive *d)
{
	conn->plan.piece = n_of(d, 1) > 0 ? n_of(d, 1) : 1;
	conn->plan.piece_ms = standin_number(d, "gap_ms", 0);
}

static void
malformed(struct conn *conn, const struct directive *d)
{
	conn->plan.malformed_event = n_of(d, 3);
}

static void
error_later(struct conn *conn, const struct directive *d)
{
	const char *type = standin_value(d, "type");

	conn->plan.error_event = n_of(d, 4);
	conn->plan.failed_event = standin_number(d, "failed", 0) != 0;
	if (type != NULL)
		snprintf(
		    conn->plan.error_type, sizeof conn->plan.error_type, "%s", type);
}

static void
error_first(struct conn *conn, const struct directive *d)
{
	error_later(conn, d);
	conn->plan.error_event = 0;
}

static void
no_done(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.no_done = true;
}

static void
huge_event(struct conn *conn, const struct directive *d)
{
	conn->plan.filler = n_of(d, 2) * MB;
	conn->plan.huge_event = standin_number(d, "event", 3);
}

static void
huge_line(struct conn *conn, const struct directive *d)
{
	conn->plan.filler = n_of(d, 16) * MB;
	conn->plan.line_event = standin_number(d, "event", 3);
}

/* ---- usage ---- */

static void
no_usage(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.tokens.absent = true;
}

static void
zero_usage(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.tokens = (struct tokens){ .in = 0 };
}

static void
delta_output_only(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.tokens.output_only = true;
}

static void
delta_nulls(struct conn *conn, const struct directive *d)
{
	(void)d;
	conn->plan.tokens.nulls = true;
}

static const struct fault {
	const char *name;
	void (*shape)(struct conn *conn, const struct directive *d);
	const char *text;
} faults[] = {
	{ "302", redirect, "redirect; to=URL" },
	{ "502-html", html, "an HTML page; status=502" },
	{ "200-html", html_200, "an HTML page with status 200" },
	{ "text-error", plain_error, "status n (400), text/plain, no JSON" },
	{ "wrong-type", wrong_type, "the right body called text/plain" },
	{ "no-type", no_type, "the right body without content-type" },
	{ "informational", informational, "status n (103) first, then the answer" },
	{ "huge-head", huge_head, "n (256) KB of header lines" },
	{ "not-http", not_http, "another protocol's greeting" },
	{ "two-lengths", two_lengths, "two Content-Length that differ" },
	{ "reset", reset, "RST before the head" },
	{ "close", close_early, "FIN without any answer" },
	{ "cut-head", cut_head, "ends in the middle of the head; reset=1: by RST" },
	{ "reset-head", cut_head, "RST in the middle of the head" },
	{ "silence", silence, "never answers" },
	{ "slow-head", slow_head, "the head after n (1000) ms" },
	{ "slow-first", slow_first,
	    "streams: the first event n (1000) ms after the head" },
	{ "empty", empty, "status 200, no body" },
	{ "empty-stream", empty_stream, "streams: a head, then a clean end" },
	{ "short-body", short_body, "n (100) bytes less than Content-Length says" },
	{ "chunk-cut", chunk_cut, "chunked, without the last chunk" },
	{ "bad-chunk", bad_chunk, "chunked, with a size that is no number" },
	{ "no-length", no_length, "no length: the end of the connection is the end" },
	{ "chunked", chunked, "chunked, unary too; no fault" },
	{ "truncated-json", truncated, "unary: JSON that stops early, length right" },
	{ "huge-unary", huge_unary, "unary: n (16) MB; length=0: chunked" },
	{ "gzip", gzip, "content-encoding gzip though nobody asked" },
	{ "cut-after", cut_after, "FIN after n (3) events; reset=1: RST" },
	{ "cut-bytes", cut_bytes, "FIN after n (100) bytes of body; reset=1: RST" },
	{ "early-end", early_end, "a clean end after n (4) events" },
	{ "stall-after", stall_after, "nothing more after n (3) events" },
	{ "drip", split, "one byte per write; gap_ms=0 between" },
	{ "split", split, "n bytes per write; gap_ms=0 between" },
	{ "malformed", malformed, "event n (3) is no JSON" },
	{ "error-first", error_first,
	    "the first event is an error; type=overloaded_error failed=0" },
	{ "error-later", error_later,
	    "event n (4) is an error; type=overloaded_error failed=0" },
	{ "no-done", no_done, "chat: no [DONE]" },
	{ "huge-event", huge_event, "an event of n (2) MB; event=3" },
	{ "huge-line", huge_line, "a line of n (16) MB that never ends; event=3" },
	{ "no-usage", no_usage, "usage is absent" },
	{ "zero-usage", zero_usage, "every count is 0" },
	{ "delta-output-only", delta_output_only,
	    "message_delta has output_tokens only" },
	{ "delta-nulls", delta_nulls, "message_delta has null for the input's counts" },
};

static const struct fault *
find(const char *name)
{
	for (size_t i = 0; i < DR_N_ELEMENTS(faults); i++)
		if (strcmp(faults[i].name, name) == 0)
			return &faults[i];
	return NULL;
}

/* A refusal by status, with the headers that may go with it. */
static void
shape_error(struct conn *conn, const struct error_row *row, const struct directive *d)
{
	static const char *const headers[] = { "retry-after", "retry-after-ms",
		"x-should-retry" };
	const char *type = standin_value(d, "type");
	struct error_row copy = *row;

	for (size_t i = 0; i < DR_N_ELEMENTS(headers); i++)
		if (standin_value(d, headers[i]) != NULL)
			dr_strbuf_addf(&conn->plan.header, "%s: %s\r\n", headers[i],
			    standin_value(d, headers[i]));
	if (type != NULL)
		copy.anthropic_type = copy.openai_type = type;
	standin_error_plan(conn, &copy);
}

bool
standin_fault(struct conn *conn, const struct directive *d)
{
	const struct error_row *row = standin_error_row(d->word);
	const struct fault *fault = find(d->word);

	if (row != NULL) {
		shape_error(conn, row, d);
		return true;
	}
	if (fault == NULL)
		return false;
	snprintf(conn->plan.fault, sizeof conn->plan.fault, "%s", fault->name);
	fault->shape(conn, d);
	if (strcmp(fault->name, "reset-head") == 0)
		conn->plan.ending = END_RESET;
	return true;
}

bool
standin_fault_of_model(struct conn *conn)
{
	const char *name = conn->req.model;
	struct directive d = { .pairs = 0 };
	char *dash;

	if (strncmp(name, "fake/", 5) != 0 && strncmp(name, "fake-", 5) != 0)
		return true;
	snprintf(d.word, sizeof d.word, "%s", name + 5);
	if (strncmp(d.word, "ok", 2) == 0 || standin_fault(conn, &d))
		return true;
	dash = strrchr(d.word, '-');
	if (dash == NULL || !isdigit((unsigned char)dash[1]))
		return false;
	snprintf(d.pair[0].key, sizeof d.pair[0].key, "n");
	snprintf(d.pair[0].value, sizeof d.pair[0].value, "%s", dash + 1);
	d.pairs = 1;
	*dash = '\0';
	return standin_fault(conn, &d);
}

void
standin_list_faults(void)
{
	const struct error_row *row = NULL;

	while ((row = standin_error_next(row)) != NULL)
		printf("%-20s status %d, %s / %s\n", row->name, row->status,
		    row->anthropic_type, row->openai_type);
	for (size_t i = 0; i < DR_N_ELEMENTS(faults); i++)
		printf("%-20s %s\n", faults[i].name, faults[i].text);
}
