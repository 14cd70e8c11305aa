/*
 * gateway - see the header. Builds the parts in the order in which they lean on each
 * other and takes them down in the opposite one.
 */
#include "gateway/gateway.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/metrics_request.h"
#include "gateway/request.h"
#include "gateway/start.h"

#define MAX_IDLE_UPSTREAM 2048 /* connections kept for reuse: fewer means churn */
#define DRAIN_GRACE_MS    2000 /* beyond drain_timeout, for what is nearly done */
#define DRAIN_POLL_MS     20

static struct dr_fcgi *
open_edge(struct dr_gateway *gw, int listen_fd)
{
	const struct dr_settings *s = gw->config->settings;
	struct dr_fcgi_options options = {
		.max_body = (size_t)s->max_body,
		.max_connections = (unsigned)s->max_connections,
		.arg = gw,
		.on_request = dr_request_new,
		.on_gone = dr_request_gone,
		.on_drain = dr_relay_drained,
	};

	return dr_fcgi_new(gw->loop, listen_fd, &options);
}

/*
 * A responder that was restarted finds requests waiting at its socket: answer them when
 * Redis and the list of providers are there, not with a 503 a few milliseconds before.
 * Without Redis it begins all the same, after store_timeout.
 */
static void
wait_until_ready(struct dr_gateway *gw)
{
	unsigned patience_ms = (unsigned)gw->config->settings->store_timeout;
	uint64_t deadline_ms = dr_clock_ms() + patience_ms;

	if (!dr_store_wait_up(gw->store, patience_ms))
		return;
	while (!dr_providers_ready(gw->providers) && dr_clock_ms() < deadline_ms)
		dr_loop_turn(gw->loop); /* the parts' own timers keep it turning */
}

static void on_drain_poll(struct dr_timer *timer);

struct dr_gateway *
dr_gateway_new(struct dr_loop *loop, struct dr_config *config, int listen_fd,
    const struct dr_handler *const *handlers)
{
	const struct dr_settings *s = config->settings;
	struct dr_http_options http = { .max_idle_connections = MAX_IDLE_UPSTREAM };
	struct dr_gateway *gw = dr_calloc(1, sizeof *gw);
	char err[256];

	gw->magic = DR_GATEWAY_MAGIC;
	gw->loop = loop;
	gw->config = config;
	gw->handlers = handlers;
	dr_list_init(&gw->requests);
	dr_stream_turns_init(&gw->stream_turns);
	dr_timer_init(&gw->drain_timer, loop, on_drain_poll);
	dr_start_log_levels(s);
	if (!dr_seal_key_load(s->secrets_key_file, &gw->seal_key, err, sizeof err)) {
		dr_log_error(main, "%s", err);
		goto fail;
	}
	gw->access_log = dr_access_log_new(loop, s->access_log);
	if (gw->access_log == NULL)
		goto fail;
	gw->store = dr_start_store(loop, s);
	gw->http = dr_http_new(loop, &http);
	gw->admission = dr_admission_new(loop, gw->store);
	if (!dr_admission_spool(gw->admission, s->spool_dir, (uint64_t)s->spool_max,
		s->settlement_keep, err, sizeof err)) {
		dr_log_error(main, "%s", err);
		goto fail;
	}
	gw->providers = dr_providers_new(loop, gw->store, &gw->seal_key, config);
	wait_until_ready(gw);
	gw->fcgi = open_edge(gw, listen_fd);
	gw->metrics = dr_metrics_new(loop, gw->store, s, dr_metrics_collect, gw);
	return gw;
fail:
	dr_gateway_free(&gw);
	return NULL;
}

void
dr_gateway_reload(struct dr_gateway *gw, struct dr_config *config)
{
	const char *name;
	size_t pos = 0;

	DR_CHECK(gw, DR_GATEWAY_MAGIC);
	while (dr_settings_differ(gw->config->settings, config->settings, &pos, &name))
		dr_log_warn(config, "%s changed: in force only after a restart", name);
	dr_config_unref(&gw->config);
	gw->config = config;
	dr_start_log_levels(config->settings);
	dr_fcgi_set_max_body(gw->fcgi, (size_t)config->settings->max_body);
	dr_providers_configure(gw->providers, config);
	dr_metrics_configure(gw->metrics, config->settings);
	dr_access_log_reopen(gw->access_log);
}

/* ---- draining ---- */

static void
shut_down_requests(struct dr_gateway *gw)
{
	DR_LIST_FOREACH_SAFE (node, &gw->requests)
		dr_request_shutdown(DR_LIST_ENTRY(node, struct dr_request, node));
}

/* Nothing runs, every answer is out, every settlement is acknowledged; or waited long
 * enough. */
static bool
is_drained(const struct dr_gateway *gw)
{
	if (gw->n_requests > 0)
		return false;
	if (gw->drain_left_ms < -DRAIN_GRACE_MS)
		return true;
	return dr_fcgi_connections(gw->fcgi) == 0 &&
	       dr_admission_unsettled(gw->admission) == 0 &&
	       dr_store_in_flight(gw->store) == 0;
}

static void
on_drain_poll(struct dr_timer *timer)
{
	struct dr_gateway *gw = DR_CONTAINER_OF(timer, struct dr_gateway, drain_timer);

	DR_CHECK(gw, DR_GATEWAY_MAGIC);
	gw->drain_left_ms -= DRAIN_POLL_MS;
	if (gw->drain_left_ms <= 0)
		shut_down_requests(gw); /* late comers too */
	if (is_drained(gw)) {
		if (gw->counted) {
			gw->drained(gw->drained_arg);
			return;
		}
		gw->counted = true; /* what it counted outlives it */
		dr_metrics_write(gw->metrics, true);
	}
	dr_timer_start(timer, DRAIN_POLL_MS);
}

void
dr_gateway_drain(struct dr_gateway *gw, void (*drained)(void *arg), void *arg)
{
	DR_CHECK(gw, DR_GATEWAY_MAGIC);
	if (gw->draining)
		return;
	gw->draining = true;
	gw->drained = drained;
	gw->drained_arg = arg;
	gw->drain_left_ms = gw->config->settings->drain_timeout + DRAIN_POLL_MS;
	dr_log_info(main, "draining: %zu requests run", gw->n_requests);
	dr_fcgi_stop_accepting(gw->fcgi);
	dr_providers_stop(gw->providers);
	dr_timer_start(&gw->drain_timer, 0);
}

void
dr_gateway_free(struct dr_gateway **gateway)
{
	struct dr_gateway *gw = *gateway;

	if (gw == NULL)
		return;
	DR_CHECK(gw, DR_GATEWAY_MAGIC);
	dr_timer_stop(&gw->drain_timer);
	gw->draining = true;     /* nothing is read on any more */
	dr_fcgi_free(&gw->fcgi); /* tells every request that its client left */
	if (gw->n_drains > 0)
		shut_down_requests(gw); /* whose client had left before */
	if (gw->loop != NULL && gw->n_requests > 0)
		dr_loop_turn(gw->loop); /* reaps them */
	DR_ASSERT(gw->n_requests == 0);
	dr_http_free(&gw->http);
	dr_metrics_free(&gw->metrics);
	dr_providers_free(&gw->providers);
	dr_admission_free(&gw->admission);
	dr_store_free(&gw->store);
	dr_access_log_free(&gw->access_log);
	dr_config_unref(&gw->config);
	dr_wipe(&gw->seal_key, sizeof gw->seal_key);
	DR_FREE(*gateway);
}
