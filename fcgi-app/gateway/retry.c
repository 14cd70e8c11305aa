/*
 * retry - see the header. The choice itself is routing's, which is pure; here it gets
 * what this request has tried, and its rules.
 */
#include "gateway/retry.h"

#include "base/clock.h"
#include "base/log.h"
#include "gateway/bound.h"
#include "gateway/endpoint.h"
#include "gateway/gateway.h"

#define SECOND_TRY_MS 200 /* before the only provider is asked once more */

/* Remember the provider, so that it is not chosen again; keeps a reference. */
void
dr_retry_note(
    struct dr_request *req, struct dr_provider *provider, enum dr_outcome outcome)
{
	if (req->n_tried < DR_MAX_TRIED)
		req->tried[req->n_tried++] =
		    (struct dr_tried){ dr_provider_ref(provider), outcome };
}

enum dr_error
dr_request_choose(
    struct dr_request *req, bool again, struct dr_provider **out, int64_t *wait_ms)
{
	struct dr_route_query query = {
		.providers = NULL,
		.model = req->model->name,
		.dialect = req->handler->dialect,
		.tried = req->tried,
		.n_tried = req->n_tried,
		.again = again,
		.stream = req->facts.stream,
		.rest_lead_ms = req->config->settings->rest_lead,
		.now_ms = dr_clock_ms(),
		.now_wall_ms = dr_clock_wall_ms(),
		.random = dr_providers_random(req->gw->providers),
		.affinity = req->affinity,
		.org = dr_bound_org(req),
	};

	query.providers = dr_providers_list(req->gw->providers, &query.n_providers);
	return dr_route(&query, out, wait_ms);
}

/* Somebody else, who is not in doubt? */
static bool
has_better(struct dr_request *req, const struct dr_provider *than)
{
	struct dr_provider *other;

	return dr_request_choose(req, false, &other, NULL) == DR_OK && other != than &&
	       !dr_provider_doubted(other, dr_clock_ms());
}

bool
dr_retry_keeps(struct dr_request *req)
{
	const struct dr_provider_lease *lease = &req->up.lease;

	return lease->probe || !dr_provider_doubted(lease->provider, dr_clock_ms()) ||
	       !has_better(req, lease->provider);
}

/*
 * It happens to a good provider, too, when it closes a connection that it takes for
 * idle: sent once more, nobody notices. But it is also how the fall of a provider shows
 * first.
 */
bool
dr_retry_resends(struct dr_request *req)
{
	return !dr_retry_allowed(req) || !has_better(req, req->up.lease.provider);
}

bool
dr_retry_allowed(const struct dr_request *req)
{
	const struct dr_settings *s = req->config->settings;

	if (req->n_attempts > 0 &&
	    !dr_retry_budget_left(&req->gw->retries, dr_clock_ms()))
		return false;
	return req->n_attempts < (unsigned)s->max_attempts &&
	       req->n_attempts < DR_MAX_ATTEMPTS && req->n_tried < DR_MAX_TRIED &&
	       dr_clock_ms() - req->received_ms < (uint64_t)s->total_timeout;
}

void
dr_retry_count(struct dr_request *req)
{
	if (req->n_attempts == 1)
		dr_retry_budget_earn(&req->gw->retries,
		    (unsigned)req->config->settings->retry_budget, dr_clock_ms());
	else
		dr_retry_budget_spend(&req->gw->retries, dr_clock_ms());
}

/* ---- fallback models ---- */

/* Its price row, and what the request's variants multiply it by. False: it has none, or
 * does not offer them. */
static bool
price_of(const struct dr_request *req, const struct dr_model *model,
    const struct dr_price **price, int64_t *ppm)
{
	*price = dr_model_price(model, req->received_wall_ms);
	*ppm = DR_PPM;
	/* the body is gone from here on in no case: no head is out yet */
	return *price != NULL && dr_endpoint_is_priced(req, *price, ppm);
}

static const struct dr_model *
next_fallback(struct dr_request *req, const struct dr_price **price, int64_t *ppm)
{
	const char *const *names = req->asked->fallback;

	while (names[req->n_fallbacks] != NULL) {
		const struct dr_model *model =
		    dr_models_find(req->config->models, names[req->n_fallbacks++]);

		if (model != NULL && dr_endpoint_allows(req, model->name) &&
		    dr_providers_offer(
			req->gw->providers, model->name, req->handler->dialect) &&
		    price_of(req, model, price, ppm))
			return model;
	}
	return NULL;
}

bool
dr_retry_fallback(struct dr_request *req, enum dr_error err)
{
	const struct dr_price *price;
	const struct dr_model *model;
	int64_t ppm;

	if (req->handler->kind != DR_HANDLER_GENERATE || !dr_retry_allowed(req) ||
	    (err != DR_ERR_OFFLINE && err != DR_ERR_RESTING && err != DR_ERR_FULL &&
		err != DR_ERR_OVERLOADED && err != DR_ERR_PROVIDER_ERROR &&
		err != DR_ERR_PROVIDER_AUTH && err != DR_ERR_PROVIDER_TIMEOUT))
		return false;
	model = next_fallback(req, &price, &ppm);
	if (model == NULL)
		return false;
	dr_log_info(request, "%s: %s is exhausted, %s serves", req->id,
	    req->model->name, model->name);
	req->model = model;
	req->price = price;
	req->price_ppm = ppm;
	return true;
}

/* The hold has to cover the dearest of them: which one serves is not known yet. */
int64_t
dr_retry_estimate(const struct dr_request *req)
{
	const int64_t hold_output = req->config->settings->hold_output_tokens;
	int64_t most =
	    dr_ppm_of(dr_price_estimate(req->model, req->price, req->body_bytes,
			  req->facts.max_tokens, req->facts.choices, hold_output),
		req->price_ppm);

	for (const char *const *name = req->model->fallback; *name != NULL; name++) {
		const struct dr_model *model =
		    dr_models_find(req->config->models, *name);
		const struct dr_price *price;
		int64_t ppm, nano;

		if (model == NULL || !price_of(req, model, &price, &ppm))
			continue;
		nano = dr_ppm_of(
		    dr_price_estimate(model, price, req->body_bytes,
			req->facts.max_tokens, req->facts.choices, hold_output),
		    ppm);
		if (nano > most)
			most = nano;
	}
	return most;
}

/* ---- nobody is left ---- */

/* One attempt is left, and a fallback that has not been asked: it has more to offer
 * than the provider that has just failed. */
static bool
is_last_for_fallback(const struct dr_request *req)
{
	return req->handler->kind == DR_HANDLER_GENERATE &&
	       req->n_attempts + 1 >= (unsigned)req->config->settings->max_attempts &&
	       req->asked->fallback[req->n_fallbacks] != NULL;
}

/*
 * Nobody else is left: the one that failed may be asked once more, after a short pause,
 * or after the rest that it asked for where that is short. True: the pause runs.
 */
bool
dr_retry_same(
    struct dr_request *req, int64_t cooling_ms, void (*over)(struct dr_timer *))
{
	const struct dr_settings *s = req->config->settings;
	enum dr_outcome last;

	if (req->n_attempts == 0 || req->second_try_used || is_last_for_fallback(req))
		return false;
	last = req->attempts[req->n_attempts - 1].outcome;
	if (last == DR_OUTCOME_OVERLOADED) {
		if (cooling_ms < 0 || cooling_ms > s->retry_wait_max)
			return false;
	} else if (last == DR_OUTCOME_REFUSED || last == DR_OUTCOME_STALE ||
		   last == DR_OUTCOME_SERVER) {
		cooling_ms = SECOND_TRY_MS;
	} else {
		return false; /* silent: never the same; flagged: of no use */
	}
	req->second_try_used = true;
	dr_timer_init(&req->pause, req->gw->loop, over);
	dr_timer_start(&req->pause, (uint64_t)cooling_ms + 1);
	return true;
}

enum dr_error
dr_retry_failure(const struct dr_request *req)
{
	enum dr_error err = DR_OK;

	for (unsigned i = 0; i < req->n_tried; i++)
		err = dr_worst_of(err, dr_outcome_error(req->tried[i].outcome));
	return err != DR_OK ? err : DR_ERR_PROVIDER_TIMEOUT;
}

/* Every way is closed; dr_route() has weighed the failures and says which one is told.
 */
enum dr_req_state
dr_retry_give_up(struct dr_request *req, enum dr_error err, int64_t wait_ms)
{
	switch (err) {
	case DR_ERR_MODEL_UNAVAILABLE: /* its last provider went, or the list is not in
					  yet */
		return dr_providers_ready(req->gw->providers)
			   ? dr_endpoint_refuse(req, err)
			   : dr_fail(req, DR_ERR_OFFLINE);
	case DR_ERR_PROVIDER_ERROR:
		return dr_fail(req, err,
		    req->provider_text != NULL ? req->provider_text : "Provider error");
	default:
		req->retry_after_ms = dr_route_retry_hint(err, wait_ms);
		return dr_fail(req, err);
	}
}
