/*
 * spool_record - how a settlement stands in a spool file: a marker, its length, the
 * time and a checksum before it, so that a torn or damaged record costs itself and no
 * other.
 *
 *   0  8 bytes  marker
 *   8  4        length of the payload, little-endian
 *  12  8        wall clock when it was written, ms
 *  20  4        CRC-32C of bytes 8..19 and of the payload
 *  24  ...      payload
 *
 * Pure: bytes in, records out. Units: bytes, ms.
 */
#ifndef DR_SPOOL_RECORD_H
#define DR_SPOOL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

#define DR_SPOOL_HEAD        24
#define DR_SPOOL_MAX_PAYLOAD (64 * 1024)

struct dr_spool_record {
	int64_t written_ms;
	const char *payload; /* borrowed from the bytes that were read */
	size_t len;
};

/* Append a record; `len` at most DR_SPOOL_MAX_PAYLOAD. */
void dr_spool_record_add(
    struct dr_strbuf *out, int64_t now_wall_ms, const char *payload, size_t len);

enum dr_spool_step {
	DR_SPOOL_RECORD,  /* *out is filled, *used bytes are done with */
	DR_SPOOL_DAMAGED, /* *used bytes are no record: a new one may begin after them
			   */
	DR_SPOOL_MORE,    /* the record goes on beyond these bytes; *used is 0 */
	DR_SPOOL_END      /* no bytes are left */
};

/*
 * Read what the bytes begin with. `whole`: nothing follows them, so that what goes on
 * beyond them is damaged too.
 */
enum dr_spool_step dr_spool_record_next(const char *bytes, size_t len, bool whole,
    struct dr_spool_record *out, size_t *used);

#endif
