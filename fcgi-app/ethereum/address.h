/*
 * address - an Ethereum address as twenty bytes, and its text.
 *
 * The text is "0x" and forty digits. Written out, the case of its letters is a checksum
 * (EIP-55). Bytes compare with memcmp; for a key in Redis take the lower-case text of
 * dr_eth_address() in erc20.h. Present only in a build with the wallet login.
 */
#ifndef DR_ADDRESS_H
#define DR_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"

#define DR_ADDRESS_BYTES 20
#define DR_ADDRESS_CHARS 42 /* of its text, without a NUL */
#define DR_ADDRESS_TEXT  43 /* with it */

/* `len` characters, letters of any case. False: they are no address. */
bool dr_address_parse(
    const char *text, size_t len, uint8_t out[DR_ADDRESS_BYTES]) DR_MUSTCHECK;

/* With the checksum in the case of its letters. */
void dr_address_print(
    const uint8_t address[DR_ADDRESS_BYTES], char out[DR_ADDRESS_TEXT]);

/* Is this the address's text exactly as dr_address_print() writes it? All letters in
 * one case is not. */
bool dr_address_is_checksummed(const char *text, size_t len);

#endif
