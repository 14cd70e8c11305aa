/*
 * probes - the watcher's duty of asking providers that have no node (liveness = probe).
 *
 * When the next probe of a provider is due stands in its shared state, so that a new
 * watcher goes on where the last one stopped and of several only one asks: a script
 * hands the probe to the first (probe_claim). It saves work, nothing more: two probes
 * instead of one would do no harm. The directory of providers is gateway's own
 * (dr_providers), polled as a responder polls it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/providers.h"
#include "operator/duties.h"
#include "operator/probe.h"
#include "scripts/scripts.h"

#define MAX_AT_ONCE 32
#define CLAIM_EXTRA 5000 /* beyond probe_timeout, for Redis */

struct probes {
	unsigned magic;
#define PROBES_MAGIC 0x9406e002
	struct dr_watcher *watcher; /* borrowed */
	struct dr_providers *providers;
	struct dr_timer timer;
	struct dr_list jobs;
	size_t n_jobs;
	/* --once */
	bool began, failed;
	uint64_t give_up_ms;
	size_t next; /* of the directory's list */
};

/* One probe, from the claim to the note in Redis. */
struct job {
	unsigned magic;
#define JOB_MAGIC 0x9406e003
	struct probes *probes;        /* borrowed */
	struct dr_provider *provider; /* a reference */
	struct dr_list node;
	struct dr_store_call call;
	struct dr_probe probe;
};

static void go_on_once(struct probes *probes);

static void
job_free(struct job *job)
{
	dr_store_cancel(&job->call);
	dr_probe_cancel(&job->probe);
	dr_provider_unref(&job->provider);
	dr_list_remove(&job->node);
	job->probes->n_jobs--;
	DR_FREE(job);
}

static void
job_over(struct job *job, bool ok)
{
	struct probes *probes = job->probes;

	probes->failed = probes->failed || !ok;
	job_free(job);
	go_on_once(probes);
}

static struct job *
job_of(struct dr_store_call *call)
{
	struct job *job = DR_CONTAINER_OF(call, struct job, call);

	DR_CHECK(job, JOB_MAGIC);
	return job;
}

/* ---- the result ---- */

static void
on_noted(struct dr_store_call *call, enum dr_error err,
    DR_UNUSED const struct dr_reply *reply)
{
	struct job *job = job_of(call);

	if (err != DR_OK)
		dr_log_warn(watcher, "probe of %s is not noted: %s",
		    job->provider->record->name, dr_error_info(err)->message);
	job_over(job, err == DR_OK);
}

/* Said when it is news, not at each probe. */
static void
say(const struct job *job)
{
	const struct dr_provider_state *before = &job->provider->state;
	const struct dr_probe_result *result = &job->probe.result;
	const char *name = job->provider->record->name;
	bool known = before->probe_at_ms > 0 &&
		     before->probe_generation == job->provider->record->generation;

	if (known && before->probe_ok == result->ok &&
	    before->probe_refused == result->refused)
		return;
	if (result->ok)
		dr_log_info(watcher, "%s: probe went well (%s, %u ms)", name,
		    result->why, (unsigned)result->ms);
	else
		dr_log_warn(watcher, "%s: probe failed: %s", name, result->why);
}

static void
on_probed(struct dr_probe *probe)
{
	struct job *job = DR_CONTAINER_OF(probe, struct job, probe);
	const struct dr_settings *s = job->probes->watcher->config->settings;
	const struct dr_provider_state *before = &job->provider->state;
	uint64_t failures = 0;

	DR_CHECK(job, JOB_MAGIC);
	if (!probe->result.ok && !probe->result.refused)
		failures =
		    1 + (before->probe_generation == job->provider->record->generation
				? (uint64_t)before->probe_failures
				: 0);
	say(job);
	job->call.done = on_noted;
	dr_probe_note(job->probes->watcher->store, job->provider->record,
	    &probe->result,
	    dr_probe_wait((uint64_t)s->probe_interval, (uint64_t)s->probe_backoff_max,
		(unsigned)s->probe_jitter, failures,
		(uint32_t)dr_providers_random(job->probes->providers)),
	    &job->call);
}

/* ---- the claim ---- */

static void
on_claimed(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct job *job = job_of(call);
	struct dr_watcher *w = job->probes->watcher;

	if (err != DR_OK || dr_reply_int(reply, 0) != 1) {
		job_over(job, err == DR_OK);
		return;
	}
	dr_probe_start(&job->probe, w->loop, w->http, w->config->settings,
	    job->provider->record, job->provider->credential, 0, on_probed);
}

static void
begin(struct probes *probes, struct dr_provider *provider)
{
	const struct dr_settings *s = probes->watcher->config->settings;
	struct job *job = dr_calloc(1, sizeof *job);
	char tag[DR_PROVIDER_KEY_SIZE], key[DR_PROVIDER_KEY_SIZE];
	char next[24] = "", claim[24];
	const char *words[] = { key, next, claim };
	struct dr_arg args[DR_N_ELEMENTS(words)];

	job->magic = JOB_MAGIC;
	job->probes = probes;
	job->provider = dr_provider_ref(provider);
	dr_list_init(&job->node);
	dr_list_append(&probes->jobs, &job->node);
	probes->n_jobs++;
	dr_provider_key_tag(provider->record->name, tag);
	dr_provider_key_state(provider->record->name, key);
	if (provider->state.probe_next_ms > 0)
		snprintf(next, sizeof next, "%" PRId64, provider->state.probe_next_ms);
	snprintf(claim, sizeof claim, "%" PRId64, s->probe_timeout + CLAIM_EXTRA);
	for (size_t i = 0; i < DR_N_ELEMENTS(words); i++)
		args[i] = (struct dr_arg){ words[i], strlen(words[i]) };
	job->call.done = on_claimed;
	dr_store_eval(probes->watcher->store, tag, &dr_script_probe_claim, 1, args,
	    DR_N_ELEMENTS(words), &job->call);
}

/* ---- whose turn is it? ---- */

static bool
is_wanted(const struct dr_provider *provider)
{
	return provider->record->enabled &&
	       provider->record->liveness == DR_LIVENESS_PROBE;
}

static bool
is_under_way(const struct probes *probes, const struct dr_provider *provider)
{
	DR_LIST_FOREACH (node, &probes->jobs) {
		const struct job *job = DR_LIST_ENTRY(node, struct job, node);

		if (strcmp(job->provider->record->name, provider->record->name) == 0)
			return true;
	}
	return false;
}

/*
 * Its flag is fresh: a probe that goes well lifts it, and an account that has run out
 * lists its models all the same. It would be in rotation again after each probe, until
 * the next caller found out. A credential that is changed makes another record.
 */
static bool
is_flagged_lately(const struct probes *probes, const struct dr_provider *provider)
{
	const struct dr_provider_state *state = &provider->state;

	return state->flag_generation == provider->record->generation &&
	       state->flag_at_ms > 0 &&
	       state->now_ms - state->flag_at_ms <
		   probes->watcher->config->settings->probe_backoff_max;
}

static bool
is_due(const struct probes *probes, const struct dr_provider *provider)
{
	const struct dr_provider_state *state = &provider->state;

	if (is_flagged_lately(probes, provider))
		return false;

	/* a changed record is looked at at once, not when the old one's turn comes */
	return state->now_ms >= state->probe_next_ms ||
	       (state->probe_at_ms > 0 &&
		   state->probe_generation != provider->record->generation);
}

static void
begin_due(struct probes *probes)
{
	size_t n;
	struct dr_provider *const *list = dr_providers_list(probes->providers, &n);

	for (size_t i = 0; i < n && probes->n_jobs < MAX_AT_ONCE; i++)
		if (is_wanted(list[i]) && is_due(probes, list[i]) &&
		    !is_under_way(probes, list[i]))
			begin(probes, list[i]);
}

/* --once: all of them, due or not, then it is over. */
static void
go_on_once(struct probes *probes)
{
	size_t n;
	struct dr_provider *const *list;

	if (!probes->watcher->once || !probes->began)
		return;
	list = dr_providers_list(probes->providers, &n);
	for (; probes->next < n && probes->n_jobs < MAX_AT_ONCE; probes->next++)
		if (is_wanted(list[probes->next]))
			begin(probes, list[probes->next]);
	if (probes->n_jobs == 0) {
		probes->began = false;
		dr_watcher_round_over(probes->watcher, !probes->failed);
	}
}

static void
on_tick(struct dr_timer *timer)
{
	struct probes *probes = DR_CONTAINER_OF(timer, struct probes, timer);
	struct dr_watcher *w = probes->watcher;

	DR_CHECK(probes, PROBES_MAGIC);
	if (!w->once) {
		begin_due(probes);
	} else if (dr_providers_ready(probes->providers)) {
		dr_providers_stop(probes->providers); /* the list must not move */
		probes->began = true;
		go_on_once(probes);
		return;
	} else if (dr_clock_ms() >= probes->give_up_ms) {
		dr_log_error(watcher, "probes: the list of providers does not come in");
		dr_watcher_round_over(w, false);
		return;
	}
	dr_timer_start(
	    timer, w->once ? 10 : (uint64_t)w->config->settings->providers_poll);
}

/* ---- from first to last ---- */

static void *
probes_start(struct dr_watcher *watcher)
{
	struct probes *probes = dr_calloc(1, sizeof *probes);

	probes->magic = PROBES_MAGIC;
	probes->watcher = watcher;
	probes->give_up_ms =
	    dr_clock_ms() + 5 * (uint64_t)watcher->config->settings->store_timeout;
	dr_list_init(&probes->jobs);
	probes->providers = dr_providers_new(
	    watcher->loop, watcher->store, &watcher->seal_key, watcher->config);
	dr_timer_init(&probes->timer, watcher->loop, on_tick);
	dr_timer_start(&probes->timer, 0);
	return probes;
}

static void
probes_reload(void *duty)
{
	struct probes *probes = duty;

	DR_CHECK(probes, PROBES_MAGIC);
	dr_providers_configure(probes->providers, probes->watcher->config);
}

static void
probes_stop(void *duty)
{
	struct probes *probes = duty;

	DR_CHECK(probes, PROBES_MAGIC);
	dr_timer_stop(&probes->timer);
	DR_LIST_FOREACH_SAFE (node, &probes->jobs)
		job_free(DR_LIST_ENTRY(node, struct job, node));
	dr_providers_free(&probes->providers);
	DR_FREE(probes);
}

const struct dr_duty dr_duty_probes = { "probes", probes_start, probes_reload,
	probes_stop };
