/*
 * standin_log - the stand-in's own account: one JSON line per request, written when the
 * answer is over. Tests compare the gateway's books with it.
 */
#include "standin.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"

static int log_fd = -1;

bool
standin_log_open(const char *path)
{
	if (path == NULL)
		return true;
	log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	return log_fd >= 0;
}

bool
standin_logging(void)
{
	return log_fd >= 0;
}

static uint32_t
fnv1a(const char *bytes, size_t n)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * 16777619u;
	return hash;
}

/* The header lines as one object, names in lower case, in the order they came. */
static void
add_headers(struct dr_strbuf *out, const char *head, size_t len)
{
	const char *end = head + len, *at = memchr(head, '\n', len);
	bool first = true;

	dr_strbuf_addc(out, '{');
	for (at = at != NULL ? at + 1 : end; at < end;) {
		const char *eol = memmem(at, (size_t)(end - at), "\r\n", 2);
		const char *colon, *value;

		if (eol == NULL || eol == at)
			break;
		colon = memchr(at, ':', (size_t)(eol - at));
		if (colon != NULL) {
			char name[128];
			size_t n = 0;

			for (; at + n < colon && n < sizeof name - 1; n++)
				name[n] = (char)tolower((unsigned char)at[n]);
			for (value = colon + 1; value < eol && *value == ' '; value++)
				;
			if (!first)
				dr_strbuf_addc(out, ',');
			first = false;
			dr_json_add_stringn(out, name, n);
			dr_strbuf_addc(out, ':');
			dr_json_add_stringn(out, value, (size_t)(eol - value));
		}
		at = eol + 2;
	}
	dr_strbuf_addc(out, '}');
}

void
standin_log_begin(struct conn *conn, const char *head, size_t len)
{
	const struct request *req = &conn->req;
	struct timespec now;

	if (log_fd < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	dr_strbuf_clear(&conn->log);
	dr_strbuf_addf(&conn->log, "{\"time_ms\":%lld,\"name\":",
	    (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
	dr_json_add_string(&conn->log, standin_options.name);
	dr_strbuf_addf(&conn->log, ",\"serial\":%" PRIu64 ",\"method\":", conn->serial);
	dr_json_add_string(&conn->log, req->method);
	dr_strbuf_adds(&conn->log, ",\"path\":");
	dr_json_add_string(&conn->log, req->path);
	dr_strbuf_adds(&conn->log, ",\"headers\":");
	add_headers(&conn->log, head, len);
}

void
standin_log_body(struct conn *conn, const char *body, size_t len)
{
	const struct request *req = &conn->req;
	size_t shown = len;

	if (log_fd < 0)
		return;
	dr_strbuf_adds(&conn->log, ",\"model\":");
	dr_json_add_string(&conn->log, req->model);
	dr_strbuf_addf(&conn->log,
	    ",\"stream\":%s,\"include_usage\":%s,\"max_tokens\":%" PRId64
	    ",\"body_bytes\":%zu,\"body_fnv1a\":\"%08x\"",
	    req->stream ? "true" : "false", req->include_usage ? "true" : "false",
	    req->max_tokens, len, fnv1a(body, len));
	if (standin_options.log_body <= 0)
		return;
	if (shown > (size_t)standin_options.log_body)
		shown = (size_t)standin_options.log_body;
	dr_strbuf_adds(&conn->log, ",\"body\":");
	dr_json_add_stringn(&conn->log, body, shown);
}

static void
add_answer(struct conn *conn)
{
	const struct tokens *t = &conn->plan.tokens;
	struct dr_strbuf *out = &conn->log;

	dr_strbuf_addf(out, ",\"status\":%d,\"fault\":", conn->plan.status);
	dr_json_add_string(out, conn->plan.fault);
	if (t->absent)
		dr_strbuf_adds(out, ",\"tokens\":null");
	else
		dr_strbuf_addf(out,
		    ",\"tokens\":{\"input\":%" PRId64 ",\"output\":%" PRId64
		    ",\"cache_read\":%" PRId64 ",\"cache_write_5m\":%" PRId64
		    ",\"cache_write_1h\":%" PRId64 ",\"searches\":%" PRId64 "}",
		    t->in, t->out, t->cache_read, t->write + t->write_5m, t->write_1h,
		    t->searches);
	dr_strbuf_addf(out,
	    ",\"events\":%" PRId64 ",\"body_sent\":%" PRIu64 ",\"wire_sent\":%" PRIu64
	    ",\"first_ms\":%" PRId64 ",\"ms\":%" PRIu64,
	    conn->event, conn->payload_bytes, conn->wire_bytes,
	    conn->first_ms != 0 ? (int64_t)(conn->first_ms - conn->began_ms) : -1,
	    standin_now_ms() - conn->began_ms);
}

void
standin_log_end(struct conn *conn, const char *end)
{
	ssize_t n;

	if (conn->phase != PHASE_READ)
		standin_counters.running--;
	if (log_fd < 0)
		return;
	if (conn->phase != PHASE_READ)
		add_answer(conn);
	dr_strbuf_addf(&conn->log, ",\"closed_early\":%s,\"end\":\"%s\"}\n",
	    strcmp(end, "client-gone") == 0 || strcmp(end, "upload-cut") == 0 ? "true"
									      : "false",
	    end);
	n = write(log_fd, conn->log.data, conn->log.len);
	(void)n; /* a full disk shows as missing lines in the tests */
	dr_strbuf_clear(&conn->log);
}
