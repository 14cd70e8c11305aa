/*
 * standin_gzip - a valid gzip file around bytes, stored and not compressed (RFC 1951,
 * 3.2.4; RFC 1952), so that the stand-in needs no library for one fault.
 */
#include "standin.h"

#include "base/mem.h"

static uint32_t
crc32_of(const unsigned char *bytes, size_t n)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < n; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
	}
	return ~crc;
}

static void
add_little_endian(struct dr_strbuf *out, uint32_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		dr_strbuf_addc(out, (char)(value >> 8 * i & 0xff));
}

void
standin_gzip(struct dr_strbuf *body)
{
	static const char head[] = "\x1f\x8b\x08\0\0\0\0\0\0\x03";
	size_t len = body->len;
	char *plain = dr_strbuf_take(body);

	dr_strbuf_add(body, head, sizeof head - 1);
	for (size_t at = 0, n; at < len || at == 0; at += n) {
		n = len - at < 65535 ? len - at : 65535;
		dr_strbuf_addc(body, at + n == len ? 1 : 0); /* the last block? */
		add_little_endian(body, (uint32_t)n, 2);
		add_little_endian(body, ~(uint32_t)n, 2);
		dr_strbuf_add(body, plain + at, n);
		if (n == 0)
			break;
	}
	add_little_endian(body, crc32_of((unsigned char *)plain, len), 4);
	add_little_endian(body, (uint32_t)len, 4);
	free(plain);
}
