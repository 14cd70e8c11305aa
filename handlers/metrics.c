/*
 * metrics - GET /metrics: what all responders on all machines have counted, and how
 * deposits are followed, as Prometheus text. For the operator's monitoring: the web
 * server keeps others out.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "gateway/deposit_health.h"
#include "gateway/gateway.h"
#include "gateway/metrics_text.h"
#include "gateway/request.h"
#include "handlers/handlers.h"

struct metrics_call {
	struct dr_chains_read chains; /* these two stay alive until they are done or
					 cancelled */
	struct dr_metrics_read read;
	struct dr_request *req;
};

static void
on_read(struct dr_metrics_read *read, enum dr_error err)
{
	struct metrics_call *call = DR_CONTAINER_OF(read, struct metrics_call, read);

	if (err == DR_OK)
		dr_reply_text(call->req, 200,
		    "text/plain; version=0.0.4; charset=utf-8", read->text.data);
	else
		dr_request_fail(call->req, err);
}

static void
add(struct dr_samples *samples, enum dr_metric metric, int64_t chain, int64_t value)
{
	char id[24];
	const char *const values[3] = { id, NULL, NULL };
	struct dr_strbuf name;

	if (value < 0)
		return; /* not known yet */
	snprintf(id, sizeof id, "%" PRId64, chain);
	dr_strbuf_init(&name, 256);
	dr_metric_series(&name, metric, values);
	dr_samples_add(samples, name.data, value);
	dr_strbuf_fini(&name);
}

static void
add_chains(struct dr_metrics_read *read, struct dr_samples *samples)
{
	struct metrics_call *call = DR_CONTAINER_OF(read, struct metrics_call, read);
	const struct dr_chains *chains = call->req->config->chains;

	for (size_t i = 0; i < chains->n; i++) {
		const struct dr_chain_health *h = &call->chains.health[i];
		int64_t id = chains->all[i].id;

		if (!chains->all[i].enabled)
			continue;
		add(samples, DR_METRIC_DEPOSITS_OK, id, h->ok_ms / 1000);
		add(samples, DR_METRIC_DEPOSITS_LAG, id, dr_chain_health_lag(h, false));
		add(samples, DR_METRIC_DEPOSITS_FINAL_LAG, id,
		    dr_chain_health_lag(h, true));
		add(samples, DR_METRIC_DEPOSITS_PENDING, id, h->n_pending);
		add(samples, DR_METRIC_DEPOSITS_UNCLAIMED, id, h->n_unclaimed);
	}
}

static void
on_chains(struct dr_chains_read *chains, enum dr_error err)
{
	struct metrics_call *call =
	    DR_CONTAINER_OF(chains, struct metrics_call, chains);

	if (err != DR_OK) {
		dr_request_fail(call->req, err);
		return;
	}
	call->read.more = add_chains;
	dr_metrics_read(call->req->gw->metrics, &call->read, on_read);
}

static void
cancel(void *local)
{
	struct metrics_call *call = local;

	dr_chains_read_fini(&call->chains);
	dr_metrics_read_fini(&call->read);
}

static void
answer(struct dr_request *req)
{
	struct metrics_call *call = dr_calloc(1, sizeof *call);

	call->req = req;
	req->local = call;
	req->cancel_local = cancel;
	if (!dr_chains_read(
		req->gw->store, req->config->chains, &call->chains, on_chains))
		on_chains(&call->chains, DR_OK);
}

const struct dr_handler dr_handler_metrics = {
	.method = "GET",
	.path = "/metrics",
	.kind = DR_HANDLER_LOCAL,
	.answer = answer,
};
