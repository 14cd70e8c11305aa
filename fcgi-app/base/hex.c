/*
 * hex - see the header.
 */
#include "base/hex.h"

int
dr_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
dr_hex_read(const char *digits, size_t n, uint8_t *out)
{
	for (size_t i = 0; i < n; i++) {
		int high = dr_hex_digit(digits[2 * i]),
		    low = high < 0 ? -1 : dr_hex_digit(digits[2 * i + 1]);

		if (low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

void
dr_hex_write(const uint8_t *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
}
