/*
 * http_client - see the header. Transfers from start to end over libcurl's multi
 * interface, which http_client_engine.c drives and http_client_exchange.c tells what to
 * send.
 *
 * What it is not: no retries (but libcurl's own, on a fresh connection, when a kept one
 * turns out dead before the first byte of the answer, where the caller has nothing
 * better), no time-outs but connecting, no
 * redirects, no cookies, no proxies.
 *
 * Relies on, as read in libcurl 7.88's source: nothing may be added or removed inside
 * its callbacks, so what is asked for there (in_curl) is noted and done when curl
 * returns, still in the same turn of the loop. And an easy handle may be used again
 * only after a clean end: one that was broken off over HTTP/2 can keep held-back bytes
 * of its answer, which would reach the next caller.
 */
#include "io/http_client_internal.h"

#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/mem.h"

#define MAX_POOLED 128 /* idle easy handles of a kind: about 10 KB each */

/* ---- the end of a transfer ---- */

void
dr_http_destroy(struct dr_transfer *transfer)
{
	curl_easy_cleanup(transfer->easy);
	curl_url_cleanup(transfer->parsed_url);
	free(transfer->body_copy);
	free(transfer->lines);
	free(transfer->line_text);
	free(transfer->url);
	free(transfer->ca_file);
	DR_FREE(transfer);
}

static void
keep_for_reuse(struct dr_transfer *transfer)
{
	struct http_engine *engine = transfer->engine;

	dr_http_drop_body(transfer);
	if (engine->n_pooled[transfer->stream] >= MAX_POOLED) {
		dr_http_destroy(transfer);
		return;
	}
	transfer->magic = POOLED_MAGIC; /* a late call on it fails its check */
	engine->n_pooled[transfer->stream]++;
	dr_list_append(&engine->pool[transfer->stream], &transfer->node);
}

/* Out of curl. Where the end is not clean: the connection closes or, over HTTP/2, the
 * stream. */
void
dr_http_take_out(struct dr_transfer *transfer, bool clean)
{
	CURLMcode rc =
	    curl_multi_remove_handle(transfer->engine->multi, transfer->easy);

	DR_ASSERT(rc == CURLM_OK);
	dr_list_remove(&transfer->node);
	dr_list_remove(&transfer->resume_node);
	if (!clean && dr_http_multiplexes(transfer->engine)) {
		transfer->engine->look_again = true;
		dr_loop_defer(transfer->http->loop, &transfer->http->at_turn_end);
	}
}

static enum dr_http_result
judge(struct dr_transfer *transfer, CURLcode code)
{
	if (transfer->head_done)
		return code == CURLE_OK && !transfer->held ? DR_HTTP_OK : DR_HTTP_CUT;
	if (transfer->stale)
		return DR_HTTP_STALE;
	if (dr_http_connect_ms(transfer) < 0)
		return DR_HTTP_REFUSED;
	switch (code) {
	/* A kept connection was dead and the fresh one could not be made. */
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_OPERATION_TIMEDOUT:
		return DR_HTTP_REFUSED;
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9, or a version nobody knows */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_FILESIZE_EXCEEDED: /* a Content-Length that is no number */
	case CURLE_OUT_OF_MEMORY:     /* a header line above libcurl's own ceilings */
	case CURLE_WRITE_ERROR:       /* our own refusal in on_header() */
		return DR_HTTP_BAD_ANSWER;
	default:
		return DR_HTTP_RESET;
	}
}

/* One line for the log: curl's text may quote bytes of the peer. */
static const char *
reason(struct dr_transfer *transfer, enum dr_http_result result, CURLcode code)
{
	if (result == DR_HTTP_OK)
		return "";
	if (result == DR_HTTP_STALE)
		return "the kept connection broke before the answer";
	if (transfer->refused != NULL)
		return transfer->refused;
	if (code == CURLE_OK)
		return "the connection ended inside the answer";
	if (transfer->error[0] == '\0')
		return curl_easy_strerror(code);
	for (char *p = transfer->error; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	return transfer->error;
}

void
dr_http_finish(struct dr_transfer *transfer, CURLcode code)
{
	enum dr_http_result result = judge(transfer, code);
	const char *why = reason(transfer, result, code);

	transfer->state = ENDING;
	dr_http_take_out(transfer, result == DR_HTTP_OK);
	transfer->http->n_running--;
	dr_log_trace(http, "transfer %p: result %d, connected after %lld ms%s%s",
	    (void *)transfer, (int)result, (long long)dr_http_connect_ms(transfer),
	    *why != '\0' ? ": " : "", why);
	transfer->on_end(transfer->arg, result, why);
	if (result == DR_HTTP_OK)
		keep_for_reuse(transfer);
	else
		dr_http_destroy(transfer);
}

/* ---- requests ---- */

static struct http_engine *
engine_of(struct dr_http *http, const struct dr_http_request *request)
{
	bool tls = strncasecmp(request->url, "https:", 6) == 0;

	return &http->engines[request->http2 && tls ? HTTP_MULTIPLEX : HTTP_PLAIN];
}

static struct dr_transfer *
transfer_new(struct http_engine *engine, bool stream)
{
	struct dr_list *pool = &engine->pool[stream];
	struct dr_transfer *transfer;

	if (!dr_list_empty(pool)) {
		transfer = DR_LIST_ENTRY(pool->prev, struct dr_transfer, node);
		DR_CHECK(transfer, POOLED_MAGIC);
		dr_list_remove(&transfer->node);
		engine->n_pooled[stream]--;
		transfer->magic = TRANSFER_MAGIC;
		return transfer;
	}
	transfer = dr_calloc(1, sizeof *transfer);
	transfer->magic = TRANSFER_MAGIC;
	transfer->http = engine->http;
	transfer->engine = engine;
	transfer->stream = stream;
	dr_list_init(&transfer->node);
	dr_list_init(&transfer->resume_node);
	transfer->easy = curl_easy_init();
	DR_ASSERT(transfer->easy != NULL);
	dr_http_exchange_init(transfer);
	return transfer;
}

struct dr_transfer *
dr_http_start(struct dr_http *http, const struct dr_http_request *request)
{
	struct dr_transfer *transfer;

	DR_CHECK(http, HTTP_MAGIC);
	transfer = transfer_new(engine_of(http, request), request->stream);
	transfer->arg = request->arg;
	transfer->may_resend = request->may_resend;
	transfer->on_head = request->on_head;
	transfer->on_body = request->on_body;
	transfer->on_end = request->on_end;
	transfer->head_done = false;
	transfer->sent = transfer->stale = false;
	transfer->refused = NULL;
	transfer->paused = transfer->held = false;
	transfer->head_bytes = 0;
	transfer->named_length = -1;
	transfer->error[0] = '\0';
	dr_http_exchange_prepare(transfer, request);
	http->n_running++;
	transfer->state = WAITING;
	if (http->in_curl)
		dr_list_append(&http->waiting, &transfer->node);
	else
		dr_http_add(transfer);
	return transfer;
}

void
dr_http_cancel(struct dr_transfer **transferp)
{
	struct dr_transfer *transfer = *transferp;

	*transferp = NULL;
	if (transfer == NULL)
		return;
	DR_CHECK(transfer, TRANSFER_MAGIC);
	if (transfer->state == CANCELLED || transfer->state == ENDING)
		return;
	transfer->http->n_running--;
	if (transfer->state == RUNNING && transfer->http->in_curl) {
		transfer->state = CANCELLED;
		dr_list_remove(&transfer->node);
		dr_list_append(&transfer->http->cancelled, &transfer->node);
		return;
	}
	if (transfer->state == RUNNING)
		dr_http_take_out(transfer, false);
	dr_list_remove(&transfer->node);
	dr_http_destroy(transfer);
}

void
dr_http_pause(struct dr_transfer *transfer)
{
	DR_CHECK(transfer, TRANSFER_MAGIC);
	transfer->paused = true;
}

void
dr_http_resume(struct dr_transfer *transfer)
{
	struct dr_http *http = transfer->http;

	DR_CHECK(transfer, TRANSFER_MAGIC);
	transfer->paused = false;
	if (!transfer->held || !dr_list_empty(&transfer->resume_node))
		return;
	dr_list_append(&http->resumed, &transfer->resume_node);
	dr_loop_defer(http->loop, &http->at_turn_end);
}

/* ---- what the answer says ---- */

const char *
dr_http_header(struct dr_transfer *transfer, const char *name)
{
	struct curl_header *header;

	DR_CHECK(transfer, TRANSFER_MAGIC);
	if (curl_easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &header) !=
	    CURLHE_OK)
		return NULL;
	return header->value;
}

int64_t
dr_http_content_length(struct dr_transfer *transfer)
{
	curl_off_t length = -1;

	DR_CHECK(transfer, TRANSFER_MAGIC);
	curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	return length;
}

int64_t
dr_http_connect_ms(struct dr_transfer *transfer)
{
	curl_off_t us = 0;

	DR_CHECK(transfer, TRANSFER_MAGIC);
	curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &us);
	return us > 0 ? us / 1000 : -1;
}

/* ---- birth and death ---- */

struct dr_http *
dr_http_new(struct dr_loop *loop, const struct dr_http_options *options)
{
	static bool initialised;
	struct dr_http *http = dr_calloc(1, sizeof *http);

	if (!initialised)
		DR_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	initialised = true;
	http->magic = HTTP_MAGIC;
	http->loop = loop;
	http->fresh_when_busy = options->max_host_connections == 0;
	dr_list_init(&http->running);
	dr_list_init(&http->waiting);
	dr_list_init(&http->cancelled);
	dr_list_init(&http->resumed);
	dr_deferred_init(&http->at_turn_end, dr_http_end_turn);
	for (int i = 0; i < HTTP_N_ENGINES; i++)
		dr_http_engine_init(http, i, options);
	return http;
}

void
dr_http_free(struct dr_http **httpp)
{
	struct dr_http *http = *httpp;
	struct dr_list *node;

	if (http == NULL)
		return;
	DR_CHECK(http, HTTP_MAGIC);
	DR_ASSERT(!http->in_curl);
	while (!dr_list_empty(&http->running)) {
		struct dr_transfer *transfer =
		    DR_LIST_ENTRY(http->running.next, struct dr_transfer, node);

		dr_http_cancel(&transfer);
	}
	for (int i = 0; i < HTTP_N_ENGINES; i++) {
		for (int stream = 0; stream < 2; stream++)
			while ((node = dr_list_pop(&http->engines[i].pool[stream])) !=
			       NULL)
				dr_http_destroy(
				    DR_LIST_ENTRY(node, struct dr_transfer, node));
		dr_http_engine_fini(&http->engines[i]);
	}
	dr_deferred_cancel(&http->at_turn_end);
	dr_http_watches_free(http);
	DR_FREE(http);
	*httpp = NULL;
}

size_t
dr_http_running(const struct dr_http *http)
{
	DR_CHECK(http, HTTP_MAGIC);
	return http->n_running;
}
