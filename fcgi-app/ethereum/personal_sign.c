/*
 * personal_sign - see the header. secp256k1_ecdsa_recover() takes both twins of a
 * signature, so the higher s is refused here, before it.
 */
#include "ethereum/personal_sign.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "ethereum/keccak.h"

static enum dr_signature
read_digits(const char *text, uint8_t out[DR_SIGNATURE_BYTES])
{
	if (strncmp(text, "0x", 2) != 0)
		return DR_SIGNATURE_PREFIX;
	if (strnlen(text, DR_SIGNATURE_CHARS + 1) != DR_SIGNATURE_CHARS)
		return DR_SIGNATURE_LENGTH;
	return dr_hex_read(text + 2, DR_SIGNATURE_BYTES, out) ? DR_SIGNATURE_OK
							      : DR_SIGNATURE_DIGITS;
}

static enum dr_signature
read_signature(const char *text, secp256k1_ecdsa_recoverable_signature *out)
{
	uint8_t bytes[DR_SIGNATURE_BYTES];
	secp256k1_ecdsa_signature plain;
	enum dr_signature said = read_digits(text, bytes);
	int id;

	if (said != DR_SIGNATURE_OK)
		return said;
	id = bytes[64] >= 27 ? bytes[64] - 27 : bytes[64];
	if (id > 1) /* 2 and 3: r above the curve's order; no wallet makes them */
		return DR_SIGNATURE_V;
	if (!secp256k1_ecdsa_recoverable_signature_parse_compact(
		secp256k1_context_static, out, bytes, id))
		return DR_SIGNATURE_RANGE;
	secp256k1_ecdsa_recoverable_signature_convert(
	    secp256k1_context_static, &plain, out);
	if (secp256k1_ecdsa_signature_normalize(secp256k1_context_static, NULL, &plain))
		return DR_SIGNATURE_HIGH_S;
	return DR_SIGNATURE_OK;
}

/* What is signed: keccak256 of 0x19, "Ethereum Signed Message:", LF, the length in
 * decimal, and the message. */
void
dr_personal_sign_hash(const char *message, size_t len, uint8_t out[DR_KECCAK_BYTES])
{
	struct dr_keccak keccak;
	char head[64];
	int n = snprintf(head, sizeof head,
	    "\x19"
	    "Ethereum Signed Message:\n%zu",
	    len);

	DR_ASSERT(n > 0 && (size_t)n < sizeof head);
	dr_keccak_init(&keccak);
	dr_keccak_add(&keccak, head, (size_t)n);
	dr_keccak_add(&keccak, message, len);
	dr_keccak_end(&keccak, out);
}

/* The last 20 bytes of the hash of the key's x and y. */
static void
address_of(const secp256k1_pubkey *key, uint8_t out[DR_ADDRESS_BYTES])
{
	uint8_t point[65], hash[DR_KECCAK_BYTES];
	size_t len = sizeof point;

	secp256k1_ec_pubkey_serialize(
	    secp256k1_context_static, point, &len, key, SECP256K1_EC_UNCOMPRESSED);
	DR_ASSERT(len == sizeof point);
	dr_keccak256(point + 1, sizeof point - 1, hash); /* without the 0x04 */
	memcpy(out, hash + DR_KECCAK_BYTES - DR_ADDRESS_BYTES, DR_ADDRESS_BYTES);
}

enum dr_signature
dr_personal_sign_recover(const char *message, size_t len, const char *signature,
    uint8_t out[DR_ADDRESS_BYTES])
{
	secp256k1_ecdsa_recoverable_signature parsed;
	secp256k1_pubkey key;
	uint8_t hash[DR_KECCAK_BYTES];
	enum dr_signature said = read_signature(signature, &parsed);

	if (said != DR_SIGNATURE_OK)
		return said;
	dr_personal_sign_hash(message, len, hash);
	if (!secp256k1_ecdsa_recover(secp256k1_context_static, &key, &parsed, hash))
		return DR_SIGNATURE_NO_SIGNER;
	address_of(&key, out);
	return DR_SIGNATURE_OK;
}

enum dr_signature
dr_personal_sign_check(const char *message, size_t len, const char *signature,
    const uint8_t address[DR_ADDRESS_BYTES])
{
	uint8_t signer[DR_ADDRESS_BYTES];
	enum dr_signature said =
	    dr_personal_sign_recover(message, len, signature, signer);

	if (said != DR_SIGNATURE_OK)
		return said;
	return memcmp(signer, address, DR_ADDRESS_BYTES) == 0
		   ? DR_SIGNATURE_OK
		   : DR_SIGNATURE_OTHER_SIGNER;
}

const char *
dr_signature_text(enum dr_signature result)
{
	static const char *const texts[DR_N_SIGNATURE_RESULTS] = {
#define X(name, text) [DR_SIGNATURE_##name] = text,
		DR_SIGNATURE_RESULTS(X)
#undef X
	};

	DR_ASSERT(result < DR_N_SIGNATURE_RESULTS);
	return texts[result];
}
