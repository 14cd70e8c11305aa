/*
 * probe - is a provider there, and is its credential good? One cheap authenticated GET
 * of its list of models, and what it says; the watcher asks by the clock, derouterctl
 * when told to.
 *
 * Thread: the loop's. Units: ms.
 */
#ifndef DR_PROBE_H
#define DR_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "config/config.h"
#include "gateway/provider_state.h"
#include "io/http_client.h"
#include "io/store.h"

struct dr_probe_result {
	int status;   /* HTTP; 0: no answer */
	bool ok;      /* it is there: any answer but those below */
	bool refused; /* 401, 402, 403: its credential or account is no good */
	uint32_t ms;
	char why[DR_MAX_PROBE_WHY + 1]; /* one line; never a secret */
};

/* One exchange. Embedded in its owner, zeroed before the first use. */
struct dr_probe {
	unsigned magic;
#define DR_PROBE_MAGIC 0x9406e001
	struct dr_transfer *transfer; /* NULL: none is under way */
	struct dr_timer timer;
	uint64_t started_ms;
	struct dr_probe_result result;
	struct dr_strbuf body; /* as much as `max_body` */
	bool truncated;
	void (*done)(struct dr_probe *);
};

/*
 * Ask. `record` and `credential` (NULL: none) are used during the call only. `done`
 * comes exactly once, from the loop, unless cancelled: probe->result is there, and
 * probe->body, which is kept up to max_body bytes. dr_probe_cancel() afterwards frees
 * it.
 */
void dr_probe_start(struct dr_probe *probe, struct dr_loop *loop, struct dr_http *http,
    const struct dr_settings *settings, const struct dr_provider_record *record,
    const char *credential, size_t max_body, void (*done)(struct dr_probe *));
void dr_probe_cancel(struct dr_probe *probe); /* idempotent; a zeroed one is fine */

/* What an answer of this status says. */
void dr_probe_judge(struct dr_probe_result *result, int status);

/*
 * Until the next probe after `failures` in a row: the interval, doubled with each one
 * after the first up to `most`, and up to `jitter` percent of it more or less, by
 * chance.
 */
uint64_t dr_probe_wait(uint64_t interval_ms, uint64_t most_ms, unsigned jitter_percent,
    uint64_t failures, uint32_t random);

/* Write the result into the state that all processes share; call->done as the script
 * probe_note says. */
void dr_probe_note(struct dr_store *store, const struct dr_provider_record *record,
    const struct dr_probe_result *result, uint64_t wait_ms, struct dr_store_call *call);

#endif
