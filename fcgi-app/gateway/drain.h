/*
 * drain - the client has left in the middle of its answer: with the setting
 * drain_on_abort the provider is read to its end all the same, so that what is charged
 * is its own count and no estimate.
 *
 * Bounded thrice: in time (drain_on_abort), in bytes (DR_MAX_DRAIN_BYTES) and in the
 * number of drains of a process (drain_most). A request that is drained is settled when
 * the answer ends or a bound is reached. Until then it keeps the provider's slot, which
 * it does use, and its hold; the key's concurrency slot is free at once.
 *
 * Thread: the loop's.
 */
#ifndef DR_DRAIN_H
#define DR_DRAIN_H

#include "gateway/request.h"

/* The client of a running answer is gone. False: nothing is read any more, settle. */
bool dr_drain_begin(struct dr_request *req);
/* Bytes came in. False: they were too many, the request is settled by now. */
bool dr_drain_bytes(struct dr_request *req, size_t len);
/* It is over, whyever; a no-op where none runs. */
void dr_drain_end(struct dr_request *req);

/* For the receipt of a request whose client left: "drained" (read to the end), "cut" (a
 * bound was reached, or the provider failed) or "not drained". */
const char *dr_drain_said(const struct dr_request *req);

#endif
