/*
 * fcgi_wire - FastCGI records, taken apart and put together.
 *
 * What it is for: the one place that knows how a record, a name-value pair and the
 * small management bodies look on the wire. What it is not: it neither reads sockets
 * nor knows which request is running (fcgi_conn). It relies on <fastcgi.h> for the
 * numbers.
 */
#include "io/fcgi_wire.h"

#include <fastcgi.h>
#include <stdio.h>
#include <string.h>

/* ---- reading records ---- */

void
dr_fcgi_reader_init(struct dr_fcgi_reader *reader,
    bool (*content)(
	void *arg, const struct dr_fcgi_record *, const char *, size_t, bool),
    void *arg)
{
	*reader = (struct dr_fcgi_reader){ .content = content, .arg = arg };
}

/* Take bytes of the 8-byte header; returns how many. */
static size_t
take_header(struct dr_fcgi_reader *reader, const char *bytes, size_t len)
{
	size_t n = FCGI_HEADER_LEN - reader->header_len;

	if (n > len)
		n = len;
	memcpy(reader->header + reader->header_len, bytes, n);
	reader->header_len += (unsigned)n;
	return n;
}

static void
read_header(struct dr_fcgi_reader *reader)
{
	const uint8_t *h = reader->header;

	reader->record.type = h[1];
	reader->record.request_id = (uint16_t)(h[2] << 8 | h[3]);
	reader->record.content_length = (uint16_t)(h[4] << 8 | h[5]);
	reader->content_left = reader->record.content_length;
	reader->padding_left = h[6];
}

/* Hand on what there is of the record's content. */
static bool
give_content(struct dr_fcgi_reader *reader, const char *bytes, size_t n)
{
	reader->content_left -= (uint16_t)n;
	return reader->content(
	    reader->arg, &reader->record, bytes, n, reader->content_left == 0);
}

/*
 * header_len says where we are: below 8 in a header, 8 in content or padding. It goes
 * back to 0 only behind the padding, so 0 also means "between two records".
 */
enum dr_fcgi_feed
dr_fcgi_feed(struct dr_fcgi_reader *reader, const char *bytes, size_t len)
{
	const char *end = bytes + len;
	size_t n;

	while (bytes < end) {
		if (reader->header_len < FCGI_HEADER_LEN) {
			/* The first byte tells a stray HTTP client from a web server.
			 */
			if (reader->header_len == 0 && *bytes != FCGI_VERSION_1)
				return DR_FCGI_BAD_VERSION;
			bytes += take_header(reader, bytes, (size_t)(end - bytes));
			if (reader->header_len < FCGI_HEADER_LEN)
				break;
			read_header(reader);
			if (reader->content_left == 0 && !give_content(reader, "", 0))
				return DR_FCGI_STOPPED;
		}
		n = (size_t)(end - bytes);
		if (reader->content_left > 0 && n > 0) {
			n = n < reader->content_left ? n : reader->content_left;
			bytes += n;
			if (!give_content(reader, bytes - n, n))
				return DR_FCGI_STOPPED;
			n = (size_t)(end - bytes);
		}
		if (reader->content_left == 0) {
			n = n < reader->padding_left ? n : reader->padding_left;
			bytes += n;
			reader->padding_left -= (uint8_t)n;
			if (reader->padding_left == 0)
				reader->header_len = 0;
		}
	}
	return DR_FCGI_MORE;
}

/* ---- name-value pairs ---- */

/* One length: a byte, or four with the top bit of the first one set. */
static bool
read_length(const uint8_t *block, size_t len, size_t *pos, size_t *value)
{
	const uint8_t *b = block + *pos;

	if (*pos >= len)
		return false;
	if (b[0] < 0x80) {
		*value = b[0];
		*pos += 1;
		return true;
	}
	if (len - *pos < 4)
		return false;
	*value =
	    (size_t)(b[0] & 0x7f) << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
	*pos += 4;
	return true;
}

int
dr_fcgi_pair(const char *block, size_t len, size_t *pos, const char **name,
    size_t *name_len, const char **value, size_t *value_len)
{
	const uint8_t *bytes = (const uint8_t *)block;
	size_t at = *pos;

	if (at >= len)
		return 0;
	if (!read_length(bytes, len, &at, name_len) ||
	    !read_length(bytes, len, &at, value_len))
		return -1;
	if (*name_len > len - at || *value_len > len - at - *name_len)
		return -1;
	*name = block + at;
	*value = block + at + *name_len;
	*pos = at + *name_len + *value_len;
	return 1;
}

/* ---- writing records ---- */

static void
add_length(struct dr_strbuf *out, size_t len)
{
	uint8_t four[4] = { (uint8_t)(0x80 | len >> 24), (uint8_t)(len >> 16),
		(uint8_t)(len >> 8), (uint8_t)len };

	DR_ASSERT(len < 0x80000000U);
	if (len < 0x80)
		dr_strbuf_addc(out, (char)len);
	else
		dr_strbuf_add(out, four, sizeof four);
}

void
dr_fcgi_add_pair(struct dr_strbuf *out, const char *name, const char *value)
{
	size_t name_len = strlen(name), value_len = strlen(value);

	add_length(out, name_len);
	add_length(out, value_len);
	dr_strbuf_add(out, name, name_len);
	dr_strbuf_add(out, value, value_len);
}

void
dr_fcgi_header(uint8_t header[8], uint8_t type, uint16_t request_id, size_t len)
{
	DR_ASSERT(len <= FCGI_MAX_LENGTH);
	header[0] = FCGI_VERSION_1;
	header[1] = type;
	header[2] = (uint8_t)(request_id >> 8);
	header[3] = (uint8_t)request_id;
	header[4] = (uint8_t)(len >> 8);
	header[5] = (uint8_t)len;
	header[6] = 0; /* no padding: content is copied anyway, aligned or not */
	header[7] = 0;
}

void
dr_fcgi_add_record(struct dr_strbuf *out, uint8_t type, uint16_t request_id,
    const void *content, size_t len)
{
	uint8_t header[FCGI_HEADER_LEN];

	dr_fcgi_header(header, type, request_id, len);
	dr_strbuf_reserve(out, sizeof header + len);
	dr_strbuf_add(out, header, sizeof header);
	dr_strbuf_add(out, content, len);
}

void
dr_fcgi_add_end_request(struct dr_strbuf *out, uint16_t request_id, uint32_t app_status,
    uint8_t protocol_status)
{
	FCGI_EndRequestBody body = {
		.appStatusB3 = (uint8_t)(app_status >> 24),
		.appStatusB2 = (uint8_t)(app_status >> 16),
		.appStatusB1 = (uint8_t)(app_status >> 8),
		.appStatusB0 = (uint8_t)app_status,
		.protocolStatus = protocol_status,
	};

	dr_fcgi_add_record(out, FCGI_END_REQUEST, request_id, &body, sizeof body);
}

/*
 * Each known value is answered once, however often it is asked for: else a query of 64
 * KB would make an answer that does not fit a record. A broken pair ends the query.
 */
void
dr_fcgi_add_values(
    struct dr_strbuf *out, const char *query, size_t len, unsigned max_conns)
{
	const struct {
		const char *name;
		unsigned value;
	} known[] = { { FCGI_MAX_CONNS, max_conns }, { FCGI_MAX_REQS, max_conns },
		{ FCGI_MPXS_CONNS, 0 } };
	const char *name, *value;
	size_t pos = 0, name_len, value_len;
	bool given[DR_N_ELEMENTS(known)] = { false };
	struct dr_strbuf answer;
	char number[16];

	dr_strbuf_init(&answer, FCGI_MAX_LENGTH);
	while (
	    dr_fcgi_pair(query, len, &pos, &name, &name_len, &value, &value_len) == 1) {
		for (size_t i = 0; i < DR_N_ELEMENTS(known); i++) {
			if (given[i] || name_len != strlen(known[i].name) ||
			    memcmp(name, known[i].name, name_len) != 0)
				continue;
			given[i] = true;
			snprintf(number, sizeof number, "%u", known[i].value);
			dr_fcgi_add_pair(&answer, known[i].name, number);
		}
	}
	dr_fcgi_add_record(
	    out, FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, answer.data, answer.len);
	dr_strbuf_fini(&answer);
}

void
dr_fcgi_add_unknown_type(struct dr_strbuf *out, uint8_t type)
{
	FCGI_UnknownTypeBody body = { .type = type };

	dr_fcgi_add_record(
	    out, FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID, &body, sizeof body);
}
