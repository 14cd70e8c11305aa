/*
 * gateway/stream_read: every entry once, in either direction, whatever the page; rows
 * that come meanwhile are no trouble; a cancelled reading says no more; long ones take
 * turns.
 */
#include "admission_fixture.h"

#include "gateway/stream_read.h"

#define N_ROWS 23

static struct dr_stream_read rows;
static struct dr_stream_turns turns;
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
	dr_stream_read(store, &turns, &rows);
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
	dr_stream_read(store, &turns, &rows);
	dr_stream_cancel(&rows);
	dr_stream_cancel(&rows);
	redis_do("PING"); /* its answer comes behind that of the page */
	assert_int_equal(n_done + n_seen, 0);
	redis_do("FLUSHALL");
}

/* ---- turns ---- */

#define N_READERS (DR_STREAM_MOST + 2)

static struct reader {
	struct dr_stream_read read;
	size_t n;
	unsigned n_done;
	enum dr_error err;
} readers[N_READERS];
static int order[200];
static size_t n_order;

static struct reader *
reader_of(struct dr_stream_read *read)
{
	return DR_CONTAINER_OF(read, struct reader, read);
}

static bool
on_readers_row(struct dr_stream_read *read, const struct dr_reply *entry)
{
	(void)entry;
	reader_of(read)->n++;
	return true;
}

/* Each page of a reading, in the order in which they come. */
static void
on_readers_page(struct dr_stream_read *read)
{
	assert_in_range(n_order, 0, DR_N_ELEMENTS(order) - 1);
	order[n_order++] = (int)(reader_of(read) - readers);
	dr_stream_next(read);
}

static void
on_readers_end(struct dr_stream_read *read, enum dr_error err)
{
	reader_of(read)->n_done++;
	reader_of(read)->err = err;
}

static void
start_readers(size_t n)
{
	fill(N_ROWS);
	n_order = 0;
	memset(readers, 0, sizeof readers);
	for (size_t i = 0; i < n; i++) {
		begin(true, 4, 1000);
		readers[i].read = rows;
		readers[i].read.row = on_readers_row;
		readers[i].read.paged = on_readers_page;
		readers[i].read.done = on_readers_end;
		dr_stream_read(store, &turns, &readers[i].read);
	}
}

static size_t
n_ended(size_t n)
{
	size_t ended = 0;

	for (size_t i = 0; i < n; i++)
		ended += readers[i].n_done;
	return ended;
}

static void
long_readings_take_turns_a_page_each(void **state)
{
	(void)state;
	start_readers(3);
	TURN_UNTIL(n_ended(3) == 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(readers[i].err, DR_OK);
		assert_int_equal(readers[i].n, N_ROWS);
		dr_stream_cancel(&readers[i].read);
	}
	assert_int_equal(n_order, 3 * 5);
	for (size_t i = 0; i < n_order; i++) /* 0 1 2 0 1 2 ... */
		assert_int_equal(order[i], (int)(i % 3));
	assert_true(dr_list_empty(&turns.readings));
	assert_null(turns.asking);
}

/* The one whose page is on its way, and one that waits. */
static void
whoever_leaves_holds_nobody_up(void **state)
{
	(void)state;
	start_readers(4);
	TURN_UNTIL(n_order == 4);
	assert_non_null(turns.asking);
	dr_stream_cancel(turns.asking);
	dr_stream_cancel(&readers[3].read);
	TURN_UNTIL(n_ended(4) == 2);
	assert_true(dr_list_empty(&turns.readings));
	assert_null(turns.asking);
}

static void
of_one_account_so_many_read_on(void **state)
{
	size_t n_busy = 0;

	(void)state;
	start_readers(N_READERS);
	TURN_UNTIL(n_ended(N_READERS) == N_READERS);
	for (size_t i = 0; i < N_READERS; i++) {
		n_busy += readers[i].err == DR_ERR_API_BUSY;
		assert_int_equal(readers[i].n, readers[i].err == DR_OK ? N_ROWS : 4);
	}
	assert_int_equal(n_busy, N_READERS - DR_STREAM_MOST);
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
		cmocka_unit_test(long_readings_take_turns_a_page_each),
		cmocka_unit_test(whoever_leaves_holds_nobody_up),
		cmocka_unit_test(of_one_account_so_many_read_on),
		cmocka_unit_test(ids_are_told_from_other_texts),
	};

	dr_stream_turns_init(&turns);
	return cmocka_run_group_tests(tests, admission_setup, admission_teardown);
}
