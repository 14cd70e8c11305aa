/*
 * metrics_text - counts of many processes added up and written as Prometheus text
 * (0.0.4): HELP and TYPE, labels escaped, histograms cumulated.
 *
 * Pure. A sample's name is its series as text, `derouter_attempts_total{provider="p"}`;
 * histograms are kept as one sample per bucket, not cumulated, and `NAME_sum` in
 * microseconds.
 */
#ifndef DR_METRICS_TEXT_H
#define DR_METRICS_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "gateway/metrics.h"

enum dr_metric_kind {
	DR_METRIC_COUNTER,
	DR_METRIC_SUM,
	DR_METRIC_MOST,
	DR_METRIC_HISTOGRAM
};

struct dr_metric_info {
	enum dr_metric_kind kind;
	const char *name;
	const char *labels[3]; /* NULL: no more */
	const char *help;
};

const struct dr_metric_info *dr_metric_info(enum dr_metric metric);

/* Buckets of every histogram: the upper bound in us and as the label `le`; the last one
 * is "+Inf". */
#define DR_METRIC_BUCKETS 19
size_t dr_metric_bucket(uint64_t us);
const char *dr_metric_bucket_le(size_t bucket);

/* The name of a series, labels escaped; absent values are NULL. */
void dr_metric_series(
    struct dr_strbuf *out, enum dr_metric metric, const char *const values[3]);

/* ---- adding up ---- */

struct dr_samples; /* opaque */

struct dr_samples *dr_samples_new(void);
void dr_samples_free(struct dr_samples **samples);
/* What is no sample's name is left out. */
void dr_samples_add(struct dr_samples *samples, const char *name, int64_t value);
void dr_samples_write(struct dr_samples *samples, struct dr_strbuf *out);

#endif
