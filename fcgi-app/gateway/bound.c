/*
 * bound - see the header. What marks are, and where they stand in a body, is dialects'
 * (binding.h); this asks Redis and tells it.
 */
#include "gateway/bound.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "gateway/gateway.h"
#include "gateway/schema.h"

#define MARK_SIZE 33

static bool
is_responses(const struct dr_request *req)
{
	return req->handler->kind == DR_HANDLER_GENERATE &&
	       req->handler->dialect == DR_DIALECT_RESPONSES;
}

static size_t
make_key(char out[DR_SCHEMA_KEY_SIZE], const struct dr_request *req,
    const struct dr_mark *mark)
{
	char text[MARK_SIZE];

	snprintf(text, sizeof text, "%016" PRIx64 "%016" PRIx64, mark->a, mark->b);
	return dr_schema_key(out, req->key.account, DR_SCHEMA_ORG, text);
}

/* ---- asking ---- */

void
dr_bound_read(struct dr_request *req, const char *body)
{
	const struct dr_span *store = &req->facts.store;

	if (!is_responses(req))
		return;
	req->bound.n = dr_binding_of_body(body, &req->facts, req->bound.marks);
	req->bound.unstored = store->len > 0 && body[store->at] == 'f';
}

bool
dr_bound_refers(const struct dr_request *req)
{
	return req->bound.n > 0;
}

bool
dr_bound_waits(const struct dr_request *req)
{
	return req->bound.call.slot != NULL;
}

const char *
dr_bound_org(const struct dr_request *req)
{
	return req->bound.org;
}

/* The first that is known: they come in the order of what counts more. */
static void
on_orgs(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_request *req = DR_CONTAINER_OF(call, struct dr_request, bound.call);

	DR_CHECK(req, DR_REQUEST_MAGIC);
	for (size_t i = 0; err == DR_OK && i < dr_reply_count(reply); i++) {
		size_t len;
		const char *org = dr_reply_string(dr_reply_at(reply, i), &len);

		if (len == 0 || len >= sizeof req->bound.org)
			continue;
		memcpy(req->bound.org, org, len + 1);
		dr_log_trace(request, "%s: bound to organisation %s", req->id, org);
		break;
	}
	req->bound.failed = err != DR_OK;
	if (req->state == DR_REQ_ROUTE) /* else admission has still to say its word */
		dr_request_go(req, DR_REQ_ROUTE);
}

void
dr_bound_ask(struct dr_request *req)
{
	char tag[DR_SCHEMA_TAG_SIZE], keys[DR_MAX_BINDINGS][DR_SCHEMA_KEY_SIZE];
	struct dr_arg argv[1 + DR_MAX_BINDINGS] = { { "MGET", 4 } };

	if (req->bound.n == 0)
		return;
	for (size_t i = 0; i < req->bound.n; i++) {
		argv[1 + i].data = keys[i];
		argv[1 + i].len = make_key(keys[i], req, &req->bound.marks[i]);
	}
	dr_schema_tag(tag, req->key.account);
	req->bound.call.done = on_orgs;
	dr_store_command(req->gw->store, tag, argv, 1 + req->bound.n, &req->bound.call);
}

void
dr_bound_cancel(struct dr_request *req)
{
	dr_store_cancel(&req->bound.call);
}

/* ---- telling ---- */

static void
note(struct dr_request *req, const struct dr_mark *mark)
{
	const char *org = dr_provider_org(req->up.lease.provider);
	char tag[DR_SCHEMA_TAG_SIZE], key[DR_SCHEMA_KEY_SIZE], ttl[24];
	struct dr_arg argv[] = { { "SET", 3 }, { key, 0 }, { org, strlen(org) },
		{ "PX", 2 }, { ttl, 0 } };

	if (!dr_mark_is(*mark))
		return;
	dr_schema_tag(tag, req->key.account);
	argv[1].len = make_key(key, req, mark);
	argv[4].len = (size_t)snprintf(
	    ttl, sizeof ttl, "%" PRId64, req->config->settings->binding_ttl);
	dr_store_command(req->gw->store, tag, argv, DR_N_ELEMENTS(argv), NULL);
}

static void
note_marks(struct dr_request *req, const struct dr_answer_marks *marks)
{
	const struct dr_sealed *sealed = &marks->sealed;

	/* an answer that is not kept there has no id to come back to */
	if (!req->bound.id_noted && !req->bound.unstored) {
		note(req, &marks->id);
		note(req, &marks->conversation);
	}
	req->bound.id_noted = true;
	if (sealed->n - req->bound.n_noted > DR_MAX_SEALED)
		req->bound.n_noted = sealed->n - DR_MAX_SEALED;
	for (; req->bound.n_noted < sealed->n; req->bound.n_noted++)
		note(req, &sealed->kept[req->bound.n_noted % DR_MAX_SEALED]);
}

void
dr_bound_note_stream(struct dr_request *req)
{
	const struct dr_answer_marks *marks;

	if (!is_responses(req) || req->up.lease.provider == NULL)
		return;
	marks = &dr_tap_state(req->up.tap)->marks;
	if (!req->bound.id_noted || marks->sealed.n != req->bound.n_noted)
		note_marks(req, marks);
}

void
dr_bound_note_answer(struct dr_request *req, const char *body, size_t len)
{
	struct dr_answer_marks marks;

	if (!is_responses(req) || req->up.lease.provider == NULL)
		return;
	dr_binding_of_answer(body, len, &marks);
	note_marks(req, &marks);
}
