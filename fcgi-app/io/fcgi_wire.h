/*
 * fcgi_wire - the FastCGI protocol as a pure codec: bytes in, events out.
 *
 * No I/O, no clock, no allocation that grows with the input: content is handed on in
 * slices of the fed bytes, wherever these are cut. Records: <fastcgi.h> of libfcgi.
 */
#ifndef DR_FCGI_WIRE_H
#define DR_FCGI_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "base/strbuf.h"

/* ---- reading records ---- */

struct dr_fcgi_record {
	uint8_t type; /* FCGI_BEGIN_REQUEST ... */
	uint16_t request_id;
	uint16_t content_length; /* of the whole record */
};

/*
 * `content` gets each record's bytes in order, possibly in several slices; `last` marks
 * the slice that completes the record (len 0 for an empty record). Returning false
 * stops the feed.
 */
struct dr_fcgi_reader {
	bool (*content)(void *arg, const struct dr_fcgi_record *record,
	    const char *bytes, size_t len, bool last);
	void *arg;
	struct dr_fcgi_record record;
	uint8_t header[8];
	unsigned header_len; /* bytes of the header seen; 0: between two records */
	uint16_t content_left;
	uint8_t padding_left;
};

void dr_fcgi_reader_init(struct dr_fcgi_reader *reader,
    bool (*content)(
	void *arg, const struct dr_fcgi_record *, const char *, size_t, bool),
    void *arg);

enum dr_fcgi_feed { DR_FCGI_MORE, DR_FCGI_STOPPED, DR_FCGI_BAD_VERSION };
enum dr_fcgi_feed dr_fcgi_feed(
    struct dr_fcgi_reader *reader, const char *bytes, size_t len) DR_MUSTCHECK;

/* ---- name-value pairs ---- */

/*
 * Read one pair at *pos of a complete block; advances *pos. 1: a pair, 0: the end, -1:
 * lengths that point outside the block. name and value are slices, not terminated.
 */
int dr_fcgi_pair(const char *block, size_t len, size_t *pos, const char **name,
    size_t *name_len, const char **value, size_t *value_len) DR_MUSTCHECK;

/* ---- writing records ---- */

/* Below 2^16, and a multiple of 8: no padding needed. */
#define DR_FCGI_MAX_CONTENT 65528

void dr_fcgi_add_pair(struct dr_strbuf *out, const char *name, const char *value);
void dr_fcgi_add_record(struct dr_strbuf *out, uint8_t type, uint16_t request_id,
    const void *content, size_t len); /* len <= 65535 */
void dr_fcgi_add_end_request(struct dr_strbuf *out, uint16_t request_id,
    uint32_t app_status, uint8_t protocol_status);
/* The reply to FCGI_GET_VALUES with this query: what is asked for and known, once. */
void dr_fcgi_add_values(
    struct dr_strbuf *out, const char *query, size_t len, unsigned max_conns);
void dr_fcgi_add_unknown_type(struct dr_strbuf *out, uint8_t type);
/* The 8 bytes before `len` bytes of content. */
void dr_fcgi_header(uint8_t header[8], uint8_t type, uint16_t request_id, size_t len);

#endif
