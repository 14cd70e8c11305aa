/*
 * spool_record - see the header. A reader that meets damage looks for the next marker
 * and goes on there; what a payload holds that looks like one fails its checksum.
 */
#include "gateway/spool_record.h"

#include <string.h>

#include "base/dr_assert.h"

static const char marker[8] = { (char)0x89, 'd', 'r', 's', 'p', 'l', '1', '\n' };

/* CRC-32C (Castagnoli), bit by bit from a table of 16: RFC 3720, appendix B.4. */
static uint32_t
crc32c(uint32_t crc, const char *bytes, size_t len)
{
	static const uint32_t table[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede,
		0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d, 0x82f63b78,
		0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a,
		0xf36e6f75 };

	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= (unsigned char)bytes[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

static void
put(char *at, uint64_t n, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (char)(n >> 8 * i & 0xff);
}

static uint64_t
get(const char *at, unsigned bytes)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < bytes; i++)
		n |= (uint64_t)(unsigned char)at[i] << 8 * i;
	return n;
}

void
dr_spool_record_add(
    struct dr_strbuf *out, int64_t now_wall_ms, const char *payload, size_t len)
{
	char head[DR_SPOOL_HEAD];

	DR_ASSERT(len <= DR_SPOOL_MAX_PAYLOAD);
	memcpy(head, marker, sizeof marker);
	put(head + 8, len, 4);
	put(head + 12, (uint64_t)now_wall_ms, 8);
	put(head + 20, crc32c(crc32c(0, head + 8, 12), payload, len), 4);
	dr_strbuf_add(out, head, sizeof head);
	dr_strbuf_add(out, payload, len);
}

/* How many bytes lie before the next place where a record may begin. */
static size_t
to_next_marker(const char *bytes, size_t len, bool whole)
{
	const char *found =
	    len > 1 ? memmem(bytes + 1, len - 1, marker, sizeof marker) : NULL;

	if (found != NULL)
		return (size_t)(found - bytes);
	/* the beginning of one may stand at the end */
	return whole || len < sizeof marker ? len : len - sizeof marker + 1;
}

enum dr_spool_step
dr_spool_record_next(const char *bytes, size_t len, bool whole,
    struct dr_spool_record *out, size_t *used)
{
	size_t n = 0;

	*used = 0;
	if (len == 0)
		return DR_SPOOL_END;
	if (len >= DR_SPOOL_HEAD)
		n = (size_t)get(bytes + 8, 4);
	if (memcmp(bytes, marker, len < sizeof marker ? len : sizeof marker) != 0 ||
	    n > DR_SPOOL_MAX_PAYLOAD) {
		*used = to_next_marker(bytes, len, whole);
		return DR_SPOOL_DAMAGED;
	}
	if (len < DR_SPOOL_HEAD || len - DR_SPOOL_HEAD < n) {
		if (!whole)
			return DR_SPOOL_MORE;
		*used = to_next_marker(bytes, len, whole);
		return DR_SPOOL_DAMAGED;
	}
	if (crc32c(crc32c(0, bytes + 8, 12), bytes + DR_SPOOL_HEAD, n) !=
	    (uint32_t)get(bytes + 20, 4)) {
		*used = to_next_marker(bytes, len, whole);
		return DR_SPOOL_DAMAGED;
	}
	*out = (struct dr_spool_record){ .written_ms = (int64_t)get(bytes + 12, 8),
		.payload = bytes + DR_SPOOL_HEAD,
		.len = n };
	*used = DR_SPOOL_HEAD + n;
	return DR_SPOOL_RECORD;
}
