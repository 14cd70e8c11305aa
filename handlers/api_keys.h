/*
 * api_keys - what the handlers about keys share: a key as /api shows it, and the answer
 * to a call that has changed one.
 *
 *   api_keys.c        list, one
 *   api_keys_write.c  create, change, rotate, delete
 *   api_keys_body.c   what the bodies say
 */
#ifndef DR_API_KEYS_H
#define DR_API_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "gateway/account_owner.h"

struct dr_request;
struct json_object;

/* KEY as an object; `secret` (NULL: none) is the key itself. */
void dr_api_key_add(struct dr_strbuf *out, const struct dr_request *req,
    const struct dr_key_state *k, const char *secret);

/* The rest of the path as the id of a key; false: the request has failed, it is none.
 */
bool dr_api_key_id(struct dr_request *req, char out[DR_KEY_ID_LEN + 1]) DR_MUSTCHECK;

/* ---- api_keys_body.c ---- */

/* What a body wants of a key; `models` belongs to `change` and is finished by the
 * caller. False: the request has failed. The texts of `change` are the body's. */
bool dr_api_key_change(struct dr_request *req, struct json_object *body, bool is_new,
    struct dr_key_change *change, struct dr_strbuf *models) DR_MUSTCHECK;

struct json_object *dr_api_key_body(struct dr_request *req, bool is_new) DR_MUSTCHECK;

#endif
