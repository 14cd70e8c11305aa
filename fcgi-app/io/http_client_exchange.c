/*
 * http_client_exchange - one easy handle of libcurl: what it is told before a request,
 * and what it tells of the answer. Options that never change are set once in the life
 * of a handle, since the processor time of a request is what this program is measured
 * by.
 */
#include "io/http_client_internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/mem.h"

#define SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt" /* Debian's bundle */
/*
 * One read; allocated as long as a transfer runs. Streams come over HTTP/1.1, thousands
 * at once, in events of a few hundred bytes.
 */
#define RECEIVE_BYTES        (4 * 1024)
#define RECEIVE_BYTES_STREAM 1024 /* libcurl's smallest */
#define RECEIVE_BYTES_HTTP2  (16 * 1024)
#define MIN_UPLOAD_BUFFER    (16 * 1024) /* libcurl's smallest */
#define MAX_UPLOAD_BUFFER    (1024 * 1024)
#define JOIN_BYTES           (16 * 1024) /* bodies in pieces up to here go in one write */
#define INLINE_BYTES         (64 * 1024 - 1) /* libcurl appends such a body to the head */
#define ASKS_LEAVE_BYTES     (1024 * 1024 - 1) /* libcurl expects 100-continue above */
#define KEEPALIVE_S          60L /* providers think for minutes; NAT tables forget sooner */

static char identity_line[] = "accept-encoding: identity", no_expect_line[] = "expect:";
static struct curl_slist last_line = { identity_line, NULL };
static struct curl_slist no_expect = { no_expect_line, &last_line };

/* ---- the request's body ---- */

static size_t
read_body(char *to, size_t size, size_t count, void *arg)
{
	struct dr_transfer *transfer = arg;
	size_t room = size * count, got = 0;

	DR_CHECK(transfer, TRANSFER_MAGIC);
	while (got < room && transfer->piece < transfer->n_pieces) {
		const struct dr_http_piece *piece = &transfer->pieces[transfer->piece];
		size_t n = piece->len - transfer->offset;

		if (n > room - got)
			n = room - got;
		if (n > 0)
			memcpy(to + got, piece->data + transfer->offset, n);
		got += n;
		transfer->offset += n;
		if (transfer->offset == piece->len) {
			transfer->piece++;
			transfer->offset = 0;
		}
	}
	transfer->body_read += got;
	return got;
}

/*
 * The request is about to go out. Should its kept connection turn out to be dead, curl
 * sends it once more, and would take the next kept one, five times over: each of them a
 * request that the provider may have seen. The second goes over a connection of its
 * own, so there is no third.
 */
static int
before_request(void *arg, char *peer_ip, char *own_ip, int peer_port, int own_port)
{
	struct dr_transfer *transfer = arg;

	(void)peer_ip;
	(void)own_ip;
	(void)peer_port;
	(void)own_port;
	DR_CHECK(transfer, TRANSFER_MAGIC);
	transfer->sent = true;
	SET(transfer->easy, CURLOPT_FRESH_CONNECT, 1L);
	return CURL_PREREQFUNC_OK;
}

/* curl goes back to the start when a kept connection was dead; never once a head is
 * here. */
static int
seek_body(void *arg, curl_off_t offset, int origin)
{
	struct dr_transfer *transfer = arg;

	DR_CHECK(transfer, TRANSFER_MAGIC);
	if (offset != 0 || origin != SEEK_SET || transfer->head_done)
		return CURL_SEEKFUNC_FAIL;
	transfer->piece = 0;
	transfer->offset = 0;
	transfer->body_read = 0;
	return CURL_SEEKFUNC_OK;
}

static char *
join(struct dr_transfer *transfer, size_t skip)
{
	size_t len = transfer->body_len - skip;
	char *copy = dr_malloc(len + 1);

	DR_ASSERT(read_body(copy, 1, len, transfer) == len);
	return copy;
}

void
dr_http_drop_body(struct dr_transfer *transfer)
{
	free(transfer->body_copy);
	transfer->body_copy = NULL;
	transfer->pieces = NULL;
	transfer->n_pieces = 0;
}

/*
 * The caller's bytes may go with the head. Usually curl has sent them by now, and its
 * upload buffer can go too, which it would keep to the end of a long stream. A provider
 * that answers early is still sent the rest, from a copy.
 */
static void
let_go_of_body(struct dr_transfer *transfer)
{
	curl_off_t sent = 0;

	if (transfer->body_len == 0)
		return;
	curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	if ((size_t)sent == transfer->body_len) {
		dr_http_drop_body(transfer);
		/* Setting the size frees the buffer; nothing points into it now. */
		SET(transfer->easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)MIN_UPLOAD_BUFFER);
	} else if (transfer->body_copy == NULL && transfer->n_pieces > 0) {
		size_t skip = transfer->body_read;

		transfer->body_copy = join(transfer, skip);
		transfer->rest.data = transfer->body_copy;
		transfer->rest.len = transfer->body_len - skip;
		transfer->body_read = skip;
		transfer->pieces = &transfer->rest;
		transfer->n_pieces = 1;
		transfer->piece = 0;
		transfer->offset = 0;
	}
}

/*
 * Short bodies go to curl as one string, which it writes together with the head. curl
 * copies such a string over HTTP/1.1; over HTTP/2 it reads it later, so there it is
 * ours.
 */
static void
set_body(struct dr_transfer *transfer, const struct dr_http_request *request)
{
	bool multiplex = dr_http_multiplexes(transfer->engine);
	size_t total = 0, buffer;
	const char *text = NULL;

	for (size_t i = 0; i < request->n_body; i++)
		total += request->body[i].len;
	transfer->pieces = request->body;
	transfer->n_pieces = request->n_body;
	transfer->piece = transfer->offset = transfer->body_read = 0;
	transfer->body_len = total;
	if (total == 0)
		text = "";
	else if (request->n_body == 1 && total <= INLINE_BYTES && !multiplex)
		text = request->body[0].data;
	else if (total <= JOIN_BYTES)
		text = transfer->body_copy = join(transfer, 0);
	if (text != NULL)
		transfer->n_pieces = 0;
	buffer = text != NULL || total < MIN_UPLOAD_BUFFER ? MIN_UPLOAD_BUFFER
		 : total > MAX_UPLOAD_BUFFER               ? MAX_UPLOAD_BUFFER
							   : total;
	SET(transfer->easy, CURLOPT_POST, 1L);
	SET(transfer->easy, CURLOPT_POSTFIELDS, text);
	SET(transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)total);
	SET(transfer->easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)buffer);
}

/* ---- the answer ---- */

/* A whole number and nothing else, with blanks around it; -1: it is none. */
static int64_t
read_length(const char *text, size_t len)
{
	int64_t length = 0;
	size_t digits = 0;

	for (; len > 0 && strchr(" \t", *text) != NULL; len--)
		text++;
	for (; len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL; len--)
		;
	for (; digits < len && length < INT64_MAX / 10 - 10; digits++) {
		if (text[digits] < '0' || text[digits] > '9')
			return -1;
		length = length * 10 + (text[digits] - '0');
	}
	return len > 0 && digits == len ? length : -1;
}

/*
 * Two lengths that differ, or one that is no number ("5, 7"): where this answer ends,
 * and the next one on the connection begins, is anybody's guess (RFC 9112, 6.3).
 * libcurl believes the last, and its first number.
 */
static bool
bad_length(struct dr_transfer *transfer, const char *line, size_t len)
{
	static const char name[] = "content-length:";
	const size_t n = sizeof name - 1;
	int64_t length;

	if (len < n || (line[0] | 0x20) != 'c' || strncasecmp(line, name, n) != 0)
		return false;
	length = read_length(line + n, len - n);
	if (transfer->named_length < 0)
		transfer->named_length = length;
	return length < 0 || transfer->named_length != length;
}

/* An empty line ends a head. True where that was the final answer's. */
static bool
ends_head(struct dr_transfer *transfer, const char *line, size_t len, long *status)
{
	if (transfer->head_done || len > 2 || (line[0] != '\r' && line[0] != '\n'))
		return false;
	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, status);
	if (*status == 101)
		transfer->refused = "the answer changes to another protocol";
	if (*status >= 200)
		return true;
	/* "100 Continue", "103 Early Hints": another follows, with its own length */
	transfer->named_length = -1;
	return false;
}

/* Called by curl for each line of each head, and for trailers. */
static size_t
on_header(char *line, size_t size, size_t count, void *arg)
{
	struct dr_transfer *transfer = arg;
	size_t len = size * count;
	long status = 0;

	DR_CHECK(transfer, TRANSFER_MAGIC);
	if (transfer->state != RUNNING)
		return 0;
	transfer->head_bytes += len;
	if (transfer->head_bytes > DR_MAX_HEAD_BYTES)
		transfer->refused = "the answer's head is too large";
	else if (!transfer->head_done && bad_length(transfer, line, len))
		transfer->refused = "the answer's length is not clear";
	else if (ends_head(transfer, line, len, &status)) {
		transfer->head_done = true;
		let_go_of_body(transfer);
		transfer->on_head(transfer->arg, transfer, (int)status);
	}
	return transfer->state == RUNNING && transfer->refused == NULL ? len : 0;
}

static size_t
on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
	struct dr_transfer *transfer = arg;
	size_t len = size * count;

	DR_CHECK(transfer, TRANSFER_MAGIC);
	if (transfer->state != RUNNING)
		return 0;
	if (transfer->paused) {
		transfer->held = true;
		return CURL_WRITEFUNC_PAUSE; /* curl keeps them and stops reading */
	}
	transfer->on_body(transfer->arg, bytes, len);
	return transfer->state == RUNNING ? len : 0;
}

/* ---- options ---- */

/* What is the same for every request is set once in the life of an easy handle. */
void
dr_http_exchange_init(struct dr_transfer *transfer)
{
	CURL *easy = transfer->easy;
	bool multiplex = dr_http_multiplexes(transfer->engine);

	SET(easy, CURLOPT_PRIVATE, transfer);
	SET(easy, CURLOPT_HTTP_VERSION,
	    (long)(multiplex ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
	SET(easy, CURLOPT_PIPEWAIT, 1L); /* a burst shares one HTTP/2 connection */
	SET(easy, CURLOPT_BUFFERSIZE,
	    (long)(multiplex          ? RECEIVE_BYTES_HTTP2
		   : transfer->stream ? RECEIVE_BYTES_STREAM
				      : RECEIVE_BYTES));
	SET(easy, CURLOPT_ERRORBUFFER, transfer->error);
	SET(easy, CURLOPT_NOSIGNAL, 1L);
	SET(easy, CURLOPT_QUICK_EXIT, 1L); /* else a cancel waits for getaddrinfo() */
	SET(easy, CURLOPT_NOPROXY, "*");   /* whatever the environment says */
	SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
	SET(easy, CURLOPT_PATH_AS_IS, 1L);
	SET(easy, CURLOPT_TCP_NODELAY, 1L);
	SET(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S);
	SET(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S);
	SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(easy, CURLOPT_CAPATH,
	    NULL); /* Debian's default: all roots, per connection */
	SET(easy, CURLOPT_OPENSOCKETFUNCTION, dr_http_open_socket);
	SET(easy, CURLOPT_OPENSOCKETDATA, transfer);
	SET(easy, CURLOPT_CLOSESOCKETFUNCTION, dr_http_close_socket);
	SET(easy, CURLOPT_CLOSESOCKETDATA, transfer->http);
	SET(easy, CURLOPT_PREREQFUNCTION, before_request);
	SET(easy, CURLOPT_PREREQDATA, transfer);
	SET(easy, CURLOPT_READFUNCTION, read_body);
	SET(easy, CURLOPT_READDATA, transfer);
	SET(easy, CURLOPT_SEEKFUNCTION, seek_body);
	SET(easy, CURLOPT_SEEKDATA, transfer);
	SET(easy, CURLOPT_HEADERFUNCTION, on_header);
	SET(easy, CURLOPT_HEADERDATA, transfer);
	SET(easy, CURLOPT_WRITEFUNCTION, on_bytes);
	SET(easy, CURLOPT_WRITEDATA, transfer);
}

/* FNV-1a over "scheme://host:port"; two hosts in one bucket cost a search, no more. */
static unsigned
bucket_of(const char *url)
{
	unsigned hash = 2166136261u, slashes = 0;

	for (const char *p = url; *p != '\0'; p++) {
		if (*p == '/' && ++slashes == 3)
			break;
		hash = (hash ^ (unsigned char)*p) * 16777619u;
	}
	return hash % HTTP_BUCKETS;
}

/*
 * One block for the nodes and one for the text, kept from request to request. A line
 * with a line break in it would be two: it is left out. curl asks leave for large
 * bodies
 * ("Expect: 100-continue", a round trip) unless told not to.
 */
static void
set_headers(struct dr_transfer *transfer, const char *const *headers)
{
	size_t n = 0, bytes = 0;
	struct curl_slist *first, **link = &first;
	char *to;

	for (; headers[n] != NULL; n++)
		bytes += strlen(headers[n]) + 1;
	if (n > transfer->n_lines) {
		transfer->lines = dr_realloc(transfer->lines, n * sizeof **link);
		transfer->n_lines = n;
	}
	if (bytes > transfer->line_bytes) {
		transfer->line_text = dr_realloc(transfer->line_text, bytes);
		transfer->line_bytes = bytes;
	}
	to = transfer->line_text;
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(headers[i]) + 1;

		if (strpbrk(headers[i], "\r\n") != NULL)
			continue;
		memcpy(to, headers[i], len);
		*link = &transfer->lines[i];
		(*link)->data = to;
		link = &(*link)->next;
		to += len;
	}
	*link = transfer->body_len > ASKS_LEAVE_BYTES ? &no_expect : &last_line;
	SET(transfer->easy, CURLOPT_HTTPHEADER, first);
}

/* After set_body(), which leaves the handle at POST. */
static void
set_method(struct dr_transfer *transfer, const char *method)
{
	const char *custom = NULL;

	if (transfer->body_len == 0 && strcmp(method, "GET") == 0)
		SET(transfer->easy, CURLOPT_HTTPGET, 1L);
	else if (strcmp(method, "HEAD") == 0)
		SET(transfer->easy, CURLOPT_NOBODY, 1L);
	else if (strcmp(method, "POST") != 0)
		custom = method;
	SET(transfer->easy, CURLOPT_CUSTOMREQUEST, custom);
}

static bool
changed(char **kept, const char *now)
{
	if (*kept != NULL && strcmp(*kept, now) == 0)
		return false;
	free(*kept);
	*kept = dr_strdup(now);
	return true;
}

/*
 * Parsed here once per handle and URL, not by curl for every request (a tenth of what
 * one costs). curl keeps using the text too, and tells what is wrong with a bad one.
 */
static void
set_url(struct dr_transfer *transfer)
{
	CURLU *parsed = curl_url();
	unsigned flags = CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS;

	DR_ASSERT(parsed != NULL);
	if (curl_url_set(parsed, CURLUPART_URL, transfer->url, flags) != CURLUE_OK) {
		curl_url_cleanup(parsed);
		parsed = NULL;
	}
	SET(transfer->easy, CURLOPT_URL, transfer->url);
	SET(transfer->easy, CURLOPT_CURLU, parsed);
	curl_url_cleanup(transfer->parsed_url);
	transfer->parsed_url = parsed;
	transfer->bucket = bucket_of(transfer->url);
}

static void
set_target(struct dr_transfer *transfer, const struct dr_http_request *request)
{
	struct dr_http *http = transfer->http;
	const char *ca_file =
	    request->ca_file != NULL ? request->ca_file : SYSTEM_CA_FILE;
	bool fresh;

	if (changed(&transfer->url, request->url))
		set_url(transfer);
	if (changed(&transfer->ca_file, ca_file))
		SET(transfer->easy, CURLOPT_CAINFO, transfer->ca_file);
	SET(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)request->connect_timeout_ms);
	/* Spares curl a walk over all the host's busy connections for an idle one. */
	fresh = http->fresh_when_busy && http->idle[transfer->bucket] == 0 &&
		!dr_http_multiplexes(transfer->engine);
	SET(transfer->easy, CURLOPT_FRESH_CONNECT, (long)fresh);
}

void
dr_http_exchange_prepare(
    struct dr_transfer *transfer, const struct dr_http_request *request)
{
	set_target(transfer, request);
	set_body(transfer, request);
	set_headers(transfer, request->headers);
	set_method(transfer, request->method);
}
