/*
 * beat - the watcher's own sign of life: a string in Redis, written anew three times in
 * its life of watcher_ttl. While it is not there, responders take what the watcher
 * would find out (probes) for good news, since nobody looks.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "gateway/provider_state.h"
#include "operator/duties.h"

#define BEATS_PER_TTL 3

struct beat {
	unsigned magic;
#define BEAT_MAGIC 0xbea70001
	struct dr_watcher *watcher; /* borrowed */
	struct dr_timer timer;
	struct dr_store_call call;
	bool waits;      /* for Redis' answer to the last one */
	bool complained; /* an outage is told once */
};

static void
on_set(struct dr_store_call *call, enum dr_error err,
    DR_UNUSED const struct dr_reply *reply)
{
	struct beat *beat = DR_CONTAINER_OF(call, struct beat, call);

	DR_CHECK(beat, BEAT_MAGIC);
	beat->waits = false;
	if (err != DR_OK && !beat->complained)
		dr_log_warn(watcher, "no sign of life can be given: %s",
		    dr_error_info(err)->message);
	beat->complained = err != DR_OK;
}

static void
set(struct beat *beat, int64_t ttl_ms)
{
	char host[65] = "", value[160], px[24];
	const char *words[] = { "SET", DR_WATCHER_KEY, value, "PX", px };
	struct dr_arg argv[DR_N_ELEMENTS(words)];

	(void)gethostname(host, sizeof host - 1);
	snprintf(value, sizeof value, "%s, pid %d, version " PACKAGE_VERSION, host,
	    (int)getpid());
	snprintf(px, sizeof px, "%lld", (long long)ttl_ms);
	for (size_t i = 0; i < DR_N_ELEMENTS(words); i++)
		argv[i] = (struct dr_arg){ words[i], strlen(words[i]) };
	beat->waits = true;
	beat->call.done = on_set;
	dr_store_command(beat->watcher->store, DR_WATCHER_KEY, argv,
	    DR_N_ELEMENTS(words), &beat->call);
}

static void
on_due(struct dr_timer *timer)
{
	struct beat *beat = DR_CONTAINER_OF(timer, struct beat, timer);
	int64_t ttl_ms = beat->watcher->config->settings->watcher_ttl;

	DR_CHECK(beat, BEAT_MAGIC);
	if (!beat->waits)
		set(beat, ttl_ms);
	dr_timer_start(timer, (uint64_t)ttl_ms / BEATS_PER_TTL);
}

static void *
beat_start(struct dr_watcher *watcher)
{
	struct beat *beat = dr_calloc(1, sizeof *beat);

	beat->magic = BEAT_MAGIC;
	beat->watcher = watcher;
	dr_timer_init(&beat->timer, watcher->loop, on_due);
	if (watcher->once) /* who looks once and leaves must not promise to look on */
		dr_watcher_round_over(watcher, true);
	else
		dr_timer_start(&beat->timer, 0);
	return beat;
}

static void
beat_reload(void *duty)
{
	struct beat *beat = duty;

	DR_CHECK(beat, BEAT_MAGIC);
	if (dr_timer_running(&beat->timer))
		dr_timer_start(&beat->timer, 0);
}

static void
beat_stop(void *duty)
{
	struct beat *beat = duty;

	DR_CHECK(beat, BEAT_MAGIC);
	dr_timer_stop(&beat->timer);
	dr_store_cancel(&beat->call);
	DR_FREE(beat);
}

const struct dr_duty dr_duty_beat = { "beat", beat_start, beat_reload, beat_stop };
