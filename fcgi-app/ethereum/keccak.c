/*
 * keccak - see the header. The permutation is nettle's; the sponge around it is here,
 * since nettle's own has the other padding.
 */
#include "ethereum/keccak.h"

#include <nettle/sha3.h>
#include <string.h>

#include "base/dr_assert.h"

/* Words hold their bytes with the lowest first, on every machine. */
static void
xor_byte(struct dr_keccak *keccak, size_t at, uint8_t byte)
{
	keccak->state[at / 8] ^= (uint64_t)byte << (8 * (at % 8));
}

static void
permute(struct dr_keccak *keccak)
{
	struct sha3_state state;

	_Static_assert(sizeof state == sizeof keccak->state, "1600 bits");
	memcpy(state.a, keccak->state, sizeof state.a);
	nettle_sha3_permute(&state);
	memcpy(keccak->state, state.a, sizeof state.a);
}

void
dr_keccak_init(struct dr_keccak *keccak)
{
	memset(keccak, 0, sizeof *keccak);
}

void
dr_keccak_add(struct dr_keccak *keccak, const void *bytes, size_t n)
{
	const uint8_t *from = bytes;

	DR_ASSERT(keccak->at < DR_KECCAK_RATE);
	for (size_t i = 0; i < n; i++) {
		xor_byte(keccak, keccak->at++, from[i]);
		if (keccak->at == DR_KECCAK_RATE) {
			permute(keccak);
			keccak->at = 0;
		}
	}
}

void
dr_keccak_end(struct dr_keccak *keccak, uint8_t out[DR_KECCAK_BYTES])
{
	DR_ASSERT(keccak->at < DR_KECCAK_RATE);
	xor_byte(keccak, keccak->at, 0x01); /* FIPS 202 would have 0x06 */
	xor_byte(keccak, DR_KECCAK_RATE - 1, 0x80);
	permute(keccak);
	for (size_t i = 0; i < DR_KECCAK_BYTES; i++)
		out[i] = (uint8_t)(keccak->state[i / 8] >> (8 * (i % 8)));
	keccak->at = DR_KECCAK_RATE; /* spent */
}

void
dr_keccak256(const void *bytes, size_t n, uint8_t out[DR_KECCAK_BYTES])
{
	struct dr_keccak keccak;

	dr_keccak_init(&keccak);
	dr_keccak_add(&keccak, bytes, n);
	dr_keccak_end(&keccak, out);
}
