/*
 * retry - what ROUTE asks before and after a try: who is left, may there be another,
 * and what is told to the caller when there may not (architecture.md section 5).
 */
#ifndef DR_RETRY_H
#define DR_RETRY_H

#include "gateway/request.h"

/* Remember the provider, so that it is not chosen again; keeps a reference. */
void dr_retry_note(
    struct dr_request *req, struct dr_provider *provider, enum dr_outcome outcome);

/*
 * The slot of a provider is taken, perhaps while admission was on its way: may the
 * request be sent there? False: it has got into doubt since, and there is another to
 * ask.
 */
bool dr_retry_keeps(struct dr_request *req);

/* A kept connection broke under the request: may it be sent once more to the same
 * provider? Only where there is no other. */
bool dr_retry_resends(struct dr_request *req);

/* Attempts, room and time are left, and the process' budget of second attempts is not
 * spent. */
bool dr_retry_allowed(const struct dr_request *req);

/* An attempt begins: the first of a request earns, each further one spends. */
void dr_retry_count(struct dr_request *req);

/*
 * Its providers are exhausted (err says how): go on with the next fallback of the model
 * that this key may use and this request can be priced by. False: there is none.
 */
bool dr_retry_fallback(struct dr_request *req, enum dr_error err);

/* The most that this request can cost at its model or at one of its fallbacks. */
int64_t dr_retry_estimate(const struct dr_request *req);

/*
 * Nobody else is left: the one that failed may be asked once more, after a short pause,
 * or when its cool-down is over where that is soon (cooling_ms; -1 unknown). True: the
 * pause runs, `over` follows.
 */
bool dr_retry_same(
    struct dr_request *req, int64_t cooling_ms, void (*over)(struct dr_timer *));

/* What this request's failed tries are to the caller; PROVIDER_TIMEOUT where there is
 * none. */
enum dr_error dr_retry_failure(const struct dr_request *req);

/* Every way is closed, and dr_route() has weighed the failures: fail with that one. */
enum dr_req_state dr_retry_give_up(
    struct dr_request *req, enum dr_error err, int64_t wait_ms);

#endif
