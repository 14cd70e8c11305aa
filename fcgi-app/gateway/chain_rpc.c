/*
 * chain_rpc - see the header. The exchange over io/http_client, and the envelope of
 * JSON-RPC 2.0; what a result means is the callers' business.
 */
#include "gateway/chain_rpc.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "io/crypto.h"

#define MAX_CALLS 256
#define MAX_BODY  ((size_t)1 << 20)
#define MAX_WHY   300

struct answer {
	struct json_object *result; /* borrowed from `root` */
	char *error;                /* owned; NULL: none */
	bool there;
};

struct dr_rpc {
	unsigned magic;
#define DR_RPC_MAGIC 0xc4a1a901
	struct dr_http *http;         /* borrowed */
	char *urls[DR_CHAIN_MAX_RPC]; /* owned, secret */
	size_t n_urls, node;
	struct dr_transfer *transfer;
	struct dr_timer timer;
	struct dr_strbuf body, reply;
	struct dr_http_piece piece;
	struct answer answers[MAX_CALLS];
	size_t n;
	struct json_object *root; /* owned: what the answers lie in */
	size_t cap;               /* of `reply` */
	int status;
	char why[MAX_WHY];
	void (*done)(void *arg, const char *why);
	void *arg;
};

/* ---- the envelope ---- */

static void
forget_answers(struct dr_rpc *rpc)
{
	for (size_t i = 0; i < rpc->n; i++)
		free(rpc->answers[i].error);
	memset(rpc->answers, 0, sizeof rpc->answers);
	json_object_put(rpc->root);
	rpc->root = NULL;
	rpc->n = 0;
}

/* A node's own words, for the log: one short line. */
static char *
error_text(struct json_object *error)
{
	struct json_object *message = NULL;
	char text[160];

	if (json_object_is_type(error, json_type_object))
		(void)json_object_object_get_ex(error, "message", &message);
	snprintf(text, sizeof text, "%s",
	    json_object_is_type(message, json_type_string)
		? json_object_get_string(message)
		: "an error without a message");
	return dr_strdup(text);
}

static const char *
take_answer(struct dr_rpc *rpc, struct json_object *element)
{
	struct json_object *id, *result, *error = NULL;
	bool has_result;
	int64_t i;

	if (!json_object_is_type(element, json_type_object))
		return "an element of the answer is no object";
	if (!json_object_object_get_ex(element, "id", &id) ||
	    !json_object_is_type(id, json_type_int))
		return "id: missing or no number";
	i = json_object_get_int64(id);
	if (i < 0 || (size_t)i >= rpc->n || rpc->answers[i].there)
		return "id: not one that was asked, or twice";
	has_result = json_object_object_get_ex(element, "result", &result);
	(void)json_object_object_get_ex(element, "error", &error);
	if (!has_result && error == NULL)
		return "result: missing, and no error either";
	rpc->answers[i].there = true;
	if (error != NULL)
		rpc->answers[i].error = error_text(error);
	else
		rpc->answers[i].result = result;
	return NULL;
}

static const char *
too_long(struct dr_rpc *rpc)
{
	snprintf(
	    rpc->why, sizeof rpc->why, "the answer is longer than %zu bytes", rpc->cap);
	return rpc->why;
}

static const char *
take_reply(struct dr_rpc *rpc)
{
	const char *wrong;
	char err[200];

	if (rpc->status != 200) {
		snprintf(rpc->why, sizeof rpc->why, "HTTP %d", rpc->status);
		return rpc->why;
	}
	if (rpc->reply.failed)
		return too_long(rpc);
	if (rpc->reply.len == 0)
		return "the answer is empty";
	rpc->root = dr_json_parse(rpc->reply.data, rpc->reply.len, err, sizeof err);
	if (rpc->root == NULL) {
		snprintf(rpc->why, sizeof rpc->why, "not JSON: %s", err);
		return rpc->why;
	}
	if (json_object_is_type(rpc->root, json_type_object)) {
		struct json_object *error = NULL;
		char *text;

		(void)json_object_object_get_ex(rpc->root, "error", &error);
		text = error_text(error);
		snprintf(rpc->why, sizeof rpc->why, "the batch was refused: %s", text);
		free(text);
		return rpc->why;
	}
	if (!json_object_is_type(rpc->root, json_type_array))
		return "the answer to a batch is no array";
	for (size_t i = 0; i < json_object_array_length(rpc->root); i++) {
		wrong = take_answer(rpc, json_object_array_get_idx(rpc->root, i));
		if (wrong != NULL)
			return wrong;
	}
	for (size_t i = 0; i < rpc->n; i++)
		if (!rpc->answers[i].there)
			return "a call of the batch has no answer";
	return NULL;
}

/* ---- the exchange ---- */

static void
finish(struct dr_rpc *rpc, const char *why)
{
	dr_timer_stop(&rpc->timer);
	dr_http_cancel(&rpc->transfer);
	rpc->done(rpc->arg, why);
}

static void
on_head(void *arg, struct dr_transfer *transfer, int status)
{
	struct dr_rpc *rpc = arg;

	(void)transfer;
	DR_CHECK(rpc, DR_RPC_MAGIC);
	rpc->status = status;
}

static void
on_body(void *arg, const char *bytes, size_t len)
{
	struct dr_rpc *rpc = arg;

	DR_CHECK(rpc, DR_RPC_MAGIC);
	dr_strbuf_add(&rpc->reply, bytes, len);
	if (rpc->reply.failed) /* its end is not waited for */
		dr_timer_start(&rpc->timer, 0);
}

static void
on_end(void *arg, enum dr_http_result result, const char *why)
{
	struct dr_rpc *rpc = arg;

	(void)why; /* may name the node */
	DR_CHECK(rpc, DR_RPC_MAGIC);
	rpc->transfer = NULL;
	finish(rpc, result == DR_HTTP_OK        ? take_reply(rpc)
		    : result == DR_HTTP_REFUSED ? "no connection"
						: "the answer broke off");
}

static void
on_late(struct dr_timer *timer)
{
	struct dr_rpc *rpc = DR_CONTAINER_OF(timer, struct dr_rpc, timer);

	finish(rpc,
	    rpc->reply.failed ? too_long(rpc) : "no whole answer within chain_timeout");
}

void
dr_rpc_begin(struct dr_rpc *rpc)
{
	DR_CHECK(rpc, DR_RPC_MAGIC);
	DR_ASSERT(rpc->transfer == NULL);
	forget_answers(rpc);
	dr_strbuf_clear(&rpc->body);
	dr_strbuf_clear(&rpc->reply);
	dr_strbuf_addc(&rpc->body, '[');
}

size_t
dr_rpc_call(struct dr_rpc *rpc, const char *method, const char *params, ...)
{
	va_list ap;

	DR_ASSERT(rpc->n < MAX_CALLS);
	dr_strbuf_addf(&rpc->body,
	    "%s{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"%s\",\"params\":",
	    rpc->n == 0 ? "" : ",", rpc->n, method);
	va_start(ap, params);
	dr_strbuf_addv(&rpc->body, params, ap);
	va_end(ap);
	dr_strbuf_addc(&rpc->body, '}');
	return rpc->n++;
}

void
dr_rpc_send(struct dr_rpc *rpc, const struct dr_settings *settings,
    void (*done)(void *arg, const char *why), void *arg)
{
	static const char *const headers[] = { "content-type: application/json",
		"accept: application/json", NULL };
	struct dr_http_request request = { .method = "POST",
		.url = rpc->urls[rpc->node],
		.headers = headers,
		.body = &rpc->piece,
		.n_body = 1,
		.ca_file = settings->ca_file[0] != '\0' ? settings->ca_file : NULL,
		.connect_timeout_ms = (unsigned)settings->connect_timeout,
		.arg = rpc,
		.on_head = on_head,
		.on_body = on_body,
		.on_end = on_end };

	dr_strbuf_addc(&rpc->body, ']');
	DR_ASSERT(!rpc->body.failed && rpc->transfer == NULL);
	rpc->piece = (struct dr_http_piece){ rpc->body.data, rpc->body.len };
	rpc->done = done;
	rpc->arg = arg;
	rpc->status = 0;
	dr_timer_start(&rpc->timer, (uint64_t)settings->chain_timeout);
	rpc->transfer = dr_http_start(rpc->http, &request);
}

struct json_object *
dr_rpc_result(const struct dr_rpc *rpc, size_t call)
{
	DR_ASSERT(call < rpc->n);
	return rpc->answers[call].result;
}

const char *
dr_rpc_error(const struct dr_rpc *rpc, size_t call)
{
	DR_ASSERT(call < rpc->n);
	return rpc->answers[call].error;
}

/* ---- nodes ---- */

void
dr_rpc_rotate(struct dr_rpc *rpc)
{
	rpc->node = (rpc->node + 1) % rpc->n_urls;
}

void
dr_rpc_use(struct dr_rpc *rpc, size_t node)
{
	DR_ASSERT(node < rpc->n_urls);
	rpc->node = node;
}

size_t
dr_rpc_node(const struct dr_rpc *rpc)
{
	return rpc->node;
}

size_t
dr_rpc_nodes(const struct dr_rpc *rpc)
{
	return rpc->n_urls;
}

void
dr_rpc_cap(struct dr_rpc *rpc, size_t answer_bytes)
{
	DR_ASSERT(rpc->transfer == NULL);
	dr_strbuf_fini(&rpc->reply);
	dr_strbuf_init(&rpc->reply, answer_bytes);
	rpc->cap = answer_bytes;
}

struct dr_rpc *
dr_rpc_new(struct dr_loop *loop, struct dr_http *http, const struct dr_chain *chain,
    char *err, size_t err_size)
{
	struct dr_rpc *rpc = dr_calloc(1, sizeof *rpc);

	rpc->magic = DR_RPC_MAGIC;
	rpc->http = http;
	dr_strbuf_init(&rpc->body, MAX_BODY);
	dr_rpc_cap(rpc, DR_RPC_MOST);
	dr_timer_init(&rpc->timer, loop, on_late);
	for (size_t i = 0; i < chain->n_rpc; i++) {
		rpc->urls[i] = dr_chain_url(chain, i, err, err_size);
		if (rpc->urls[i] == NULL) {
			dr_rpc_free(&rpc);
			return NULL;
		}
		rpc->n_urls++;
	}
	return rpc;
}

void
dr_rpc_free(struct dr_rpc **rpc)
{
	struct dr_rpc *r = *rpc;

	if (r == NULL)
		return;
	DR_CHECK(r, DR_RPC_MAGIC);
	*rpc = NULL;
	dr_timer_stop(&r->timer);
	dr_http_cancel(&r->transfer);
	forget_answers(r);
	dr_strbuf_fini(&r->body);
	dr_strbuf_fini(&r->reply);
	for (size_t i = 0; i < r->n_urls; i++) {
		dr_wipe(r->urls[i], strlen(r->urls[i]));
		free(r->urls[i]);
	}
	DR_FREE(r);
}
