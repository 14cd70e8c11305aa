/*
 * provider_state - what all processes share about a provider through Redis, read.
 *
 * `{p:NAME}:state` is a hash of the fields below, all as text, written by heartbeats
 * (hb.*), by probes (probe.*) and by responders that met trouble (open.*, cool.*,
 * flag.*: provider_share.c); provider_read gives it with each poll,
 * and with it `now`, Redis' clock, against which all its times stand. A field that is
 * not known is skipped, since a newer process may have written it; a value that cannot
 * be read is named and counts as absent, and the others go on.
 *
 * Pure. Units: milliseconds of Redis' clock since 1970.
 */
#ifndef DR_PROVIDER_STATE_H
#define DR_PROVIDER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "gateway/breaker.h"
#include "gateway/provider_record.h"

#define DR_MAX_NODE_VERSION 64
#define DR_MAX_PROBE_WHY    160

/* Zeroed: never read. dr_provider_state_fini() when it is no longer needed. */
struct dr_provider_state {
	int64_t now_ms; /* when Redis gave it; 0: never read */

	/* the node's last heartbeat; times 0: none has come */
	int64_t hb_at_ms, hb_until_ms;
	int64_t hb_free;          /* requests that it would take; -1: not said */
	int64_t hb_running;       /* ... beside those that held a slot at the time */
	int64_t hb_resting_at_ms; /* goes to rest then; 0: no notice */
	char *hb_models;          /* owned; with commas; NULL: all of the record's */
	char hb_version[DR_MAX_NODE_VERSION + 1];

	/* the last probe; probe_at_ms 0: none has been made */
	int64_t probe_at_ms, probe_next_ms;
	int64_t probe_generation; /* of the record that it was made with */
	int64_t probe_status;     /* HTTP; 0: no answer */
	int64_t probe_failures;   /* in a row */
	bool probe_ok;
	bool probe_refused; /* 401 or 403 */
	char probe_why[DR_MAX_PROBE_WHY + 1];

	/* trouble that responders met, each with the generation of the record then */
	int64_t open_generation;
	bool open_doubt; /* others are asked before it; else its circuit is open */
	int64_t open_since_ms;  /* answers to older requests do not end that */
	int64_t open_until_ms;  /* a probe's turn comes then; 0: it is in no trouble */
	int64_t open_failures;  /* counted until its circuit opens ... */
	int64_t open_window_ms; /* ... until then */
	int64_t cool_generation;
	int64_t cool_until_ms; /* it said that it is overloaded */
	int64_t cool_steps;    /* rests in a row without a Retry-After */
	int64_t flag_generation;
	int64_t flag_at_ms; /* it refused its credential or account; 0: no */
};

/*
 * Read field, value, field, value ... (n texts, borrowed) over what was there. Returns
 * how many values could not be read, each named in err with what is wrong.
 */
size_t dr_provider_state_read(struct dr_provider_state *state, const char *const *texts,
    size_t n, char *err, size_t err_size);
void dr_provider_state_fini(struct dr_provider_state *state);

/* What its trouble is to a breaker, when the state was read; that of another generation
 * of the record is none, nor is a flag that a later probe has lifted. */
void dr_provider_state_breaker(const struct dr_provider_state *state,
    int64_t generation, struct dr_breaker_shared *out);

/* The watcher's own sign of life: a string that lapses after watcher_ttl. */
#define DR_WATCHER_KEY "watcher"

void dr_provider_key_state(
    const char *name, char out[DR_PROVIDER_KEY_SIZE]); /* {p:NAME}:state */

#endif
