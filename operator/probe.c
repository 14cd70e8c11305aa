/*
 * probe - one GET of a provider's list of models; see the header.
 *
 * Both dialects have it at /v1/models; what differs are the headers. Any answer below
 * 500 shows that somebody is there: a server without a list of models says 404, one
 * with too many questions 429.
 */
#include "operator/probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "scripts/scripts.h"

#define PATH      "/v1/models"
#define ALL       "limit=1000" /* else Anthropic lists the first 20 */
#define MAX_LINE  (DR_MAX_CREDENTIAL + 64)
#define MAX_LINES (4 + DR_MAX_EXTRA_HEADERS)
#define MAX_WAIT  UINT64_C(86400000)

/* ---- what an answer says ---- */

void
dr_probe_judge(struct dr_probe_result *result, int status)
{
	result->status = status;
	result->refused = status == 401 || status == 402 || status == 403;
	result->ok =
	    !result->refused && status != 408 &&
	    ((status >= 200 && status < 300) || (status >= 400 && status < 500));
	snprintf(result->why, sizeof result->why, "HTTP %d%s", status,
	    result->refused ? ": credential or account refused" : "");
}

uint64_t
dr_probe_wait(uint64_t interval_ms, uint64_t most_ms, unsigned jitter_percent,
    uint64_t failures, uint32_t random)
{
	uint64_t wait_ms = interval_ms, spread;

	for (uint64_t i = 1; i < failures && wait_ms < most_ms; i++)
		wait_ms *= 2;
	if (wait_ms > most_ms && most_ms > interval_ms)
		wait_ms = most_ms;
	if (wait_ms > MAX_WAIT)
		wait_ms = MAX_WAIT;
	spread = wait_ms * jitter_percent / 100;
	return wait_ms - spread + random % (2 * spread + 1);
}

/* ---- the exchange ---- */

static void
finish(struct dr_probe *probe)
{
	dr_timer_stop(&probe->timer);
	dr_http_cancel(&probe->transfer);
	probe->result.ms = (uint32_t)(dr_clock_ms() - probe->started_ms);
	probe->done(probe);
}

static void
on_head(void *arg, struct dr_transfer *transfer, int status)
{
	struct dr_probe *probe = arg;

	(void)transfer;
	DR_CHECK(probe, DR_PROBE_MAGIC);
	dr_probe_judge(&probe->result, status);
}

static void
on_body(void *arg, const char *bytes, size_t len)
{
	struct dr_probe *probe = arg;
	size_t room = probe->body.max - probe->body.len;

	DR_CHECK(probe, DR_PROBE_MAGIC);
	probe->truncated = probe->truncated || len > room;
	dr_strbuf_add(&probe->body, bytes, len < room ? len : room);
}

static void
on_end(void *arg, enum dr_http_result result, const char *why)
{
	struct dr_probe *probe = arg;

	DR_CHECK(probe, DR_PROBE_MAGIC);
	probe->transfer = NULL;
	if (result != DR_HTTP_OK) {
		probe->result.ok = probe->result.refused = false;
		snprintf(probe->result.why, sizeof probe->result.why, "%s",
		    why[0] != '\0' ? why : "no whole answer");
	}
	finish(probe);
}

static void
on_late(struct dr_timer *timer)
{
	struct dr_probe *probe = DR_CONTAINER_OF(timer, struct dr_probe, timer);

	DR_CHECK(probe, DR_PROBE_MAGIC);
	probe->result.ok = probe->result.refused = false;
	snprintf(probe->result.why, sizeof probe->result.why,
	    "no whole answer within probe_timeout");
	finish(probe);
}

/* Lines for the credential and the dialect; `line` holds the secret: wipe it. */
static void
make_headers(const struct dr_provider_record *record, const char *credential,
    char line[MAX_LINE], const char *headers[MAX_LINES])
{
	bool anthropic = (record->dialects & 1u << DR_DIALECT_ANTHROPIC) != 0;
	size_t n = 0;

	headers[n++] = "accept: application/json";
	if (anthropic)
		headers[n++] = "anthropic-version: 2023-06-01";
	if (credential != NULL) {
		snprintf(line, MAX_LINE, "%s%s",
		    dr_provider_record_credential(
			record, anthropic ? DR_DIALECT_ANTHROPIC : DR_DIALECT_CHAT),
		    credential);
		headers[n++] = line;
	}
	for (size_t i = 0; i < record->n_extra_headers; i++)
		headers[n++] = record->extra_headers[i];
	headers[n] = NULL;
}

void
dr_probe_start(struct dr_probe *probe, struct dr_loop *loop, struct dr_http *http,
    const struct dr_settings *settings, const struct dr_provider_record *record,
    const char *credential, size_t max_body, void (*done)(struct dr_probe *))
{
	char url[1024], line[MAX_LINE] = ""; /* dr_provider_url(): always fits */
	const char *headers[MAX_LINES];
	const char *ca_file =
	    record->ca_file[0] != '\0' ? record->ca_file : settings->ca_file;
	struct dr_http_request request = { .method = "GET",
		.url = url,
		.headers = headers,
		.ca_file = ca_file[0] != '\0' ? ca_file : NULL,
		.connect_timeout_ms = (unsigned)settings->connect_timeout,
		.http2 = settings->http2,
		.arg = probe,
		.on_head = on_head,
		.on_body = on_body,
		.on_end = on_end };
	bool fits = dr_provider_record_url(record, PATH, url, sizeof url);
	size_t len = strlen(url);

	DR_ASSERT(fits && len + sizeof "?" ALL <= sizeof url);
	if ((record->dialects & 1u << DR_DIALECT_ANTHROPIC) != 0 && max_body > 0)
		snprintf(url + len, sizeof url - len, "%c" ALL,
		    record->query[0] != '\0' ? '&' : '?');
	dr_probe_cancel(probe);
	probe->magic = DR_PROBE_MAGIC;
	probe->done = done;
	probe->result = (struct dr_probe_result){ 0 };
	probe->truncated = false;
	probe->started_ms = dr_clock_ms();
	dr_strbuf_init(&probe->body, max_body);
	dr_timer_init(&probe->timer, loop, on_late);
	dr_timer_start(&probe->timer, (uint64_t)settings->probe_timeout);
	make_headers(record, credential, line, headers);
	probe->transfer = dr_http_start(http, &request);
	dr_wipe(line, sizeof line);
}

void
dr_probe_cancel(struct dr_probe *probe)
{
	if (probe->magic == 0)
		return;
	DR_CHECK(probe, DR_PROBE_MAGIC);
	dr_timer_stop(&probe->timer);
	dr_http_cancel(&probe->transfer);
	dr_strbuf_fini(&probe->body);
}

/* ---- the result, in Redis ---- */

void
dr_probe_note(struct dr_store *store, const struct dr_provider_record *record,
    const struct dr_probe_result *result, uint64_t wait_ms, struct dr_store_call *call)
{
	char tag[DR_PROVIDER_KEY_SIZE], keys[2][DR_PROVIDER_KEY_SIZE];
	char generation[24], status[16], wait[24], why[DR_MAX_PROBE_WHY + 1];
	const char *words[] = { keys[0], keys[1], generation, result->ok ? "1" : "0",
		result->refused ? "1" : "0", status, why, wait };
	struct dr_arg args[DR_N_ELEMENTS(words)];

	dr_provider_key_tag(record->name, tag);
	dr_provider_key_record(record->name, keys[0]);
	dr_provider_key_state(record->name, keys[1]);
	snprintf(generation, sizeof generation, "%" PRId64, record->generation);
	snprintf(status, sizeof status, "%d", result->status);
	snprintf(wait, sizeof wait, "%" PRIu64, wait_ms);
	memcpy(why, result->why, sizeof why);
	for (char *p = why; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?'; /* readers of the state take no control bytes */
	for (size_t i = 0; i < DR_N_ELEMENTS(words); i++)
		args[i] = (struct dr_arg){ words[i], strlen(words[i]) };
	dr_store_eval(
	    store, tag, &dr_script_probe_note, 2, args, DR_N_ELEMENTS(words), call);
}
