/*
 * schema - how Redis keys and fields of an account are named, and nothing else; of the
 * other keys it says what they hold.
 *
 * Every key of an account carries the hash tag {a:ACCT}: all of them live in one slot,
 * so that a script may touch several. The scripts derive a few names from the account's
 * own key, so a change here is a change there (fcgi-app/scripts).
 *
 *   {a:ACCT}:account      hash: balance held running status wallet name created
 *                         swept tz tz_offsets, and for each key KID.name .sha
 *                         .status .created .expires .used .rpm .conc .budget
 *                         .period .models .old_sha .old_until (after a rotation)
 *                         .spent:WINDOW .held:WINDOW
 *   {a:ACCT}:recent:KID   list of arrival times, the newest last
 *   {a:ACCT}:counts:KID   the same of count_tokens
 *   {a:ACCT}:open:KID     hash: request id -> "HOLD EXPIRY COST WINDOW", and once it
 *                         costs something, what that is made of (lease_renew.lua)
 *   {a:ACCT}:receipt:REQ  a JSON object, for a time: the mark of what is settled
 *   {a:ACCT}:ledger       stream: type req key nano balance model provider price in
 *                         cw5 cw1 cr out web flags window list (the charge without
 *                         markup), was and waslist (a late row: what the abandoned
 *                         one has charged); or type nano balance reason
 *   {a:ACCT}:opening      hash: what was trimmed off the ledger: until (the last id),
 *                         balance after it, spent:KID:WINDOW,
 *                         served:PROVIDER:DAY:WHAT, used:KID:WHAT
 *   {a:ACCT}:requests     stream, the last 10,000: req key model status error
 *   {a:ACCT}:deposits     hash: deposits credited
 *   {a:ACCT}:wallets      hash: address in lower case -> when it was linked, ms
 *   {a:ACCT}:sessions     hash: id -> "SHA WALLET CREATED EXPIRES"
 *   {a:ACCT}:org:MARK     organisation that an answer of /v1/responses came from, for a
 *                         time; MARK is of its id, or of encrypted reasoning (bound.c)
 *   open                  sorted set: ACCT -> latest lease expiry
 *
 * What is about a provider carries {p:NAME}:
 *   {p:NAME}:provider     hash: the record (provider_record.h), with its generation
 *   {p:NAME}:running      sorted set: request id -> when its lease lapses
 *   {p:NAME}:state        hash, all of it for all processes (provider_state.h):
 *                         hb.*    its node's last heartbeat
 *                         probe.* the last probe
 *                         open.*  failures counted, doubt or circuit, a probe's turn
 *                         cool.*  rest after an overload answer
 *                         flag.*  its credential or account was refused
 *   providers             hash, the directory: NAME -> generation
 *
 * open, cool and flag name the generation that they are about: a changed record begins
 * anew. They are written by breaker_note and provider_take; a probe that goes well
 * removes flag.* (probe_note).
 *
 * status is "on" or "suspended" (then `suspended`, ms, and suspend_reason say more); a
 * key's "on", "off" or "deleted". period is "total", "month" or "day"; .spent:total is
 * kept whatever it is. No .budget, no cap; no .models, all; .expires 0, never.
 *
 * `held` is the sum of all holds in the open hashes and `running` the number of their
 * entries; no script changes one without the other. Amounts are whole nano-USD as
 * decimal text.
 */
#ifndef DR_SCHEMA_H
#define DR_SCHEMA_H

#include <stddef.h>

#include "gateway/api_key.h"

#define DR_SCHEMA_ACCOUNT  "account"
#define DR_SCHEMA_RECENT   "recent"
#define DR_SCHEMA_COUNTS   "counts"
#define DR_SCHEMA_OPEN     "open"
#define DR_SCHEMA_RECEIPT  "receipt"
#define DR_SCHEMA_LEDGER   "ledger"
#define DR_SCHEMA_OPENING  "opening"
#define DR_SCHEMA_REQUESTS "requests"
#define DR_SCHEMA_DEPOSITS "deposits"
#define DR_SCHEMA_ORG      "org"
#define DR_SCHEMA_SESSIONS "sessions" /* session.h */
#define DR_SCHEMA_WALLETS  "wallets"
#define DR_SCHEMA_API      "api"

/* The sweep's index over all accounts: no account's key, so without a tag. */
#define DR_SCHEMA_INDEX "open"

#define DR_SCHEMA_TAG_SIZE   (4 + DR_ACCOUNT_LEN + 1)
#define DR_SCHEMA_KEY_SIZE   96
#define DR_SCHEMA_FIELD_SIZE 48

/* "{a:ACCT}" */
void dr_schema_tag(char out[DR_SCHEMA_TAG_SIZE], const char *account);
/* "{a:ACCT}:what", or with an id "{a:ACCT}:what:id". Returns its length. */
size_t dr_schema_key(char out[DR_SCHEMA_KEY_SIZE], const char *account,
    const char *what, const char *id);
/* "KID.name". Returns its length. */
size_t dr_schema_field(
    char out[DR_SCHEMA_FIELD_SIZE], const char *key_id, const char *name);

#endif
