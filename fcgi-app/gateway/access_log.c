/*
 * access_log - see the header. No prompt, no answer, no secret.
 */
#include "gateway/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/request.h"

#define MAX_GATHERED (1024 * 1024)

struct dr_access_log {
	unsigned magic;
#define ACCESS_LOG_MAGIC 0xacce5501
	int fd; /* -1: no log */
	char *path;
	struct dr_loop *loop; /* borrowed */
	struct dr_strbuf lines;
	struct dr_deferred flush;
	bool complained;
};

static int
open_log(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

	if (fd < 0)
		dr_log_error(main, "access_log %s: %s", path, strerror(errno));
	return fd;
}

static void
on_flush(struct dr_deferred *work)
{
	struct dr_access_log *log = DR_CONTAINER_OF(work, struct dr_access_log, flush);
	ssize_t n;

	DR_CHECK(log, ACCESS_LOG_MAGIC);
	n = write(log->fd, log->lines.data, log->lines.len);
	if (n != (ssize_t)log->lines.len && !log->complained) {
		log->complained = true; /* once: a full disk is not told per request */
		dr_log_error(main, "access_log %s: %s", log->path,
		    n < 0 ? strerror(errno) : "short write");
	}
	dr_strbuf_clear(&log->lines);
}

struct dr_access_log *
dr_access_log_new(struct dr_loop *loop, const char *path)
{
	struct dr_access_log *log = dr_calloc(1, sizeof *log);

	log->magic = ACCESS_LOG_MAGIC;
	log->loop = loop;
	log->path = dr_strdup(path);
	dr_strbuf_init(&log->lines, MAX_GATHERED);
	dr_deferred_init(&log->flush, on_flush);
	log->fd = path[0] != '\0' ? open_log(path) : -1;
	if (path[0] != '\0' && log->fd < 0)
		dr_access_log_free(&log);
	return log;
}

void
dr_access_log_reopen(struct dr_access_log *log)
{
	int fd;

	DR_CHECK(log, ACCESS_LOG_MAGIC);
	if (log->fd < 0)
		return;
	fd = open_log(log->path);
	if (fd < 0)
		return; /* keep the old one */
	close(log->fd);
	log->fd = fd;
	log->complained = false;
}

void
dr_access_log_free(struct dr_access_log **log)
{
	struct dr_access_log *l = *log;

	if (l == NULL)
		return;
	DR_CHECK(l, ACCESS_LOG_MAGIC);
	dr_deferred_cancel(&l->flush);
	if (l->fd >= 0) {
		if (l->lines.len > 0)
			on_flush(&l->flush);
		close(l->fd);
	}
	dr_strbuf_fini(&l->lines);
	free(l->path);
	DR_FREE(*log);
}

/* Letters of the states in which a request can be decided. */
static const char state_letter[DR_REQ_N_STATES] = {
	[DR_REQ_RECEIVE] = 'R',
	[DR_REQ_ADMIT] = 'A',
	[DR_REQ_ROUTE] = 'T',
	[DR_REQ_SEND] = 'S',
	[DR_REQ_RELAY] = 'Y',
	[DR_REQ_ANSWER] = 'N',
	[DR_REQ_SETTLE] = 'L',
	[DR_REQ_DONE] = 'D',
};

void
dr_end_code(const struct dr_request *req, char out[3])
{
	out[0] = out[1] = '-';
	out[2] = '\0';
	if (req->err != DR_OK) {
		out[0] = dr_error_info(req->err)->end;
		out[1] = state_letter[req->ended_in];
	} else if (req->passed_through) {
		out[0] = 'U';
		out[1] = 'S';
	} else if (req->handler != NULL && req->handler->kind == DR_HANDLER_LOCAL) {
		out[0] = 'L';
	}
}

static void
add_since(
    struct dr_strbuf *out, const char *name, const struct dr_request *req, uint64_t at)
{
	if (at == 0)
		dr_strbuf_addf(out, ",\"%s\":null", name);
	else
		dr_strbuf_addf(out, ",\"%s\":%llu", name,
		    (unsigned long long)(at - req->received_ms));
}

/* A session is named once it is known to run: whoever changed a key, or ended the
 * others, is found. */
static void
add_who(struct dr_strbuf *out, const struct dr_request *req)
{
	dr_strbuf_addf(out,
	    ",\"account\":\"%s\",\"key\":\"%s\",\"session\":\"%s\",\"method\":",
	    req->has_key || req->session != NULL ? req->key.account : "",
	    req->has_key ? req->key.key_id : "",
	    req->session != NULL ? req->session->token.key_id : "");
	dr_json_add_string(out, req->method);
	dr_strbuf_adds(out, ",\"route\":");
	dr_json_add_string(out, req->path);
	dr_strbuf_adds(out, ",\"model\":");
	dr_json_add_string(out, req->facts.model);
	dr_strbuf_adds(out, ",\"provider\":");
	dr_json_add_string(
	    out, req->n_attempts > 0
		     ? req->attempts[req->n_attempts - 1].provider->record->name
		     : NULL);
}

void
dr_access_log_write(
    struct dr_access_log *log, const struct dr_request *req, int64_t charge_nano)
{
	char when[DR_CLOCK_TEXT], end[3];
	const struct dr_usage *u = &req->usage;
	struct dr_strbuf *out = &log->lines;

	DR_CHECK(log, ACCESS_LOG_MAGIC);
	if (log->fd < 0)
		return;
	dr_clock_format(req->received_wall_ms, when);
	dr_end_code(req, end);
	if (out->len > MAX_GATHERED / 2)
		on_flush(&log->flush);
	dr_strbuf_addf(out, "{\"t\":\"%s\",\"req\":\"%s\"", when, req->id);
	add_who(out, req);
	dr_strbuf_addf(out,
	    ",\"attempts\":%u,\"status\":%d,\"end\":\"%s\",\"error\":", req->n_sent,
	    req->status, end);
	dr_json_add_string(
	    out, req->err != DR_OK ? dr_error_info(req->err)->name : NULL);
	dr_strbuf_addf(out,
	    ",\"stream\":%s,\"in\":%lld,\"cache_write\":%lld,\"cache_read\":%lld,\"out\":%lld,"
	    "\"estimated\":%s,\"nano_usd\":%lld",
	    req->facts.stream ? "true" : "false", (long long)u->input,
	    (long long)(u->cache_write_5m + u->cache_write_1h),
	    (long long)u->cache_read, (long long)u->output,
	    req->estimated ? "true" : "false", (long long)charge_nano);
	add_since(out, "ttft_ms", req, req->first_byte_ms);
	add_since(out, "ms", req, req->ended_ms);
	dr_strbuf_addf(out, ",\"bytes\":%llu}\n", (unsigned long long)req->bytes_out);
	dr_loop_defer(log->loop, &log->flush);
}
