/*
 * metrics - what this process counts, and how all processes' counts come together.
 *
 * Counting is a few increments in memory. Every metrics_interval the process writes
 * what has changed into a hash of its own in Redis; GET /metrics adds up those of all
 * processes on all machines. A process that has been silent for metrics_dead is folded
 * into a total, once, by whoever writes next, so that counters only ever grow; one that
 * was only slow begins anew after it. The metrics themselves are rows of metrics.def.
 *
 *   {m}:index      sorted set: process -> its last write (ms of Redis' clock)
 *   {m}:c:PROCESS  hash: counters        {m}:g:PROCESS  hash: gauges, gone when it dies
 *   {m}:total      hash: counters of those that ended
 *
 * Labels are bounded: beyond DR_MAX_SERIES the values become "other".
 *
 * Thread: the loop's.
 */
#ifndef DR_METRICS_H
#define DR_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errors.h"
#include "base/strbuf.h"
#include "config/settings.h"
#include "io/loop.h"
#include "io/store.h"

#define DR_MAX_SERIES 1000 /* of counters, per process */

enum dr_metric {
#define DR_METRIC(id, kind, name, a, b, c, help) DR_METRIC_##id,
#include "gateway/metrics.def"
#undef DR_METRIC
	DR_N_METRICS
};

struct dr_metrics; /* opaque: one per process */
struct dr_samples;

/* `collect` sets the gauges before each write. */
struct dr_metrics *dr_metrics_new(struct dr_loop *loop, struct dr_store *store,
    const struct dr_settings *settings, void (*collect)(void *arg), void *arg);
void dr_metrics_configure(
    struct dr_metrics *metrics, const struct dr_settings *settings);
/* Forgets what was not written. NULL is fine. Before dr_store_free(). */
void dr_metrics_free(struct dr_metrics **metrics);

/* ---- counting; absent labels are NULL, values are copied ---- */

void dr_metrics_count(struct dr_metrics *metrics, enum dr_metric metric, uint64_t n,
    const char *a, const char *b, const char *c);
void dr_metrics_observe(struct dr_metrics *metrics, enum dr_metric metric, uint64_t us);
/* Inside `collect` only: a gauge that is not set again is gone. */
void dr_metrics_gauge(struct dr_metrics *metrics, enum dr_metric metric, uint64_t value,
    const char *a, const char *b);

/* ---- writing and reading ---- */

/* Write now. `last`: and count this process as ended, it will write no more. */
void dr_metrics_write(struct dr_metrics *metrics, bool last);

/* One reading of all processes. Embedded in its owner; zeroed before. */
struct dr_metrics_read {
	struct dr_store_call call;
	struct dr_strbuf text; /* Prometheus text format 0.0.4 */
	/* NULL, or adds samples of what is no process' own (metrics_text.h). */
	void (*more)(struct dr_metrics_read *, struct dr_samples *);
	void (*done)(struct dr_metrics_read *, enum dr_error);
};

/* What this process has is written first. `done` once, from the loop; then text is
 * there where all went well. dr_metrics_read_fini() cancels, and frees. */
void dr_metrics_read(struct dr_metrics *metrics, struct dr_metrics_read *read,
    void (*done)(struct dr_metrics_read *, enum dr_error));
void dr_metrics_read_fini(struct dr_metrics_read *read);

#endif
