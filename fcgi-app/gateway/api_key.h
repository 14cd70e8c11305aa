/*
 * api_key - the keys that callers present, and the ids of requests.
 *
 * A key is PREFIX ACCT "-" KID "-" SECRET (prefix: a setting): it names its account, so
 * that one script on one slot of Redis does the whole admission. Only the SHA-256 of
 * the secret is kept. A request's id ends in its ACCT, so that an id finds its slot; a
 * request that presents no key in the form of one has an id of the same shape without
 * an account.
 */
#ifndef DR_API_KEY_H
#define DR_API_KEY_H

#include <stdbool.h>

#include "base/dr_assert.h"
#include "io/crypto.h"

#define DR_ACCOUNT_LEN     10 /* [a-z0-9] */
#define DR_KEY_ID_LEN      6  /* [a-z0-9] */
#define DR_SECRET_LEN      43 /* [A-Za-z0-9]: 256 bits */
#define DR_REQUEST_ID_LEN  20 /* random part */
#define DR_REQUEST_ID_SIZE (4 + DR_REQUEST_ID_LEN + DR_ACCOUNT_LEN + 1)
#define DR_API_KEY_SIZE    128 /* with prefixes of up to 65 bytes */

/* What is kept of a key: no secret is in it. */
struct dr_api_key {
	char account[DR_ACCOUNT_LEN + 1];
	char key_id[DR_KEY_ID_LEN + 1];
	char sha[DR_SHA256_HEX]; /* of the secret */
};

/* False: not in the form of a key, *out is unchanged. Says nothing about whether it
 * exists. */
bool dr_api_key_parse(
    const char *prefix, const char *text, struct dr_api_key *out) DR_MUSTCHECK;

/* A new key of this account: its text (shown once; the caller wipes it) and its parts.
 */
void dr_api_key_new(const char *prefix, const char *account, char text[DR_API_KEY_SIZE],
    struct dr_api_key *out);

/* The same key with another secret. */
void dr_api_key_renew(const char *prefix, const char *account, const char *key_id,
    char text[DR_API_KEY_SIZE], struct dr_api_key *out);

/* "req_" + random + account; account NULL: random only. */
void dr_request_id_new(const char *account, char out[DR_REQUEST_ID_SIZE]);
/* The last ten characters of an id; false: not in the form of an id. */
bool dr_request_id_account(
    const char *id, char account[DR_ACCOUNT_LEN + 1]) DR_MUSTCHECK;

void dr_account_id_new(char out[DR_ACCOUNT_LEN + 1]);
bool dr_account_id_ok(const char *text); /* in form */
bool dr_key_id_ok(const char *text);

#endif
