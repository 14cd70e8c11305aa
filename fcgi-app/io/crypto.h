/*
 * crypto - digests, random ids and sealed secrets (GnuTLS inside, nowhere else).
 *
 * Failure of the random source or the library is our end: all calls assert on it.
 */
#ifndef DR_CRYPTO_H
#define DR_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "base/strbuf.h"

#define DR_SHA256_HEX 65 /* 64 lower-case hex digits and NUL */

void dr_sha256_hex(const void *data, size_t len, char out[DR_SHA256_HEX]);

/* Only because Redis names a script by its SHA-1 (EVALSHA): never for anything secret.
 */
#define DR_SHA1_HEX 41
void dr_sha1_hex(const void *data, size_t len, char out[DR_SHA1_HEX]);

/* Same bytes? Takes the same time wherever they differ. */
bool dr_equal_secret(const void *a, const void *b, size_t len);

void dr_random_bytes(void *out, size_t len);

/*
 * n random characters of [a-z0-9] (log2(36) = 5.17 bits each) and NUL into out[n + 1].
 * Random bytes are drawn in bulk, so this is cheap enough for one id per request.
 */
void dr_random_id(char *out, size_t n);

/*
 * Secrets at rest: AES-256-GCM with a 32-byte key from a file. While that key is being
 * changed for another, the file holds the older ones too: they still open what they
 * sealed.
 *
 * dr_seal() appends "v1." + base64(nonce 12 || ciphertext || tag 16) to out; `context`
 * (such as the provider's name) is authenticated, so that a sealed text moved elsewhere
 * does not open. dr_open() appends the plain bytes; false when the text is damaged, or
 * key or context differ.
 */
#define DR_SEAL_KEY_BYTES  32
#define DR_SEAL_KEYS_OLDER 3

struct dr_seal_key {
	uint8_t bytes[DR_SEAL_KEY_BYTES]; /* seals */
	unsigned n_older;
	uint8_t older[DR_SEAL_KEYS_OLDER][DR_SEAL_KEY_BYTES]; /* open only */
};

/*
 * Read a key file: lines of 64 hex digits, the key in force first, then older ones; the
 * last newline is optional. Refuses a file that group or others can read. False with
 * one line in err, which names the line.
 */
bool dr_seal_key_load(
    const char *path, struct dr_seal_key *out, char *err, size_t err_size) DR_MUSTCHECK;
void dr_seal(const struct dr_seal_key *key, const char *context, const void *plain,
    size_t len, struct dr_strbuf *out);
bool dr_open(const struct dr_seal_key *key, const char *context, const char *sealed,
    struct dr_strbuf *out) DR_MUSTCHECK;

#endif
