/*
 * keccak - Keccak-256, the hash of Ethereum.
 *
 * It is SHA3-256 with the padding that Keccak had before it became a standard (0x01
 * where FIPS 202 says 0x06), so no SHA-3 of a library can stand in for it.
 */
#ifndef DR_KECCAK_H
#define DR_KECCAK_H

#include <stddef.h>
#include <stdint.h>

#define DR_KECCAK_BYTES 32
#define DR_KECCAK_RATE  136 /* bytes that go in between two permutations */

/* One hash in the making; plain memory, nothing to free. */
struct dr_keccak {
	uint64_t state[25];
	size_t at; /* bytes of the block that are in: < DR_KECCAK_RATE */
};

void dr_keccak_init(struct dr_keccak *keccak);
void dr_keccak_add(struct dr_keccak *keccak, const void *bytes, size_t n);
/* The struct is spent afterwards; init it to use it again. */
void dr_keccak_end(struct dr_keccak *keccak, uint8_t out[DR_KECCAK_BYTES]);

/* All at once. */
void dr_keccak256(const void *bytes, size_t n, uint8_t out[DR_KECCAK_BYTES]);

#endif
