/*
 * address - see the header.
 */
#include "ethereum/address.h"

#include <string.h>

#include "base/hex.h"
#include "ethereum/keccak.h"

bool
dr_address_parse(const char *text, size_t len, uint8_t out[DR_ADDRESS_BYTES])
{
	return len == DR_ADDRESS_CHARS && text[0] == '0' && text[1] == 'x' &&
	       dr_hex_read(text + 2, DR_ADDRESS_BYTES, out);
}

/* EIP-55: a letter is a capital where the hash of the lower-case digits has 8 or more
 * in that place. */
void
dr_address_print(const uint8_t address[DR_ADDRESS_BYTES], char out[DR_ADDRESS_TEXT])
{
	const size_t digits = DR_ADDRESS_CHARS - 2;
	uint8_t hash[DR_KECCAK_BYTES];
	char *text = out + 2;

	memcpy(out, "0x", 2);
	dr_hex_write(address, DR_ADDRESS_BYTES, text);
	text[digits] = '\0';
	dr_keccak256(text, digits, hash);
	for (size_t i = 0; i < digits; i++) {
		int place = i % 2 == 0 ? hash[i / 2] >> 4 : hash[i / 2] & 15;

		if (text[i] >= 'a' && place >= 8)
			text[i] = (char)(text[i] - 'a' + 'A');
	}
}

bool
dr_address_is_checksummed(const char *text, size_t len)
{
	uint8_t address[DR_ADDRESS_BYTES];
	char right[DR_ADDRESS_TEXT];

	if (!dr_address_parse(text, len, address))
		return false;
	dr_address_print(address, right);
	return memcmp(text, right, DR_ADDRESS_CHARS) == 0;
}
