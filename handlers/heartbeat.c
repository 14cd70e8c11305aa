/*
 * heartbeat - POST /provider/v1/heartbeat: a provider's node says that it is there.
 *
 * The token names its provider and is checked against this process' copy of the
 * directory, so that a storm of wrong ones never reaches Redis; a new token is good
 * within providers_poll. What the node says is in force as soon as the responders have
 * polled again.
 */
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "gateway/gateway.h"
#include "gateway/heartbeat.h"
#include "gateway/request.h"
#include "handlers/handlers.h"

#define MAX_ANSWER (256 * 1024)

struct beat_call {
	struct dr_store_call call; /* stays alive until it is done or cancelled */
	struct dr_request *req;
	struct dr_provider *provider; /* a reference */
	struct dr_strbuf answer;
};

static struct beat_call *
call_of(struct dr_store_call *call)
{
	return DR_CONTAINER_OF(call, struct beat_call, call);
}

static void
release(struct beat_call *call)
{
	dr_provider_unref(&call->provider);
	dr_strbuf_fini(&call->answer);
}

static void
cancel(void *local)
{
	struct beat_call *call = local;

	dr_store_cancel(&call->call);
	release(call);
}

/* ---- who is it? ---- */

static const char *
presented_token(const struct dr_request *req)
{
	const char *auth = dr_fcgi_param(req->edge, "HTTP_AUTHORIZATION");

	if (auth == NULL || strncasecmp(auth, "Bearer ", 7) != 0)
		return NULL;
	auth += 7;
	auth += strspn(auth, " ");
	return auth[0] != '\0' ? auth : NULL;
}

/* NULL: the request has failed. */
static struct dr_provider *
authenticate(struct dr_request *req)
{
	const char *token = presented_token(req), *name;
	struct dr_provider *provider = NULL;

	if (token == NULL) {
		dr_request_fail(req, DR_ERR_NO_TOKEN);
		return NULL;
	}
	name = dr_provider_token_name(token);
	if (name != NULL)
		provider = dr_providers_find(req->gw->providers, name);
	if (provider != NULL && dr_provider_record_knows_token(provider->record, token))
		return provider;
	if (dr_providers_ready(req->gw->providers))
		dr_request_fail(req, DR_ERR_BAD_TOKEN);
	else /* it cannot be told */
		dr_request_fail(req, DR_ERR_STORE_DOWN);
	return NULL;
}

/* ---- what it says ---- */

/* Which of its models count: those that its record has too. */
static void
write_answer(struct dr_strbuf *out, const struct dr_provider *provider,
    const struct dr_heartbeat *beat, int64_t ttl_ms)
{
	const struct dr_provider_record *record = provider->record;
	struct dr_provider_state said = { .now_ms = 1,
		.hb_until_ms = 2,
		.hb_free = -1,
		.hb_models = beat->says_models ? beat->models.data : NULL };
	struct dr_presence presence;
	const char *comma = "";

	dr_liveness_read(&presence, record, &said, true, 0);
	dr_strbuf_adds(out, "{\"object\":\"heartbeat\",\"provider\":");
	dr_json_add_string(out, record->name);
	dr_strbuf_addf(out, ",\"ttl_ms\":%lld,\"models\":[", (long long)ttl_ms);
	for (size_t i = 0; i < record->n_models; i++) {
		if (!dr_liveness_has(&presence, i))
			continue;
		dr_strbuf_adds(out, comma);
		dr_json_add_string(out, record->models[i].here);
		comma = ",";
	}
	dr_strbuf_adds(out, "]}");
}

static void
on_written(
    struct dr_store_call *store_call, enum dr_error err, const struct dr_reply *reply)
{
	struct beat_call *call = call_of(store_call);
	struct dr_request *req = call->req;

	if (err == DR_OK && dr_reply_int(reply, 0) == 0)
		err = DR_ERR_BAD_TOKEN; /* its provider has just been removed */
	if (err == DR_OK)
		dr_reply_json(req, 200, &call->answer);
	else
		dr_request_fail(req, err);
}

static void
take_in(struct dr_request *req, struct dr_provider *provider,
    const struct dr_heartbeat *beat)
{
	int64_t ttl_ms = req->config->settings->heartbeat_ttl;
	struct beat_call *call = dr_calloc(1, sizeof *call);

	provider->heard_ms = dr_clock_ms();
	call->req = req;
	call->provider = dr_provider_ref(provider);
	dr_strbuf_init(&call->answer, MAX_ANSWER);
	write_answer(&call->answer, provider, beat, ttl_ms);
	req->local = call;
	req->cancel_local = cancel;
	call->call.done = on_written;
	dr_heartbeat_write(
	    req->gw->store, provider->record->name, beat, ttl_ms, &call->call);
}

static void
answer(struct dr_request *req)
{
	struct dr_provider *provider = authenticate(req);
	int64_t gap_ms = req->config->settings->heartbeat_gap;
	struct dr_heartbeat beat;
	enum dr_error err;
	char why[200];
	size_t len;
	const char *body;

	if (provider == NULL)
		return;
	if (provider->heard_ms > 0 &&
	    dr_clock_ms() - provider->heard_ms < (uint64_t)gap_ms) {
		dr_request_fail(req, DR_ERR_TOO_OFTEN, (long long)gap_ms);
		return;
	}
	if (dr_fcgi_fault(req->edge) != DR_FCGI_FINE) {
		dr_request_fail(
		    req, DR_ERR_BAD_JSON, "The body is too large or incomplete");
		return;
	}
	body = dr_fcgi_body(req->edge, &len);
	if (len > DR_MAX_LOCAL_BODY) {
		dr_request_fail(
		    req, DR_ERR_BODY_TOO_LARGE, (long long)DR_MAX_LOCAL_BODY);
		return;
	}
	err = dr_heartbeat_read(&beat, body, len, why, sizeof why);
	if (err == DR_OK)
		take_in(req, provider, &beat);
	else
		dr_request_fail(req, err, why);
	dr_heartbeat_fini(&beat);
}

const struct dr_handler dr_handler_heartbeat = {
	.method = "POST",
	.path = "/provider/v1/heartbeat",
	.kind = DR_HANDLER_LOCAL,
	.answer = answer,
};
