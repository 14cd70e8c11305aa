/*
 * personal_sign - who signed this text? (EIP-191, what wallets call personal_sign)
 *
 * The signature's text is "0x" and 130 digits: r, s and the recovery id v, which is 27
 * or 28, or 0 or 1. For every signature there is a twin with the other s that the curve
 * accepts as well (the higher of the two); wallets make the lower one and only that is
 * taken here, so that one text and one signer have one signature, not two.
 *
 * Pure: no I/O, no memory of its own. Present only in a build with the wallet login.
 */
#ifndef DR_PERSONAL_SIGN_H
#define DR_PERSONAL_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "ethereum/address.h"
#include "ethereum/keccak.h"

#define DR_SIGNATURE_BYTES 65
#define DR_SIGNATURE_CHARS 132 /* of its text, without a NUL */

/* What can be wrong with a signature, and how a log says it. */
#define DR_SIGNATURE_RESULTS(X)                                                        \
	X(OK, "fine")                                                                  \
	X(PREFIX, "the signature does not begin with 0x")                              \
	X(LENGTH, "the signature is not of 65 bytes")                                  \
	X(DIGITS, "the signature is not hexadecimal")                                  \
	X(V, "the signature's v is none of 27, 28, 0 and 1")                           \
	X(RANGE, "the signature's r or s is out of range")                             \
	X(HIGH_S, "the signature's s is the higher of the two")                        \
	X(NO_SIGNER, "no key makes such a signature")                                  \
	X(OTHER_SIGNER, "another address has signed")

enum dr_signature {
#define X(name, text) DR_SIGNATURE_##name,
	DR_SIGNATURE_RESULTS(X)
#undef X
	    DR_N_SIGNATURE_RESULTS
};

/*
 * The address whose key signed the `len` bytes of message. `signature` ends with a NUL,
 * its digits may be of any case. Anything but DR_SIGNATURE_OK leaves `out` unset.
 * A wrong message or a changed signature mostly gives another address, not a mistake:
 * compare, or call dr_personal_sign_check().
 */
enum dr_signature dr_personal_sign_recover(const char *message, size_t len,
    const char *signature, uint8_t out[DR_ADDRESS_BYTES]) DR_MUSTCHECK;

/* DR_SIGNATURE_OK: `address` has signed the message. */
enum dr_signature dr_personal_sign_check(const char *message, size_t len,
    const char *signature, const uint8_t address[DR_ADDRESS_BYTES]) DR_MUSTCHECK;

/* What is signed: the hash of the message behind a head that no transaction begins
 * with. */
void dr_personal_sign_hash(
    const char *message, size_t len, uint8_t out[DR_KECCAK_BYTES]);

/* For the log: fixed text, nothing of the signature. */
const char *dr_signature_text(enum dr_signature result);

#endif
