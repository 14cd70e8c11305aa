/*
 * siwe - the text that a wallet signs to log in (Sign-In with Ethereum, EIP-4361).
 *
 * The gateway composes the text; a wallet shows and signs it as it is. What comes back
 * is read strictly: only the fields that dr_siwe_compose() writes, once each and in its
 * order, in printable ASCII with LF between lines. Then dr_siwe_check() holds it
 * against what was asked for, and dr_personal_sign_check() against the signature:
 * three steps, and only all three together let somebody in.
 *
 * Pure: no I/O, no clock, no memory of its own. Times are ms since 1970 UTC. Present
 * only in a build with the wallet login.
 */
#ifndef DR_SIWE_H
#define DR_SIWE_H

#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "ethereum/address.h"

#define DR_SIWE_MAX       2048 /* bytes of a message; longer ones are refused unread */
#define DR_SIWE_MAX_TEXT  (DR_SIWE_MAX + 1)
#define DR_SIWE_MIN_NONCE 8 /* EIP-4361 */
#define DR_SIWE_MAX_NONCE 64

/* Every way in which a message is refused, and how a log says it. */
#define DR_SIWE_RESULTS(X)                                                             \
	X(OK, "fine")                                                                  \
	/* of its form */                                                              \
	X(TOO_LONG, "the message is longer than 2048 bytes")                           \
	X(NUL, "there is a NUL in the message")                                        \
	X(CR, "there is a carriage return in the message")                             \
	X(BYTE, "there is a byte in the message that is no printable ASCII")           \
	X(FIRST_LINE, "the first line does not ask to sign in")                        \
	X(DOMAIN_FORM, "the domain is no host name with or without a port")            \
	X(DOMAIN_USER, "there is a user in the domain")                                \
	X(ADDRESS_FORM, "the second line is no address")                               \
	X(ADDRESS_CASE, "the address has the wrong checksum (EIP-55)")                 \
	X(BLANK_LINE, "a blank line around the statement is missing")                  \
	X(STATEMENT_FORM, "there is a character in the statement that may not be")     \
	X(FIELD_MISSING, "a field is missing")                                         \
	X(FIELD_TWICE, "a field is there twice")                                       \
	X(FIELD_ORDER, "the fields are not in order")                                  \
	X(FIELD_UNKNOWN, "there is a field that was not asked for")                    \
	X(NO_EXPIRY, "there is no expiration time")                                    \
	X(TRAILING, "there is something after the last field")                         \
	X(URI_FORM, "the URI is no http or https URL")                                 \
	X(URI_USER, "there is a user in the URI")                                      \
	X(VERSION, "the version is not 1")                                             \
	X(CHAIN_FORM, "the chain id is no number")                                     \
	X(NONCE_FORM, "the nonce is not of 8 to 64 letters and digits")                \
	X(ISSUED_FORM, "the time of issue is no date and time")                        \
	X(EXPIRES_FORM, "the expiration time is no date and time")                     \
	/* of what it says */                                                          \
	X(OTHER_DOMAIN, "the domain is another one")                                   \
	X(OTHER_ADDRESS, "the address is another one")                                 \
	X(OTHER_URI, "the URI is another one")                                         \
	X(OTHER_CHAIN, "the chain is none of ours")                                    \
	X(OTHER_NONCE, "the nonce is another one")                                     \
	X(ISSUED_LATER, "it was issued in the future")                                 \
	X(ISSUED_LONG_AGO, "it was issued too long ago")                               \
	X(EXPIRES_FIRST, "it expires before it was issued")                            \
	X(EXPIRED, "it has expired")

enum dr_siwe_result {
#define X(name, text) DR_SIWE_##name,
	DR_SIWE_RESULTS(X)
#undef X
	    DR_N_SIWE_RESULTS
};

/* For the log: fixed text, nothing of the message. */
const char *dr_siwe_text(enum dr_siwe_result result);

/* ---- writing ---- */

struct dr_siwe_terms {
	const char *domain; /* "derouter.example", "127.0.0.1:8443" */
	uint8_t address[DR_ADDRESS_BYTES];
	const char *statement; /* one line; NULL: none */
	const char *uri;
	int64_t chain_id;
	const char *nonce;
	int64_t issued_ms, expires_ms;
};

/*
 * The message with a NUL behind. Anything but DR_SIWE_OK: dr_siwe_parse() would refuse
 * it for that, and `out` is "". To look at a domain and a URI at start, compose with
 * them.
 */
enum dr_siwe_result dr_siwe_compose(
    const struct dr_siwe_terms *terms, char out[DR_SIWE_MAX_TEXT]) DR_MUSTCHECK;

/* ---- reading ---- */

/* A part of the message: borrowed, without a NUL behind. */
struct dr_siwe_part {
	const char *at;
	size_t len;
};

struct dr_siwe {
	struct dr_siwe_part domain, address, statement, uri, chain, nonce, issued,
	    expires;                      /* statement.len 0: none */
	uint8_t signer[DR_ADDRESS_BYTES]; /* `address` as bytes */
	int64_t chain_id;
	int64_t issued_ms, expires_ms;
};

/* Anything but DR_SIWE_OK leaves `out` in part written. */
enum dr_siwe_result dr_siwe_parse(
    const char *message, size_t len, struct dr_siwe *out) DR_MUSTCHECK;

/* What was asked for. */
struct dr_siwe_expected {
	const char *domain, *uri;
	const uint8_t *address; /* DR_ADDRESS_BYTES; NULL: whoever has signed */
	const int64_t *chains;
	size_t n_chains;
	const char *nonce;
	int64_t now_ms;
	int64_t max_age_ms; /* issued longer ago is refused */
	int64_t ahead_ms;   /* how far clocks may differ: issued later is refused */
};

/* Equal means byte for byte: the gateway wrote the message. */
enum dr_siwe_result dr_siwe_check(
    const struct dr_siwe *siwe, const struct dr_siwe_expected *expected) DR_MUSTCHECK;

#endif
