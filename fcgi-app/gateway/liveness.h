/*
 * liveness - is a provider there, and what does it take just now? Its record says whom
 * to believe (liveness = node, probe, always), its shared state what they said.
 *
 *   node    alive from a heartbeat until it lapses (heartbeat_ttl)
 *   probe   alive until DR_PROBE_FAILURES probes in a row have failed. Probes count
 *           while the watcher lives and are of this record; else it is taken for alive
 *   always  alive
 *
 * A heartbeat that has not lapsed may narrow, whatever the liveness: to some of the
 * record's models, to so many requests at a time, and to none once its node goes to
 * rest. A notice of rest outlives the heartbeat by a day, since a node at rest is
 * silent.
 *
 * Pure. Worked out once per poll, so that a request only reads it.
 */
#ifndef DR_LIVENESS_H
#define DR_LIVENESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errors.h"
#include "gateway/provider_record.h"
#include "gateway/provider_state.h"

/* One lost packet is no outage. */
#define DR_PROBE_FAILURES 2

struct dr_presence {
	/* DR_OK: there. OFFLINE: not. RESTING: its node said so. PROVIDER_AUTH: a
	 * probe's credential was refused. */
	enum dr_error err;
	unsigned slots;       /* requests at a time that it takes */
	uint64_t rests_at_ms; /* monotonic clock: its node goes to rest; 0: no notice */
	bool narrowed;        /* to the models whose bit below is set */
	uint64_t has[(DR_MAX_PROVIDER_MODELS + 63) / 64]; /* by index in the record */
};

/* `now_ms`: the monotonic clock when the state was read. `watched`: the watcher lives.
 */
void dr_liveness_read(struct dr_presence *out, const struct dr_provider_record *record,
    const struct dr_provider_state *state, bool watched, uint64_t now_ms);

/* Of the record's models, does it have this one just now? (index: see
 * dr_provider_record_find) */
static inline bool
dr_liveness_has(const struct dr_presence *presence, size_t model)
{
	return !presence->narrowed ||
	       (presence->has[model / 64] >> (model % 64) & 1) != 0;
}

#endif
