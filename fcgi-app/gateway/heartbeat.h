/*
 * heartbeat - what a provider's node says of itself: read strictly, and written into
 * the state that all processes share.
 */
#ifndef DR_HEARTBEAT_H
#define DR_HEARTBEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "base/errors.h"
#include "base/strbuf.h"
#include "gateway/provider_state.h"
#include "io/store.h"

#define DR_MAX_HEARTBEAT_MODELS DR_MAX_PROVIDER_MODELS

struct dr_heartbeat {
	struct dr_strbuf models; /* with commas */
	bool says_models;
	int64_t free;         /* requests that it would take now; -1: not said */
	int64_t resting_at_s; /* goes to rest then, seconds since 1970; 0: not said */
	char version[DR_MAX_NODE_VERSION + 1];
};

/*
 * Read a body: one JSON object, every member optional, none twice, none unknown.
 * Not DR_OK: the error to answer, with one line in err that names the member.
 * dr_heartbeat_fini() in either case.
 */
enum dr_error dr_heartbeat_read(struct dr_heartbeat *beat, const char *body, size_t len,
    char *err, size_t err_size) DR_MUSTCHECK;
void dr_heartbeat_fini(struct dr_heartbeat *beat);

/*
 * Write it into the provider's state, where it lapses after ttl_ms. call->done gets 1,
 * or 0 where there is no such provider. What `beat` holds is copied.
 */
void dr_heartbeat_write(struct dr_store *store, const char *provider,
    const struct dr_heartbeat *beat, int64_t ttl_ms, struct dr_store_call *call);

#endif
