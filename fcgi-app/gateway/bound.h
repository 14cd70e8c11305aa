/*
 * bound - requests that only one organisation's providers can answer.
 *
 * A Responses request that names previous_response_id or a conversation, or brings
 * encrypted reasoning back, is about something that stands at one organisation
 * (provider --org). Each answer of /v1/responses that passes leaves marks in Redis,
 * {a:ACCT}:org:MARK -> organisation, for binding_ttl; a request that refers to
 * something asks for them in the same flush as its admission, and ROUTE waits for the
 * answer. A request that refers to nothing asks nothing. What is not known binds to
 * nobody.
 *
 * An account's marks are its own: another account's ids lead nowhere.
 */
#ifndef DR_BOUND_H
#define DR_BOUND_H

#include "gateway/request.h"

/* What the body refers to; while the body is there. */
void dr_bound_read(struct dr_request *req, const char *body);

/* Is there something to ask for, and has the answer still to come? */
bool dr_bound_refers(const struct dr_request *req);
bool dr_bound_waits(const struct dr_request *req);

/* Ask; the answer is in dr_bound_org(), or bound.failed is set, and a request that is
 * in ROUTE by then goes on. Cancelled: it does not. */
void dr_bound_ask(struct dr_request *req);
void dr_bound_cancel(struct dr_request *req); /* idempotent */

/* "": any. */
const char *dr_bound_org(const struct dr_request *req);

/* The answer at hand is being passed on: leave its marks, each once. Fire and forget.
 */
void dr_bound_note_stream(struct dr_request *req);
void dr_bound_note_answer(struct dr_request *req, const char *body, size_t len);

#endif
