/*
 * test_fcgi_wire - the FastCGI codec: what is cut, what is broken, what is written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fastcgi.h>

#include "base/mem.h"
#include "io/fcgi_wire.h"

#define MAX_SEEN 16

/* What a reader said, slices of a record put together. */
struct seen {
	struct dr_fcgi_record records[MAX_SEEN];
	struct dr_strbuf content[MAX_SEEN];
	unsigned n;       /* complete records */
	unsigned stop_at; /* refuse from the record of this number on; 0: never */
	bool in_record;
};

static void
seen_init(struct seen *seen)
{
	memset(seen, 0, sizeof *seen);
	for (unsigned i = 0; i < MAX_SEEN; i++)
		dr_strbuf_init(&seen->content[i], FCGI_MAX_LENGTH);
}

static void
seen_fini(struct seen *seen)
{
	for (unsigned i = 0; i < MAX_SEEN; i++)
		dr_strbuf_fini(&seen->content[i]);
}

static bool
collect(void *arg, const struct dr_fcgi_record *record, const char *bytes, size_t len,
    bool last)
{
	struct seen *seen = arg;

	assert_true(seen->n < MAX_SEEN);
	seen->records[seen->n] = *record;
	dr_strbuf_add(&seen->content[seen->n], bytes, len);
	assert_int_equal(last, seen->content[seen->n].len == record->content_length);
	seen->n += last;
	return seen->stop_at == 0 || seen->n < seen->stop_at;
}

/* A record with padding, as web servers send them. */
static void
add_padded(struct dr_strbuf *out, uint8_t type, uint16_t id, const char *content,
    uint8_t padding)
{
	size_t at = out->len;

	dr_fcgi_add_record(out, type, id, content, strlen(content));
	out->data[at + 6] = (char)padding;
	for (unsigned i = 0; i < padding; i++)
		dr_strbuf_addc(out, '\xaa');
}

static void
build_stream(struct dr_strbuf *out)
{
	dr_strbuf_init(out, 4096);
	add_padded(out, FCGI_BEGIN_REQUEST, 1, "begin...", 0);
	add_padded(out, FCGI_PARAMS, 1, "some pairs", 6);
	add_padded(out, FCGI_PARAMS, 1, "", 0);
	add_padded(out, FCGI_STDIN, 0x1234, "{\"model\":\"m\"}", 3);
	add_padded(out, FCGI_STDIN, 1, "", 8); /* padding behind nothing */
	add_padded(out, 200, 0xffff, "x", 255);
}

static void
expect_stream(const struct seen *seen)
{
	assert_int_equal(seen->n, 6);
	assert_string_equal(seen->content[1].data, "some pairs");
	assert_int_equal(seen->records[2].content_length, 0);
	assert_int_equal(seen->records[3].request_id, 0x1234);
	assert_string_equal(seen->content[3].data, "{\"model\":\"m\"}");
	assert_int_equal(seen->records[4].type, FCGI_STDIN);
	assert_int_equal(seen->records[5].type, 200);
	assert_int_equal(seen->records[5].request_id, 0xffff);
}

static void
records_do_not_depend_on_where_the_bytes_are_cut(void **state)
{
	struct dr_strbuf stream;

	(void)state;
	build_stream(&stream);
	for (size_t cut = 0; cut <= stream.len; cut++) {
		struct dr_fcgi_reader reader;
		struct seen seen;

		seen_init(&seen);
		dr_fcgi_reader_init(&reader, collect, &seen);
		assert_int_equal(dr_fcgi_feed(&reader, stream.data, cut), DR_FCGI_MORE);
		assert_int_equal(
		    dr_fcgi_feed(&reader, stream.data + cut, stream.len - cut),
		    DR_FCGI_MORE);
		expect_stream(&seen);
		assert_int_equal(reader.header_len, 0); /* between two records */
		seen_fini(&seen);
	}
	dr_strbuf_fini(&stream);
}

static void
records_come_out_when_each_byte_comes_alone(void **state)
{
	struct dr_fcgi_reader reader;
	struct dr_strbuf stream;
	struct seen seen;

	(void)state;
	build_stream(&stream);
	seen_init(&seen);
	dr_fcgi_reader_init(&reader, collect, &seen);
	for (size_t i = 0; i < stream.len; i++)
		assert_int_equal(
		    dr_fcgi_feed(&reader, stream.data + i, 1), DR_FCGI_MORE);
	expect_stream(&seen);
	seen_fini(&seen);
	dr_strbuf_fini(&stream);
}

static void
another_version_is_refused_at_its_first_byte(void **state)
{
	static const char *const bad[] = { "G", "\x02", "\x16\x03\x01",
		"GET / HTTP/1.1" };
	struct dr_fcgi_reader reader;
	struct dr_strbuf stream;
	struct seen seen;

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(bad); i++) {
		seen_init(&seen);
		build_stream(&stream);
		dr_strbuf_adds(&stream, bad[i]); /* behind good records too */
		dr_fcgi_reader_init(&reader, collect, &seen);
		assert_int_equal(dr_fcgi_feed(&reader, bad[i], 1), DR_FCGI_BAD_VERSION);
		assert_int_equal(seen.n, 0);
		dr_fcgi_reader_init(&reader, collect, &seen);
		assert_int_equal(dr_fcgi_feed(&reader, stream.data, stream.len),
		    DR_FCGI_BAD_VERSION);
		assert_int_equal(seen.n, 6);
		dr_strbuf_fini(&stream);
		seen_fini(&seen);
	}
}

static void
a_callback_that_says_no_hears_nothing_more(void **state)
{
	struct dr_fcgi_reader reader;
	struct dr_strbuf stream;
	struct seen seen;

	(void)state;
	build_stream(&stream);
	for (unsigned stop = 1; stop <= 6; stop++) {
		seen_init(&seen);
		seen.stop_at = stop;
		dr_fcgi_reader_init(&reader, collect, &seen);
		assert_int_equal(
		    dr_fcgi_feed(&reader, stream.data, stream.len), DR_FCGI_STOPPED);
		assert_int_equal(seen.n, stop);
		seen_fini(&seen);
	}
	dr_strbuf_fini(&stream);
}

/* ---- name-value pairs ---- */

static void
pairs_of_every_length_come_back(void **state)
{
	static const size_t lengths[] = { 0, 1, 127, 128, 255, 256, 65535, 70000 };
	const char *name, *value;
	size_t pos, name_len, value_len;
	struct dr_strbuf block;
	char *text;

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(lengths); i++) {
		text = dr_malloc(lengths[i] + 1);
		memset(text, 'v', lengths[i]);
		text[lengths[i]] = '\0';
		dr_strbuf_init(&block, 1 << 20);
		dr_fcgi_add_pair(&block, "NAME", text);
		dr_fcgi_add_pair(&block, text, "");
		pos = 0;
		assert_int_equal(dr_fcgi_pair(block.data, block.len, &pos, &name,
				     &name_len, &value, &value_len),
		    1);
		assert_int_equal(name_len, 4);
		assert_memory_equal(name, "NAME", 4);
		assert_int_equal(value_len, lengths[i]);
		assert_memory_equal(value, text, value_len);
		assert_int_equal(dr_fcgi_pair(block.data, block.len, &pos, &name,
				     &name_len, &value, &value_len),
		    1);
		assert_int_equal(name_len, lengths[i]);
		assert_int_equal(value_len, 0);
		assert_int_equal(dr_fcgi_pair(block.data, block.len, &pos, &name,
				     &name_len, &value, &value_len),
		    0);
		dr_strbuf_fini(&block);
		free(text);
	}
}

static void
lengths_outside_their_block_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ "\x01", 1 },      /* one length only */
		{ "\x01\x00", 2 },  /* no name */
		{ "\x01\x01N", 3 }, /* no value */
		{ "\x80", 1 },      /* a long length cut */
		{ "\x80\x00\x00", 3 },
		{ "\x00\x80\x00\x00", 4 },
		{ "\x80\x00\x00\x01\x80\x00\x00", 7 },
		{ "\xff\xff\xff\xff\xff\xff\xff\xffNAMEvalue", 17 }, /* no overflow */
		{ "\x04\xff\xff\xff\xffNAMEvalue", 14 },
		{ "\xff\xff\xff\xff\x05NAMEvalue", 14 },
	};
	const char *name, *value;
	size_t pos, name_len, value_len;

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(bad); i++) {
		/* On the heap, exactly as long: a byte too far is seen. */
		char *block = dr_malloc(bad[i].len);

		memcpy(block, bad[i].bytes, bad[i].len);
		pos = 0;
		assert_int_equal(dr_fcgi_pair(block, bad[i].len, &pos, &name, &name_len,
				     &value, &value_len),
		    -1);
		assert_int_equal(pos, 0);
		free(block);
	}
}

/* ---- writing ---- */

static void
replies_have_the_bytes_of_the_specification(void **state)
{
	static const char end[] = "\x01\x03\x01\x02\0\x08\0\0"
				  "\x0a\x0b\x0c\x0d\x01\0\0\0";
	static const char unknown[] = "\x01\x0b\0\0\0\x08\0\0"
				      "\x63\0\0\0\0\0\0\0";
	static const char empty[] = "\x01\x06\0\x07\0\0\0\0";
	struct dr_strbuf out;

	(void)state;
	dr_strbuf_init(&out, 1024);
	dr_fcgi_add_end_request(&out, 0x0102, 0x0a0b0c0d, FCGI_CANT_MPX_CONN);
	assert_int_equal(out.len, sizeof end - 1);
	assert_memory_equal(out.data, end, out.len);
	dr_strbuf_clear(&out);
	dr_fcgi_add_unknown_type(&out, 99);
	assert_int_equal(out.len, sizeof unknown - 1);
	assert_memory_equal(out.data, unknown, out.len);
	dr_strbuf_clear(&out);
	dr_fcgi_add_record(&out, FCGI_STDOUT, 7, "", 0);
	assert_int_equal(out.len, sizeof empty - 1);
	assert_memory_equal(out.data, empty, out.len);
	dr_strbuf_fini(&out);
}

/* The pairs of a GET_VALUES_RESULT as "name=value;...". */
static void
values_text(const struct dr_strbuf *record, char *text, size_t size)
{
	const char *name, *value;
	size_t pos = 0, name_len, value_len, used = 0;

	assert_int_equal(record->data[1], FCGI_GET_VALUES_RESULT);
	text[0] = '\0';
	while (dr_fcgi_pair(record->data + 8, record->len - 8, &pos, &name, &name_len,
		   &value, &value_len) == 1)
		used += (size_t)snprintf(text + used, size - used, "%.*s=%.*s;",
		    (int)name_len, name, (int)value_len, value);
}

static void
only_values_asked_for_and_known_are_told_once(void **state)
{
	static const struct {
		const char *names[4];
		const char *told;
	} rows[] = {
		{ { NULL }, "" },
		{ { "FCGI_MAX_CONNS" }, "FCGI_MAX_CONNS=250;" },
		{ { "FCGI_MPXS_CONNS", "FCGI_MAX_REQS" },
		    "FCGI_MPXS_CONNS=0;FCGI_MAX_REQS=250;" },
		{ { "FCGI_MAX", "", "HOME" }, "" },
		{ { "FCGI_MAX_CONNS", "FCGI_MAX_CONNS", "FCGI_MAX_CONNS" },
		    "FCGI_MAX_CONNS=250;" },
	};
	struct dr_strbuf query, out;
	char text[256];

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		dr_strbuf_init(&query, 1024);
		dr_strbuf_init(&out, 1024);
		for (size_t k = 0; k < 4 && rows[i].names[k] != NULL; k++)
			dr_fcgi_add_pair(&query, rows[i].names[k], "");
		dr_strbuf_adds(&query, "\x50"); /* a broken pair ends it */
		dr_fcgi_add_values(&out, query.data, query.len, 250);
		values_text(&out, text, sizeof text);
		assert_string_equal(text, rows[i].told);
		dr_strbuf_fini(&query);
		dr_strbuf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_do_not_depend_on_where_the_bytes_are_cut),
		cmocka_unit_test(records_come_out_when_each_byte_comes_alone),
		cmocka_unit_test(another_version_is_refused_at_its_first_byte),
		cmocka_unit_test(a_callback_that_says_no_hears_nothing_more),
		cmocka_unit_test(pairs_of_every_length_come_back),
		cmocka_unit_test(lengths_outside_their_block_are_refused),
		cmocka_unit_test(replies_have_the_bytes_of_the_specification),
		cmocka_unit_test(only_values_asked_for_and_known_are_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
