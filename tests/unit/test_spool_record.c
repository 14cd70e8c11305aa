/*
 * spool_record: whole records come back from a file that was cut or damaged anywhere.
 */
#include "store_fixture.h"

#include "gateway/spool_record.h"

static const struct {
	const char *payload;
	size_t len;
} records[] = {
	{ "first", 5 },
	{ "", 0 },
	{ "\0binary\xff\n", 9 },
	/* a payload that holds what begins a record */
	{ "\x89"
	  "drspl1\n\4\0\0\0 looks like one",
	    27 },
	{ "the last one", 12 },
};
#define N_RECORDS DR_N_ELEMENTS(records)

/* All of them, one after another; ends[i]: where record i ends. */
static struct dr_strbuf
file_of(size_t ends[N_RECORDS])
{
	struct dr_strbuf file;

	dr_strbuf_init(&file, 1 << 20);
	for (size_t i = 0; i < N_RECORDS; i++) {
		dr_spool_record_add(
		    &file, 1000 + (int64_t)i, records[i].payload, records[i].len);
		ends[i] = file.len;
	}
	return file;
}

static size_t
which(const struct dr_spool_record *record)
{
	for (size_t i = 0; i < N_RECORDS; i++)
		if (record->len == records[i].len &&
		    memcmp(record->payload, records[i].payload, record->len) == 0 &&
		    record->written_ms == 1000 + (int64_t)i)
			return i;
	fail_msg("a record that nobody wrote");
	return N_RECORDS;
}

struct found {
	size_t n, skipped, damaged;
	unsigned seen; /* bit i: record i */
};

static struct found
read_all(const char *bytes, size_t len)
{
	struct found found = { 0 };
	struct dr_spool_record record;
	size_t at = 0, used;

	for (;;) {
		enum dr_spool_step step =
		    dr_spool_record_next(bytes + at, len - at, true, &record, &used);

		if (step == DR_SPOOL_END)
			break;
		assert_int_not_equal(step, DR_SPOOL_MORE);
		assert_true(used > 0);
		if (step == DR_SPOOL_RECORD) {
			size_t i = which(&record);

			assert_int_equal(found.seen >> i, 0); /* once, in their order */
			found.seen |= 1u << i;
			found.n++;
		} else {
			found.damaged++;
			found.skipped += used;
		}
		at += used;
	}
	assert_int_equal(at, len);
	return found;
}

static void
a_file_cut_anywhere_gives_the_whole_records_before_the_cut(void **state)
{
	size_t ends[N_RECORDS];
	struct dr_strbuf file = file_of(ends);

	(void)state;
	for (size_t cut = 0; cut <= file.len; cut++) {
		char *copy = dr_malloc(cut + 1); /* its end is watched by ASan */
		struct found found;
		size_t whole = 0, rest;

		memcpy(copy, file.data, cut);
		while (whole < N_RECORDS && ends[whole] <= cut)
			whole++;
		rest = cut - (whole > 0 ? ends[whole - 1] : 0);
		found = read_all(copy, cut);
		assert_int_equal(found.seen, (1u << whole) - 1);
		assert_int_equal(found.skipped, rest);
		free(copy);
	}
	dr_strbuf_fini(&file);
}

static void
a_flipped_bit_costs_its_own_record_and_no_other(void **state)
{
	size_t ends[N_RECORDS];
	struct dr_strbuf file = file_of(ends);

	(void)state;
	for (size_t bit = 0; bit < file.len * 8; bit++) {
		size_t hit = 0;
		struct found found;

		while (ends[hit] <= bit / 8)
			hit++;
		file.data[bit / 8] ^= (char)(1 << bit % 8);
		found = read_all(file.data, file.len);
		file.data[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(found.seen, ((1u << N_RECORDS) - 1) & ~(1u << hit));
		assert_true(found.damaged > 0);
	}
	dr_strbuf_fini(&file);
}

static void
records_do_not_depend_on_where_the_bytes_are_cut(void **state)
{
	size_t ends[N_RECORDS];
	struct dr_strbuf file = file_of(ends);
	struct dr_spool_record record;

	(void)state;
	for (size_t i = 0, start = 0; i < N_RECORDS; start = ends[i++])
		for (size_t len = 1; len <= file.len - start; len++) {
			size_t used, size = ends[i] - start;
			enum dr_spool_step step = dr_spool_record_next(
			    file.data + start, len, false, &record, &used);

			assert_int_equal(
			    step, len < size ? DR_SPOOL_MORE : DR_SPOOL_RECORD);
			assert_int_equal(used, len < size ? 0 : size);
		}
	dr_strbuf_fini(&file);
}

static void
the_checksum_is_crc_32c(void **state)
{
	struct dr_strbuf file;

	(void)state;
	/* over the length, the time and "123456789"; computed elsewhere, by a program
	 * that gives the check value 0xe3069283 for "123456789" alone */
	dr_strbuf_init(&file, 1000);
	dr_spool_record_add(&file, 0, "123456789", 9);
	assert_memory_equal(file.data + 20, "\x34\x08\xe0\xf3", 4);
	dr_strbuf_fini(&file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_file_cut_anywhere_gives_the_whole_records_before_the_cut),
		cmocka_unit_test(a_flipped_bit_costs_its_own_record_and_no_other),
		cmocka_unit_test(records_do_not_depend_on_where_the_bytes_are_cut),
		cmocka_unit_test(the_checksum_is_crc_32c),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
