/*
 * gateway/stream_read: every entry once, in either direction, whatever the page; rows
 * that come meanwhile are no trouble; a cancelled reading says no more.
 */
#include "admission_fixture.h"

#include "gateway/stream_read.h"

#define N_ROWS 23

static struct dr_stream_read rows;
static unsigned n_done, n_seen, n_pages, stop_at;
static int64_t seen[2 * N_ROWS];
static enum dr_error done_err;

static bool
on_row(struct dr_stream_read *read, const struct dr_reply *entry)
{
	assert_ptr_equal(read, &rows);
	assert_in_range(n_seen, 0, 2 * N_ROWS - 1);
	seen[n_seen++] = dr_reply_int(dr_reply_at(dr_reply_at(entry, 1), 1), -1);
	return n_seen != stop_at;
}

static void
on_end(struct dr_stream_read *read, enum dr_error err)
{
	(void)read;
	n_done++;
	done_err = err;
}

/* A row comes between two pages: at the new end. */
static void
on_page_end(struct dr_stream_read *read)
{
	struct dr_arg argv[] = { { "XADD", 4 }, { KEY("ledger"), 0 }, { "*", 1 },
		{ "n", 1 }, { "99", 2 } };

	argv[1].len = strlen(KEY("ledger"));
	n_pages++;
	if (n_pages < 5)
		dr_store_command(store, "", argv, DR_N_ELEMENTS(argv), NULL);
	dr_stream_next(read);
}

static void
begin(bool backwards, size_t page, size_t most)
{
	rows = (struct dr_stream_read){ .account = ACCOUNT,
		.what = DR_SCHEMA_LEDGER,
		.backwards = backwards,
		.from = "-",
		.to = "+",
		.page = page,
		.most = most,
		.row = on_row,
		.done = on_end };
	n_done = n_seen = n_pages = stop_at = 0;
}

static void
read_all(void)
{
	dr_stream_read(store, &rows);
	assert_int_equal(n_done, 0); /* never inside the call */
	TURN_UNTIL(n_done > 0);
	assert_int_equal(n_done, 1);
	assert_int_equal(done_err, DR_OK);
}

static void
fill(int n)
{
	redis_do("FLUSHALL");
	for (int i = 0; i < n; i++)
		redis_do("XADD " KEY("ledger") " %d-1 n %d", 1000 + i, i);
}

static void
every_row_is_read_once_whatever_the_page(void **state)
{
	(void)state;
	fill(N_ROWS);
	for (size_t page = 1; page <= N_ROWS + 2; page++)
		for (int backwards = 0; backwards < 2; backwards++) {
			begin(backwards != 0, page, 1000);
			read_all();
			assert_int_equal(n_seen, N_ROWS);
			assert_false(rows.cut);
			for (int i = 0; i < N_ROWS; i++)
				assert_int_equal(
				    seen[i], backwards ? N_ROWS - 1 - i : i);
		}
	fill(0);
	begin(true, 5, 10);
	read_all();
	assert_int_equal(n_seen, 0);
}

static void
it_ends_at_the_bound_or_where_it_is_told(void **state)
{
	(void)state;
	fill(N_ROWS);
	for (size_t most = 1; most <= N_ROWS + 1; most++) {
		begin(true, 4, most);
		read_all();
		assert_int_equal(n_seen, most < N_ROWS ? most : N_ROWS);
		assert_int_equal(rows.cut, most <= N_ROWS);
	}
	begin(false, 4, 1000);
	stop_at = 6;
	read_all();
	assert_int_equal(n_seen, 6);
	assert_true(rows.stopped);
	assert_string_equal(rows.last, "1005-1");
	begin(true, 4, 1000);
	snprintf(rows.from, sizeof rows.from, "1003");
	snprintf(rows.to, sizeof rows.to, "(1007-1");
	read_all();
	assert_int_equal(n_seen, 4);
	assert_int_equal(seen[0], 6);
}

static void
rows_that_come_meanwhile_are_no_trouble(void **state)
{
	(void)state;
	fill(N_ROWS);
	begin(true, 4, 1000);
	rows.paged = on_page_end;
	read_all();
	assert_int_equal(n_seen, N_ROWS); /* backwards: not seen */
	begin(false, 4, 1000);
	rows.paged = on_page_end;
	n_pages = 3;
	read_all();
	assert_int_equal(n_seen, N_ROWS + 5);
}

static void
a_cancelled_reading_says_no_more(void **state)
{
	(void)state;
	fill(N_ROWS);
	begin(true, 4, 1000);
	dr_stream_read(store, &rows);
	dr_stream_cancel(&rows);
	dr_stream_cancel(&rows);
	redis_do("PING"); /* its answer comes behind that of the page */
	assert_int_equal(n_done + n_seen, 0);
	redis_do("FLUSHALL");
}

static void
ids_are_told_from_other_texts(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} rows_of[] = { { "1795433901925-0", true }, { "5", true }, { "", false },
		{ "-", false }, { "+", false }, { "(5", false }, { "5-", false },
		{ "-5", false }, { "5-5-5", false }, { "5 5", false }, { "5-a", false },
		{ "1234567890123456789", false }, { "0-0", false }, { "000-0", false },
		{ "0-1", true }, { "1-0", true } };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows_of); i++)
		assert_int_equal(dr_stream_id_ok(rows_of[i].text), rows_of[i].ok);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_read_once_whatever_the_page),
		cmocka_unit_test(it_ends_at_the_bound_or_where_it_is_told),
		cmocka_unit_test(rows_that_come_meanwhile_are_no_trouble),
		cmocka_unit_test(a_cancelled_reading_says_no_more),
		cmocka_unit_test(ids_are_told_from_other_texts),
	};

	return cmocka_run_group_tests(tests, admission_setup, admission_teardown);
}
