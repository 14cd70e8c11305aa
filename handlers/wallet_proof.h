/*
 * wallet_proof - somebody proves that a wallet is theirs, by signing a message that was
 * composed for them here (Sign-In with Ethereum, EIP-4361).
 *
 * The message's nonce leads to what it was made for:
 *
 *   siwe:{NONCE}   "PURPOSE ACCOUNT ADDRESS CHAIN SHA-256 of the message", for
 *                  nonce_time; ACCOUNT is "-" for a login
 *
 * The record is taken out before anything is verified, so that a message serves once,
 * whoever else tries at the same time and however the attempt ends. A wallet that is a
 * contract is asked whether the signature is its own (wallet_contract.h).
 *
 * A request does one of these at a time; all use req->local until `done` runs, from
 * the loop, which it does not where the request has failed or ended.
 */
#ifndef DR_WALLET_PROOF_H
#define DR_WALLET_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "config/config.h"
#include "ethereum/address.h"

struct dr_request;

#define WALLET_PROOF_MOST_CHAINS 32

/* The chains that a wallet may be on: those of deposits; Ethereum's own where there are
 * none. Returns how many. */
size_t wallet_proof_chains(
    const struct dr_config *config, int64_t ids[WALLET_PROOF_MOST_CHAINS]);

/* The host and port of public_url, as the message names them. */
const char *wallet_proof_domain(const struct dr_config *config);

/* The clock of messages and sessions: ms since 1970. */
int64_t wallet_proof_now(const struct dr_request *req);

/* Login is on, and the page that asks is ours, and the client's address has not tried
 * too often. */
void wallet_proof_begin(struct dr_request *req, void (*done)(struct dr_request *req));

/*
 * Remember what a message is made for (the session's account, where `link`), and then
 * answer with `answer`, which is taken over.
 */
void wallet_proof_remember(struct dr_request *req, const char *nonce,
    const char *address, int64_t chain_id, bool link, const char *message,
    struct dr_strbuf *answer);

/*
 * Verify the body {"message", "signature"}, after wallet_proof_begin(). The wallet is
 * in lower case; chain_id is that of the contract which says so, 0: its own key signed.
 * Where it proves nothing the request fails with BAD_SESSION, and the log has the
 * reason.
 */
void wallet_proof_verify(struct dr_request *req, bool link,
    void (*done)(struct dr_request *req, const char *wallet, int64_t chain_id));

/* Where dr_wallet_owner() gives none: with the chain that it says. */
void wallet_proof_fail_chain(struct dr_request *req, int64_t chain_id);

#endif
