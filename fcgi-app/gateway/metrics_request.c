/*
 * metrics_request - see the header. A request is counted once, at its end; only
 * durations are noted on the way.
 */
#include "gateway/metrics_request.h"

#include <stdio.h>

#include "base/clock.h"
#include "gateway/access_log.h"
#include "gateway/drain.h"
#include "gateway/gateway.h"

static struct dr_metrics *
metrics_of(const struct dr_request *req)
{
	return req->gw->metrics;
}

/* The endpoint, never the path as it was written. */
static const char *
route_of(const struct dr_request *req)
{
	if (req->preflight)
		return "preflight";
	return req->handler != NULL ? req->handler->path : "none";
}

static void
count_tokens(const struct dr_request *req, int64_t charge_nano)
{
	const struct dr_usage *u = &req->usage;
	const struct {
		const char *kind;
		int64_t n;
	} counts[] = { { "input", u->input },
		{ "cache_write", u->cache_write_5m + u->cache_write_1h },
		{ "cache_read", u->cache_read }, { "output", u->output } };

	if (req->model == NULL)
		return;
	for (size_t i = 0; i < DR_N_ELEMENTS(counts); i++)
		if (counts[i].n > 0)
			dr_metrics_count(metrics_of(req), DR_METRIC_TOKENS,
			    (uint64_t)counts[i].n, req->model->name, counts[i].kind,
			    NULL);
	if (charge_nano > 0)
		dr_metrics_count(metrics_of(req), DR_METRIC_CHARGE,
		    (uint64_t)charge_nano, req->model->name, NULL, NULL);
}

void
dr_metrics_request(struct dr_request *req, int64_t charge_nano)
{
	char status[12], end[3];

	snprintf(status, sizeof status, "%d", req->status);
	dr_end_code(req, end);
	dr_metrics_count(
	    metrics_of(req), DR_METRIC_REQUESTS, 1, route_of(req), status, end);
	for (unsigned i = 0; i < req->n_attempts; i++)
		dr_metrics_count(metrics_of(req), DR_METRIC_ATTEMPTS, 1,
		    req->attempts[i].provider->record->name,
		    dr_outcome_name(req->attempts[i].outcome), NULL);
	if (req->n_sent > 0)
		count_tokens(req, charge_nano);
	if (req->n_sent > 0 && req->err == DR_ERR_CLIENT_GONE)
		dr_metrics_count(metrics_of(req), DR_METRIC_ABORTS, 1,
		    dr_drain_said(req), NULL, NULL);
	if (req->up.tap != NULL && req->head_sent && req->first_byte_ms != 0)
		dr_metrics_observe(metrics_of(req), DR_METRIC_FIRST_TOKEN,
		    (req->first_byte_ms - req->received_ms) * 1000);
}

void
dr_metrics_admitted(const struct dr_request *req)
{
	dr_metrics_observe(
	    metrics_of(req), DR_METRIC_STORE, dr_clock_us() - req->asked_us);
}

void
dr_metrics_sent(const struct dr_request *req)
{
	if (req->n_sent == 1)
		dr_metrics_observe(metrics_of(req), DR_METRIC_OVERHEAD,
		    dr_clock_us() - req->arrived_us);
}

void
dr_metrics_piece(struct dr_request *req)
{
	uint64_t now_ms = dr_clock_ms();

	if (req->piece_ms != 0)
		dr_metrics_observe(metrics_of(req), DR_METRIC_EVENT_GAP,
		    (now_ms - req->piece_ms) * 1000);
	req->piece_ms = now_ms;
}

/* ---- gauges ---- */

void
dr_metrics_collect(void *gateway)
{
	struct dr_gateway *gw = gateway;
	const struct {
		enum dr_metric metric;
		uint64_t value;
	} own[] = { { DR_METRIC_PROCESSES, 1 }, { DR_METRIC_RUNNING, gw->n_requests },
		{ DR_METRIC_CONNECTIONS, dr_fcgi_connections(gw->fcgi) },
		{ DR_METRIC_TRANSFERS, dr_http_running(gw->http) },
		{ DR_METRIC_DRAINS, gw->n_drains },
		{ DR_METRIC_LEASES, dr_providers_leases(gw->providers) },
		{ DR_METRIC_UNSETTLED, dr_admission_unsettled(gw->admission) },
		{ DR_METRIC_SPOOL, dr_admission_spool_bytes(gw->admission) } };
	size_t n;
	struct dr_provider *const *list = dr_providers_list(gw->providers, &n);

	DR_CHECK(gw, DR_GATEWAY_MAGIC);
	dr_metrics_gauge(gw->metrics, DR_METRIC_WATCHER,
	    dr_providers_watched(gw->providers), NULL, NULL);
	for (size_t i = 0; i < DR_N_ELEMENTS(own); i++)
		dr_metrics_gauge(gw->metrics, own[i].metric, own[i].value, NULL, NULL);
	for (size_t i = 0; i < n; i++) {
		const char *name = list[i]->record->name;

		dr_metrics_gauge(gw->metrics, DR_METRIC_PROVIDER_STATE, 1, name,
		    dr_provider_standing(list[i], dr_clock_ms(), dr_clock_wall_ms()));
		dr_metrics_gauge(gw->metrics, DR_METRIC_PROVIDER_RUNNING,
		    list[i]->running, name, NULL);
		dr_metrics_gauge(gw->metrics, DR_METRIC_PROVIDER_SLOTS,
		    list[i]->presence.slots, name, NULL);
	}
}
