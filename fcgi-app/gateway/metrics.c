/*
 * metrics - counting, and the way of the counts into Redis; see the header.
 *
 * Counters live in an open hash table by metric and label values; what Redis has
 * acknowledged is kept beside each, so that a write carries only what has changed.
 * Values in Redis are those since this process' last name: it takes a new one when it
 * learns that it was taken for dead, and what was acknowledged under the old name stays
 * where it was folded.
 */
#include "gateway/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "gateway/metrics_text.h"
#include "io/crypto.h"
#include "scripts/scripts.h"

#define TAG           "{m}"
#define INDEX_KEY     TAG ":index"
#define TOTAL_KEY     TAG ":total"
#define PROCESS_CHARS 16
#define N_SLOTS       2048 /* of the table; more than the series that go in */
#define MAX_GAUGES    3500 /* three for each provider, and some */
#define MAX_FIELDS    (32 * 1024 * 1024)
#define MAX_TEXT      (64 * 1024 * 1024)
#define GAUGES_STAY   3 /* intervals without a new write */

/* A counter with its label values. */
struct series {
	enum dr_metric metric;
	char *values[3]; /* owned; NULL: no such label */
	char *name;      /* owned: as text */
	uint64_t value;  /* since the process began */
	uint64_t acked;  /* ... as Redis has it */
	uint64_t sent;   /* ... in the write under way */
	uint64_t base;   /* ... under an older name of the process */
};

struct histogram {
	uint64_t buckets[DR_METRIC_BUCKETS];
	uint64_t sum_us;
};

struct dr_metrics {
	unsigned magic;
#define METRICS_MAGIC 0x3e741c01
	struct dr_loop *loop;   /* borrowed */
	struct dr_store *store; /* borrowed */
	uint64_t interval_ms, dead_ms;
	void (*collect)(void *arg);
	void *collect_arg;
	struct dr_timer timer;

	struct series *slots[N_SLOTS]; /* owned */
	size_t n_series;
	struct histogram *histograms[DR_N_METRICS]; /* owned; NULL: not one */

	/* the write under way */
	struct dr_store_call call;
	bool writing;
	bool again, last;      /* asked for meanwhile */
	struct dr_strbuf text; /* of its numbers and gauges' names */
	size_t *starts;        /* owned: of the words in it */
	size_t n_words, n_gauges;
	char process[PROCESS_CHARS + 1];
	bool written; /* under this name, at least once */
};

/* ---- counting ---- */

/* FNV-1a over the metric and its label values. */
static uint32_t
hash_of(enum dr_metric metric, const char *const values[3])
{
	uint32_t sum = 2166136261u ^ (uint32_t)metric;

	for (size_t i = 0; i < 3 && values[i] != NULL; i++) {
		for (const char *p = values[i]; *p != '\0'; p++)
			sum = (sum ^ (unsigned char)*p) * 16777619u;
		sum = (sum ^ 0xff) * 16777619u;
	}
	return sum;
}

static bool
is_series(
    const struct series *series, enum dr_metric metric, const char *const values[3])
{
	if (series->metric != metric)
		return false;
	for (size_t i = 0; i < 3 && values[i] != NULL; i++)
		if (strcmp(series->values[i], values[i]) != 0)
			return false;
	return true;
}

static struct series *
series_new(enum dr_metric metric, const char *const values[3])
{
	struct series *series = dr_calloc(1, sizeof *series);
	struct dr_strbuf name;

	series->metric = metric;
	for (size_t i = 0; i < 3 && values[i] != NULL; i++)
		series->values[i] = dr_strdup(values[i]);
	dr_strbuf_init(&name, 4096);
	dr_metric_series(&name, metric, values);
	DR_ASSERT(!name.failed); /* labels are names, none above 128 bytes */
	series->name = dr_strbuf_take(&name);
	return series;
}

/* NULL: it is new, and there is no room for it. */
static struct series *
find_series(struct dr_metrics *metrics, enum dr_metric metric,
    const char *const values[3], size_t most)
{
	uint32_t at = hash_of(metric, values) % N_SLOTS;

	while (metrics->slots[at] != NULL) {
		if (is_series(metrics->slots[at], metric, values))
			return metrics->slots[at];
		at = (at + 1) % N_SLOTS;
	}
	if (metrics->n_series >= most)
		return NULL;
	metrics->n_series++;
	metrics->slots[at] = series_new(metric, values);
	return metrics->slots[at];
}

void
dr_metrics_count(struct dr_metrics *metrics, enum dr_metric metric, uint64_t n,
    const char *a, const char *b, const char *c)
{
	const struct dr_metric_info *info = dr_metric_info(metric);
	const char *values[3] = { a, b, c }, *other[3] = { NULL, NULL, NULL };
	struct series *series;

	DR_CHECK(metrics, METRICS_MAGIC);
	DR_ASSERT(info->kind == DR_METRIC_COUNTER);
	if (n == 0)
		return;
	series = find_series(metrics, metric, values, DR_MAX_SERIES);
	if (series == NULL) {
		for (size_t i = 0; i < 3 && info->labels[i] != NULL; i++)
			other[i] = "other";
		/* a handful beyond the ceiling: one for each metric, and the next
		 * line's
		 */
		series =
		    find_series(metrics, metric, other, DR_MAX_SERIES + DR_N_METRICS);
		DR_ASSERT(series != NULL);
		if (metric != DR_METRIC_SERIES_LOST)
			dr_metrics_count(
			    metrics, DR_METRIC_SERIES_LOST, 1, NULL, NULL, NULL);
	}
	series->value += n;
}

void
dr_metrics_observe(struct dr_metrics *metrics, enum dr_metric metric, uint64_t us)
{
	struct histogram *h = metrics->histograms[metric];

	DR_CHECK(metrics, METRICS_MAGIC);
	DR_ASSERT(h != NULL);
	h->buckets[dr_metric_bucket(us)]++;
	h->sum_us += us;
}

/*
 * Histograms become series when they are written: one for each bucket that has counted,
 * and the sum.
 */
static struct series *
histogram_series(struct dr_metrics *metrics, enum dr_metric metric, const char *what)
{
	const char *values[3] = { what, NULL, NULL };
	uint32_t at = hash_of(metric, values) % N_SLOTS;
	struct series *series;
	struct dr_strbuf name;

	while (metrics->slots[at] != NULL) {
		if (is_series(metrics->slots[at], metric, values))
			return metrics->slots[at];
		at = (at + 1) % N_SLOTS;
	}
	series = dr_calloc(1, sizeof *series);
	series->metric = metric;
	series->values[0] = dr_strdup(what);
	dr_strbuf_init(&name, 256);
	if (strcmp(what, "sum") == 0)
		dr_strbuf_addf(&name, "%s_sum", dr_metric_info(metric)->name);
	else
		dr_strbuf_addf(
		    &name, "%s_bucket{le=\"%s\"}", dr_metric_info(metric)->name, what);
	series->name = dr_strbuf_take(&name);
	metrics->slots[at] = series;
	return series;
}

static void
gather_histograms(struct dr_metrics *metrics)
{
	for (size_t m = 0; m < DR_N_METRICS; m++) {
		const struct histogram *h = metrics->histograms[m];

		if (h == NULL)
			continue;
		for (size_t i = 0; i < DR_METRIC_BUCKETS; i++)
			if (h->buckets[i] > 0)
				histogram_series(
				    metrics, (enum dr_metric)m, dr_metric_bucket_le(i))
				    ->value = h->buckets[i];
		if (h->sum_us > 0)
			histogram_series(metrics, (enum dr_metric)m, "sum")->value =
			    h->sum_us;
	}
}

/* ---- writing ---- */

/* Words grow in one buffer, which may move: their places are kept, not their addresses.
 */
static void
add_word(struct dr_metrics *metrics, const char *word)
{
	metrics->starts[metrics->n_words++] = metrics->text.len;
	dr_strbuf_adds(&metrics->text, word);
	dr_strbuf_addc(&metrics->text, '\0');
}

static void
add_number(struct dr_metrics *metrics, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, n);
	add_word(metrics, text);
}

void
dr_metrics_gauge(struct dr_metrics *metrics, enum dr_metric metric, uint64_t value,
    const char *a, const char *b)
{
	const char *values[3] = { a, b, NULL };
	struct dr_strbuf name;

	DR_CHECK(metrics, METRICS_MAGIC);
	DR_ASSERT(metrics->starts != NULL); /* inside `collect` */
	if (metrics->n_gauges == MAX_GAUGES)
		return; /* three for each of DR_MAX_PROVIDERS fit */
	metrics->n_gauges++;
	dr_strbuf_init(&name, 4096);
	dr_metric_series(&name, metric, values);
	add_word(metrics, name.data);
	add_number(metrics, value);
	dr_strbuf_fini(&name);
}

static size_t
add_changed(struct dr_metrics *metrics)
{
	size_t n = 0;

	for (size_t i = 0; i < N_SLOTS; i++) {
		struct series *series = metrics->slots[i];

		if (series == NULL)
			continue;
		series->sent = series->value;
		if (series->value == series->acked)
			continue;
		add_word(metrics, series->name);
		add_number(metrics, series->value - series->base);
		n++;
	}
	return n;
}

static void
new_name(struct dr_metrics *metrics)
{
	dr_random_id(metrics->process, PROCESS_CHARS);
	metrics->written = false;
	for (size_t i = 0; i < N_SLOTS; i++)
		if (metrics->slots[i] != NULL)
			metrics->slots[i]->base = metrics->slots[i]->acked;
}

static void on_written(
    struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply);

static void
send_words(struct dr_metrics *metrics, size_t n_counters)
{
	const size_t n_keys = 4, n_head = n_keys + 6;
	size_t n = n_head + metrics->n_words;
	struct dr_arg *args = dr_calloc(n, sizeof *args);
	char keys[2][64], stay[24], dead[24], count[24];
	const char *head[] = { INDEX_KEY, TOTAL_KEY, keys[0], keys[1], metrics->process,
		metrics->written ? "0" : "1", metrics->last ? "1" : "0", stay, dead,
		count };

	snprintf(keys[0], sizeof keys[0], TAG ":c:%s", metrics->process);
	snprintf(keys[1], sizeof keys[1], TAG ":g:%s", metrics->process);
	snprintf(stay, sizeof stay, "%" PRIu64, GAUGES_STAY * metrics->interval_ms);
	snprintf(dead, sizeof dead, "%" PRIu64, metrics->dead_ms);
	snprintf(count, sizeof count, "%zu", n_counters);
	for (size_t i = 0; i < n_head; i++)
		args[i] = (struct dr_arg){ head[i], strlen(head[i]) };
	for (size_t i = 0; i < metrics->n_words; i++) {
		const char *word = metrics->text.data + metrics->starts[i];

		args[n_head + i] = (struct dr_arg){ word, strlen(word) };
	}
	metrics->writing = true;
	metrics->call.done = on_written;
	dr_store_eval(metrics->store, TAG, &dr_script_metrics_write, n_keys, args, n,
	    &metrics->call);
	free(args);
}

static void
write_now(struct dr_metrics *metrics)
{
	size_t n_counters;

	metrics->again = false;
	gather_histograms(metrics);
	dr_strbuf_init(&metrics->text, MAX_FIELDS);
	metrics->starts =
	    dr_calloc(2 * (N_SLOTS + (size_t)MAX_GAUGES), sizeof *metrics->starts);
	metrics->n_words = metrics->n_gauges = 0;
	n_counters = add_changed(metrics);
	if (!metrics->last)
		metrics->collect(metrics->collect_arg);
	send_words(metrics, n_counters);
	free(metrics->starts);
	metrics->starts = NULL;
	dr_strbuf_fini(&metrics->text);
}

static void
on_written(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_metrics *metrics = DR_CONTAINER_OF(call, struct dr_metrics, call);

	DR_CHECK(metrics, METRICS_MAGIC);
	metrics->writing = false;
	if (err == DR_OK && dr_reply_int(reply, 0) == 0) {
		dr_log_warn(main, "metrics: taken for dead, counting goes on under "
				  "another name");
		new_name(metrics);
		metrics->again = true;
	} else if (err == DR_OK) {
		metrics->written = true;
		for (size_t i = 0; i < N_SLOTS; i++)
			if (metrics->slots[i] != NULL)
				metrics->slots[i]->acked = metrics->slots[i]->sent;
	}
	if (metrics->again && dr_store_is_up(metrics->store))
		write_now(metrics);
}

void
dr_metrics_write(struct dr_metrics *metrics, bool last)
{
	DR_CHECK(metrics, METRICS_MAGIC);
	metrics->last = metrics->last || last;
	if (last)
		dr_timer_stop(&metrics->timer);
	if (metrics->writing)
		metrics->again = true;
	else
		write_now(metrics);
}

static void
on_due(struct dr_timer *timer)
{
	struct dr_metrics *metrics = DR_CONTAINER_OF(timer, struct dr_metrics, timer);

	if (dr_store_is_up(metrics->store))
		dr_metrics_write(metrics, false);
	dr_timer_start(timer, metrics->interval_ms);
}

/* ---- reading ---- */

static void
on_read(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_metrics_read *read =
	    DR_CONTAINER_OF(call, struct dr_metrics_read, call);
	struct dr_samples *samples;

	if (err == DR_OK) {
		samples = dr_samples_new();
		for (size_t i = 0; i < dr_reply_count(reply); i++) {
			const struct dr_reply *hash = dr_reply_at(reply, i);

			for (size_t f = 0; f + 1 < dr_reply_count(hash); f += 2)
				dr_samples_add(samples,
				    dr_reply_string(dr_reply_at(hash, f), NULL),
				    dr_reply_int(dr_reply_at(hash, f + 1), 0));
		}
		if (read->more != NULL)
			read->more(read, samples);
		dr_samples_write(samples, &read->text);
		dr_samples_free(&samples);
		if (read->text.failed)
			err = DR_ERR_INTERNAL;
	}
	read->done(read, err);
}

void
dr_metrics_read(struct dr_metrics *metrics, struct dr_metrics_read *read,
    void (*done)(struct dr_metrics_read *, enum dr_error))
{
	const struct dr_arg keys[] = { { INDEX_KEY, sizeof INDEX_KEY - 1 },
		{ TOTAL_KEY, sizeof TOTAL_KEY - 1 } };

	DR_CHECK(metrics, METRICS_MAGIC);
	dr_metrics_write(metrics, false);
	dr_strbuf_init(&read->text, MAX_TEXT);
	read->done = done;
	read->call.done = on_read;
	dr_store_eval(
	    metrics->store, TAG, &dr_script_metrics_read, 2, keys, 2, &read->call);
}

void
dr_metrics_read_fini(struct dr_metrics_read *read)
{
	dr_store_cancel(&read->call);
	dr_strbuf_fini(&read->text);
}

/* ---- from first to last ---- */

void
dr_metrics_configure(struct dr_metrics *metrics, const struct dr_settings *settings)
{
	DR_CHECK(metrics, METRICS_MAGIC);
	metrics->interval_ms = (uint64_t)settings->metrics_interval;
	metrics->dead_ms = (uint64_t)settings->metrics_dead;
}

struct dr_metrics *
dr_metrics_new(struct dr_loop *loop, struct dr_store *store,
    const struct dr_settings *settings, void (*collect)(void *arg), void *arg)
{
	struct dr_metrics *metrics = dr_calloc(1, sizeof *metrics);

	metrics->magic = METRICS_MAGIC;
	metrics->loop = loop;
	metrics->store = store;
	metrics->collect = collect;
	metrics->collect_arg = arg;
	for (size_t i = 0; i < DR_N_METRICS; i++)
		if (dr_metric_info((enum dr_metric)i)->kind == DR_METRIC_HISTOGRAM)
			metrics->histograms[i] =
			    dr_calloc(1, sizeof *metrics->histograms[i]);
	new_name(metrics);
	dr_metrics_configure(metrics, settings);
	dr_timer_init(&metrics->timer, loop, on_due);
	dr_timer_start(&metrics->timer, metrics->interval_ms);
	return metrics;
}

void
dr_metrics_free(struct dr_metrics **metrics)
{
	struct dr_metrics *m = *metrics;

	if (m == NULL)
		return;
	DR_CHECK(m, METRICS_MAGIC);
	dr_timer_stop(&m->timer);
	dr_store_cancel(&m->call);
	for (size_t i = 0; i < N_SLOTS; i++) {
		if (m->slots[i] == NULL)
			continue;
		for (size_t v = 0; v < 3; v++)
			free(m->slots[i]->values[v]);
		free(m->slots[i]->name);
		free(m->slots[i]);
	}
	for (size_t i = 0; i < DR_N_METRICS; i++)
		free(m->histograms[i]);
	DR_FREE(*metrics);
}
