/*
 * gateway - the parts of one process and the requests that run in it.
 *
 * main() builds it, hands it the endpoints, and turns the loop. Nothing here outlives
 * the process: whatever matters is in Redis.
 */
#ifndef DR_GATEWAY_H
#define DR_GATEWAY_H

#include <stddef.h>

#include "config/config.h"
#include "gateway/access_log.h"
#include "gateway/admission.h"
#include "gateway/handler.h"
#include "gateway/metrics.h"
#include "gateway/providers.h"
#include "gateway/retry_budget.h"
#include "gateway/stream_read.h"
#include "io/crypto.h"
#include "io/fcgi_conn.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "io/store.h"

struct dr_gateway {
	unsigned magic;
#define DR_GATEWAY_MAGIC 0x6a7e0001
	struct dr_loop *loop;             /* borrowed */
	struct dr_config *config;         /* owned: the snapshot for new requests */
	struct dr_store *store;           /* owned */
	struct dr_admission *admission;   /* owned */
	struct dr_providers *providers;   /* owned */
	struct dr_http *http;             /* owned */
	struct dr_fcgi *fcgi;             /* owned */
	struct dr_access_log *access_log; /* owned */
	struct dr_metrics *metrics;       /* owned */
	struct dr_seal_key seal_key;
	struct dr_retry_budget retries;           /* of second attempts */
	struct dr_stream_turns stream_turns;      /* of long readings */
	const struct dr_handler *const *handlers; /* borrowed, NULL-terminated */
	struct dr_list requests;                  /* all that live */
	size_t n_requests;
	size_t n_drains;        /* of them, those whose client has left: drain.c */
	bool draining, counted; /* counted: the last metrics are on their way */
	struct dr_timer drain_timer;
	int64_t drain_left_ms;      /* until running requests are ended */
	void (*drained)(void *arg); /* all requests ended after dr_gateway_drain() */
	void *drained_arg;
};

/* `listen_fd` is owned from now on, `config` too (its reference). NULL: logged. */
struct dr_gateway *dr_gateway_new(struct dr_loop *loop, struct dr_config *config,
    int listen_fd, const struct dr_handler *const *handlers) DR_MUSTCHECK;
void dr_gateway_free(struct dr_gateway **gw); /* NULL is fine */

/* New requests follow `config` (its reference is taken over). */
void dr_gateway_reload(struct dr_gateway *gw, struct dr_config *config);

/* Accept nothing more; `drained` runs when the last request has ended and all it wrote
 * to Redis is acknowledged, or after drain_timeout. */
void dr_gateway_drain(struct dr_gateway *gw, void (*drained)(void *arg), void *arg);

#endif
