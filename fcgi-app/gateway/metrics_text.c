/*
 * metrics_text - see the header. Samples are gathered, sorted once and merged by their
 * names; families are then written in the order of metrics.def.
 */
#include "gateway/metrics_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct dr_metric_info catalogue[DR_N_METRICS] = {
#define DR_METRIC(id, kind, name, a, b, c, help)                                       \
	[DR_METRIC_##id] = { DR_METRIC_##kind, name, { a, b, c }, help },
#include "gateway/metrics.def"
#undef DR_METRIC
};

static const char *const type_names[] = {
	[DR_METRIC_COUNTER] = "counter",
	[DR_METRIC_SUM] = "gauge",
	[DR_METRIC_MOST] = "gauge",
	[DR_METRIC_HISTOGRAM] = "histogram",
};

const struct dr_metric_info *
dr_metric_info(enum dr_metric metric)
{
	DR_ASSERT(metric < DR_N_METRICS);
	return &catalogue[metric];
}

/* ---- buckets ---- */

static const struct {
	uint64_t us;
	const char *le;
} buckets[DR_METRIC_BUCKETS] = {
	{ 100, "0.0001" },
	{ 250, "0.00025" },
	{ 500, "0.0005" },
	{ 1000, "0.001" },
	{ 2500, "0.0025" },
	{ 5000, "0.005" },
	{ 10000, "0.01" },
	{ 25000, "0.025" },
	{ 50000, "0.05" },
	{ 100000, "0.1" },
	{ 250000, "0.25" },
	{ 500000, "0.5" },
	{ 1000000, "1" },
	{ 2500000, "2.5" },
	{ 5000000, "5" },
	{ 10000000, "10" },
	{ 30000000, "30" },
	{ 60000000, "60" },
	{ UINT64_MAX, "+Inf" },
};

size_t
dr_metric_bucket(uint64_t us)
{
	size_t i = 0;

	while (us > buckets[i].us)
		i++;
	return i;
}

const char *
dr_metric_bucket_le(size_t bucket)
{
	DR_ASSERT(bucket < DR_METRIC_BUCKETS);
	return buckets[bucket].le;
}

/* ---- names ---- */

static void
add_escaped(struct dr_strbuf *out, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\n') {
			dr_strbuf_adds(out, "\\n");
			continue;
		}
		if (*value == '\\' || *value == '"')
			dr_strbuf_addc(out, '\\');
		dr_strbuf_addc(out, *value);
	}
}

void
dr_metric_series(
    struct dr_strbuf *out, enum dr_metric metric, const char *const values[3])
{
	const struct dr_metric_info *info = dr_metric_info(metric);

	dr_strbuf_adds(out, info->name);
	for (size_t i = 0; i < 3 && info->labels[i] != NULL; i++) {
		DR_ASSERT(values[i] != NULL);
		dr_strbuf_addf(out, "%s%s=\"", i == 0 ? "{" : ",", info->labels[i]);
		add_escaped(out, values[i]);
		dr_strbuf_addc(out, '"');
	}
	if (info->labels[0] != NULL)
		dr_strbuf_addc(out, '}');
}

/* ---- adding up ---- */

struct sample {
	char *name; /* owned */
	int64_t value;
};

struct dr_samples {
	unsigned magic;
#define SAMPLES_MAGIC 0x3e741c02
	struct sample *list; /* owned */
	size_t n, room;
};

struct dr_samples *
dr_samples_new(void)
{
	struct dr_samples *samples = dr_calloc(1, sizeof *samples);

	samples->magic = SAMPLES_MAGIC;
	return samples;
}

void
dr_samples_free(struct dr_samples **samples)
{
	struct dr_samples *s = *samples;

	if (s == NULL)
		return;
	DR_CHECK(s, SAMPLES_MAGIC);
	for (size_t i = 0; i < s->n; i++)
		free(s->list[i].name);
	free(s->list);
	DR_FREE(*samples);
}

static size_t
word_length(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
			    "0123456789");
}

/* `label="value"`, escapes inside; past it. NULL: it is none. */
static const char *
past_label(const char *at)
{
	size_t n = word_length(at);

	if (n == 0 || strncmp(at + n, "=\"", 2) != 0)
		return NULL;
	for (at += n + 2; *at != '"'; at++) {
		if (*at == '\\' && at[1] != '\0')
			at++;
		else if (*at == '\0' || *at == '\n')
			return NULL;
	}
	return at + 1;
}

/* A line that a reader cannot parse would cost it the whole page. */
static bool
is_series(const char *name)
{
	size_t n = word_length(name);

	if (n == 0 || (name[0] >= '0' && name[0] <= '9'))
		return false;
	name += n;
	if (*name == '\0')
		return true;
	do {
		name = past_label(name + 1); /* behind '{' or ',' */
	} while (name != NULL && *name == ',');
	return name != NULL && strcmp(name, "}") == 0;
}

void
dr_samples_add(struct dr_samples *samples, const char *name, int64_t value)
{
	DR_CHECK(samples, SAMPLES_MAGIC);
	if (!is_series(name))
		return;
	if (samples->n == samples->room) {
		samples->room = samples->room == 0 ? 256 : 2 * samples->room;
		samples->list =
		    dr_realloc(samples->list, samples->room * sizeof *samples->list);
	}
	samples->list[samples->n++] = (struct sample){ dr_strdup(name), value };
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(
	    ((const struct sample *)a)->name, ((const struct sample *)b)->name);
}

static bool
is_of(const char *series, const char *name)
{
	size_t n = strlen(name);

	return strncmp(series, name, n) == 0 && (series[n] == '\0' || series[n] == '{');
}

/* Two processes' views of something shared are not two things. */
static bool
takes_most(const char *series)
{
	for (size_t i = 0; i < DR_N_METRICS; i++)
		if (catalogue[i].kind == DR_METRIC_MOST &&
		    is_of(series, catalogue[i].name))
			return true;
	return false;
}

/* Sorted, each name once. */
static void
merge(struct dr_samples *samples)
{
	size_t kept = 0;

	if (samples->n > 0)
		qsort(samples->list, samples->n, sizeof *samples->list, by_name);
	for (size_t i = 0; i < samples->n; i++) {
		struct sample *sample = &samples->list[i];
		struct sample *last = &samples->list[kept > 0 ? kept - 1 : 0];

		if (kept == 0 || strcmp(last->name, sample->name) != 0) {
			samples->list[kept++] = *sample;
			continue;
		}
		if (!takes_most(last->name))
			last->value += sample->value;
		else if (sample->value > last->value)
			last->value = sample->value;
		free(sample->name);
	}
	samples->n = kept;
}

static int64_t
value_of(const struct dr_samples *samples, const char *name)
{
	struct sample key = { (char *)name, 0 }, *found = NULL;

	if (samples->n > 0)
		found = bsearch(
		    &key, samples->list, samples->n, sizeof *samples->list, by_name);
	return found != NULL ? found->value : 0;
}

static void
write_head(struct dr_strbuf *out, const struct dr_metric_info *info)
{
	dr_strbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", info->name, info->help,
	    info->name, type_names[info->kind]);
}

static void
write_plain(struct dr_samples *samples, const struct dr_metric_info *info,
    struct dr_strbuf *out)
{
	bool begun = false;

	for (size_t i = 0; i < samples->n; i++) {
		const struct sample *sample = &samples->list[i];

		if (!is_of(sample->name, info->name))
			continue;
		if (!begun)
			write_head(out, info);
		begun = true;
		dr_strbuf_addf(
		    out, "%s %lld\n", sample->name, (long long)sample->value);
	}
}

static void
write_histogram(struct dr_samples *samples, const struct dr_metric_info *info,
    struct dr_strbuf *out)
{
	char name[128];
	int64_t count = 0, sum;

	write_head(out, info);
	for (size_t i = 0; i < DR_METRIC_BUCKETS; i++) {
		snprintf(name, sizeof name, "%s_bucket{le=\"%s\"}", info->name,
		    buckets[i].le);
		count += value_of(samples, name);
		dr_strbuf_addf(out, "%s %lld\n", name, (long long)count);
	}
	snprintf(name, sizeof name, "%s_sum", info->name);
	sum = value_of(samples, name);
	dr_strbuf_addf(out, "%s %lld.%06lld\n%s_count %lld\n", name,
	    (long long)(sum / 1000000), (long long)(sum % 1000000), info->name,
	    (long long)count);
}

void
dr_samples_write(struct dr_samples *samples, struct dr_strbuf *out)
{
	merge(samples);
	for (size_t i = 0; i < DR_N_METRICS; i++) {
		if (catalogue[i].kind == DR_METRIC_HISTOGRAM)
			write_histogram(samples, &catalogue[i], out);
		else
			write_plain(samples, &catalogue[i], out);
	}
}
