/*
 * key_json - what may be told of a key, in the words that GET /v1/key and /api share.
 */
#ifndef DR_KEY_JSON_H
#define DR_KEY_JSON_H

#include "base/strbuf.h"
#include "gateway/admission.h"

/* The members from "name" to "spent_usd" of an object that is open: times, limits and
 * what is left of them, budget, models. */
void dr_key_json_add(struct dr_strbuf *out, const struct dr_key_state *k);

#endif
