/*
 * Rules of derouterctl about books: they are shown row by row, verified against the
 * account, trimmed behind an opening, and summed up by provider and day. Rows are
 * written as the scripts write them.
 */
#include <sys/stat.h>

#include "base/clock.h"
#include "ctl_fixture.h"

static char account[64];

/* One command; '~' inside a word stands for a space. */
static void
redis_words(const char *format, ...)
{
	struct answer answer;
	struct dr_arg argv[64];
	char line[2000], *save, *word;
	size_t n = 0;
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	for (word = strtok_r(line, " ", &save); word != NULL && n < 64;
	     word = strtok_r(NULL, " ", &save)) {
		for (char *p = word; *p != '\0'; p++)
			if (*p == '~')
				*p = ' ';
		argv[n++] = (struct dr_arg){ word, strlen(word) };
	}
	answer_init(&answer, false);
	dr_store_command(store, "", argv, n, &answer.call);
	dr_store_wait(store, &answer.call);
	assert_int_equal(answer.err, DR_OK);
}

/* Noon of 2026-11-DAY in ms. */
static long long
noon(int day)
{
	return 1793534400000LL + (day - 1) * 86400000LL;
}

static void
charge(int day, unsigned n, const char *key, int64_t nano, int64_t balance,
    const char *provider, const char *flags)
{
	redis_words(
	    "XADD {a:%s}:ledger %lld-%u type charge req "
	    "req_%020u%s key %s nano -%lld balance %lld model m provider %s price "
	    "2026-01-01 in 10 cw5 1 cw1 2 cr 3 out 4 web 5 flags %s window "
	    "2026-11-%02d",
	    account, noon(day), n, n, account, key, (long long)nano, (long long)balance,
	    provider, flags, day);
}

/* An account that has been credited 1000, two keys, five charges on three days. */
static void
write_books(void)
{
	static const char *const fields =
	    "balance 850 held 30 running 2 aaaaaa.status on aaaaaa.spent:total 110 "
	    "aaaaaa.spent:2026-11-02 10 aaaaaa.spent:2026-11-03 100 "
	    "aaaaaa.held:2026-11-05 20 bbbbbb.status off bbbbbb.spent:total 40 "
	    "bbbbbb.spent:2026-11-03 25 bbbbbb.spent:2026-11-04 15 bbbbbb.held:total 10";

	redis_words("FLUSHALL");
	snprintf(account, sizeof account, "%s", new_account("0"));
	redis_words("HSET {a:%s}:account %s", account, fields);
	redis_words(
	    "XADD {a:%s}:ledger %lld-0 type credit nano 1000 balance 1000 reason hi",
	    account, noon(1));
	charge(2, 1, "aaaaaa", 10, 990, "one", "-");
	charge(3, 2, "aaaaaa", 60, 930, "one", "-");
	charge(3, 3, "aaaaaa", 40, 890, "two", "estimated");
	redis_words(
	    "XADD {a:%s}:ledger %lld-9 type abandoned req req_%020u%s key bbbbbb "
	    "nano -20 balance 870 window 2026-11-03",
	    account, noon(3), 4u, account);
	redis_words(
	    "XADD {a:%s}:ledger %lld-10 type charge req req_%020u%s key bbbbbb "
	    "nano -5 balance 865 provider two flags late window 2026-11-03 in 7",
	    account, noon(3), 4u, account);
	charge(4, 5, "bbbbbb", 15, 850, "two", "-");
	redis_words("HSET {a:%s}:open:aaaaaa r1 20~1~0~2026-11-05", account);
	redis_words("HSET {a:%s}:open:bbbbbb r2 10~1~0~total", account);
}

static void
books_that_add_up_have_no_difference(void **state)
{
	(void)state;
	write_books();
	CTL_STATUS(0, "ledger verify %s", account);
	CTL_SAID("1 accounts, 7 rows, 0 differences", out);
	CTL_STATUS(0, "ledger verify");
	CTL_STATUS(0, "--json ledger verify --receipts");
	assert_string_equal(out, "{\"accounts\":1,\"rows\":7,\"differences\":[]}\n");
}

static void
every_difference_is_found_and_named(void **state)
{
	static const struct {
		const char *command, *said;
	} rows[] = {
		{ "HSET {a:%s}:account balance 851",
		    "balance: expected 850, found 851" },
		{ "HSET {a:%s}:account held 31", "held: expected 30, found 31" },
		{ "HSET {a:%s}:account running 3", "running: expected 2, found 3" },
		{ "HSET {a:%s}:account aaaaaa.spent:total 109",
		    "aaaaaa.spent:total: expected 110, found 109" },
		{ "HDEL {a:%s}:account bbbbbb.spent:2026-11-04",
		    "bbbbbb.spent:2026-11-04: expected 15, found 0" },
		{ "HSET {a:%s}:account aaaaaa.spent:2026-10 7",
		    "aaaaaa.spent:2026-10: expected 0, found 7" },
		{ "HSET {a:%s}:account aaaaaa.held:2026-11-05 0",
		    "aaaaaa.held:2026-11-05: expected 20, found 0" },
		{ "HDEL {a:%s}:open:aaaaaa r1", "held: expected 10, found 30" },
		{ "HDEL {a:%s}:account aaaaaa.held:2026-11-05",
		    "aaaaaa.held:2026-11-05: expected 20, found 0" },
		{ "HSET {a:%s}:open:aaaaaa r1 nonsense",
		    "open:aaaaaa: entry of r1: expected \"HOLD EXPIRY COST WINDOW\", "
		    "found \"nonsense\"" },
		{ "HSET {a:%s}:account balance 850x",
		    "balance: expected 850, found \"850x\"" },
		{ "HSET {a:%s}:account held 3e1", "held: expected 30, found \"3e1\"" },
		{ "HSET {a:%s}:account balance 9007199254740992",
		    "balance: expected 850, found \"9007199254740992\"" },
		{ "HSET {a:%s}:account aaaaaa.spent:to\"tal 1", "to\"tal: expected" },
		{ "XDEL {a:%s}:ledger 1793707200000-2", "balance after it: expected" },
		{ "XADD {a:%s}:ledger * type charge req r key aaaaaa nano -1 balance 850",
		    "balance after it: expected 849, found 850" },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		char command[300];

		write_books();
		snprintf(command, sizeof command, "%.30s", rows[i].command);
		{ /* the account's name goes where %s stands */
			const char *at = strstr(rows[i].command, "%s");

			snprintf(command, sizeof command, "%.*s%s%s",
			    (int)(at - rows[i].command), rows[i].command, account,
			    at + 2);
		}
		redis_words("%s", command);
		CTL_STATUS(1, "ledger verify %s", account);
		CTL_SAID(rows[i].said, out);
		CTL_STATUS(1, "--json ledger verify");
		assert_string_equal(json_at("accounts"), "1");
		assert_string_equal(json_at("differences.0.account"), account);
		assert_true(json_at("differences.0.where")[0] != '\0');
		assert_true(json_at("differences.0.expected")[0] != '\0');
		assert_true(json_at("differences.0.found")[0] != '\0');
	}
}

static void
a_request_that_is_charged_twice_is_found(void **state)
{
	(void)state;
	write_books();
	charge(5, 5, "bbbbbb", 0, 850, "two", "-");
	CTL_STATUS(1, "ledger verify %s", account);
	CTL_SAID("rows before this one: expected 0, found 1", out);
	write_books();
	charge(5, 4, "bbbbbb", 0, 850, "two", "late");
	CTL_STATUS(1, "ledger verify %s", account);
	CTL_SAID("rows before this one: expected 2, found 3", out);
}

/* Unless its abandoned row may have been trimmed, a late one has one, and names what it
 * charged. */
static void
a_late_row_needs_its_abandoned_one(void **state)
{
	(void)state;
	write_books();
	charge(5, 6, "bbbbbb", 0, 850, "two", "late");
	CTL_STATUS(1, "ledger verify %s", account);
	CTL_SAID("rows before this one: expected 2, found 0", out);
	redis_words("HSET {a:%s}:opening until %lld-0 balance 0", account, noon(0));
	CTL_STATUS(0, "ledger verify %s", account);
	redis_words(
	    "XADD {a:%s}:ledger %lld-7 type abandoned req r8 key aaaaaa nano -0 "
	    "balance 850",
	    account, noon(5));
	redis_words("XADD {a:%s}:ledger %lld-8 type charge req r8 key aaaaaa nano -0 "
		    "balance 850 flags late was 1",
	    account, noon(5));
	CTL_STATUS(1, "ledger verify %s", account);
	CTL_SAID("request r8: charged when it was abandoned: expected 0, found 1", out);
}

static void
a_receipt_that_says_something_else_is_found(void **state)
{
	(void)state;
	write_books();
	redis_words("SET {a:%s}:receipt:req_%020u%s {\"charge_nano_usd\":10,\"x\":1}",
	    account, 1u, account);
	CTL_STATUS(0, "ledger verify %s --receipts", account);
	redis_words("SET {a:%s}:receipt:req_%020u%s {\"charge_nano_usd\":11,\"x\":1}",
	    account, 1u, account);
	CTL_STATUS(0, "ledger verify %s", account);
	CTL_STATUS(1, "ledger verify %s --receipts", account);
	CTL_SAID("charge on the receipt: expected 10, found 11", out);
}

static void
rows_come_as_a_table_csv_or_json_between_two_moments(void **state)
{
	(void)state;
	write_books();
	CTL_STATUS(0, "ledger %s --csv", account);
	assert_int_equal(strncmp(out, "time,type,usd,balance_usd,request", 33), 0);
	CTL_SAID("\n2026-11-01T12:00:00.000Z,credit,0.000001,0.000001,", out);
	CTL_STATUS(
	    0, "ledger %s --json --since 2026-11-03 --until 2026-11-04", account);
	assert_string_equal(json_at("0.balance_nano_usd"), "930");
	assert_string_equal(json_at("3.flags"), "late");
	assert_string_equal(json_at("4"), "");
	CTL_STATUS(0, "ledger %s --json --since 1793793600000-0", account);
	assert_string_equal(json_at("0.nano_usd"), "-15");
	assert_string_equal(json_at("0.web_searches"), "5");
	redis_words("HSET {a:%s}:account name x", account);
	CTL_STATUS(0, "account adjust %s 1 --reason one,~\"two\"", account);
	CTL_STATUS(0, "ledger %s --csv --since 2026-11-10", account);
	CTL_SAID(",\"one, \"\"two\"\"\",", out);
	CTL_STATUS(2, "ledger %s --csv --json", account);
}

static void
what_is_trimmed_stands_in_the_file_and_in_the_opening(void **state)
{
	struct stat st;
	char file[200], text[4000], used[1000];
	int fd;

	(void)state;
	write_books();
	CTL_STATUS(0, "usage %s --key bbbbbb", account);
	snprintf(used, sizeof used, "%s", out);
	CTL_STATUS(0, "--json provider usage");
	snprintf(text, sizeof text, "%s", out);
	snprintf(file, sizeof file, "%s", in_dir("export.jsonl"));
	CTL_STATUS(0, "ledger trim %s --before 2026-11-04 --export %s", account, file);
	CTL_SAID("6 rows in", out);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	CTL_STATUS(0, "ledger verify %s", account);
	CTL_SAID("1 rows, 0 differences", out);
	CTL_STATUS(0, "--json provider usage");
	assert_string_equal(out, text); /* nothing that was served is forgotten */
	CTL_STATUS(0, "usage %s --key bbbbbb", account);
	assert_string_equal(out, used); /* nor used */
	/* once more, further on; and never over a file that is there */
	CTL_STATUS(1, "ledger trim %s --before 2026-11-05 --export %s", account, file);
	CTL_SAID("File exists", err);
	unlink(file);
	CTL_STATUS(0, "ledger trim %s --before 2026-11-05 --export %s", account, file);
	CTL_STATUS(0, "ledger verify %s", account);
	CTL_SAID("0 rows, 0 differences", out);
	CTL_STATUS(0, "--json provider usage");
	assert_string_equal(out, text);
	fd = open(file, O_RDONLY);
	drain(fd, text, sizeof text);
	CTL_SAID("\"type\":\"charge\"", text);
	unlink(file);
	/* nothing to trim leaves no file; a row after it still adds up */
	CTL_STATUS(0, "ledger trim %s --before 2026-11-05 --export %s", account, file);
	assert_int_equal(stat(file, &st), -1);
	CTL_STATUS(0, "account adjust %s 1 --reason x", account);
	CTL_STATUS(0, "ledger verify %s", account);
	redis_words("HINCRBY {a:%s}:opening balance 1", account);
	CTL_STATUS(1, "ledger verify %s", account);
}

static int64_t
in_account(const char *command, const char *field)
{
	char line[200];

	snprintf(line, sizeof line, "%s {a:%s}:account %s", command, account, field);
	return ask(store, line).number;
}

/* Two fields for each key and day would fill the account for ever. What rows that stay
 * say of such a window stays; so does what is held in it, and windows near the edge. */
static void
trimming_forgets_windows_that_are_long_over(void **state)
{
	char file[200];

	(void)state;
	write_books();
	snprintf(file, sizeof file, "%s", in_dir("export.jsonl"));
	redis_words("HSET {a:%s}:account aaaaaa.held:2026-11-02 0 balance 843 "
		    "aaaaaa.spent:total 117 aaaaaa.spent:2026-11-03 107",
	    account);
	redis_words("XADD {a:%s}:ledger %lld-0 type charge req r9 key aaaaaa nano -7 "
		    "balance 843 window 2026-11-03",
	    account, noon(8));
	CTL_STATUS(0, "ledger verify %s", account);
	CTL_STATUS(0, "ledger trim %s --before 2026-11-07 --export %s", account, file);
	unlink(file);
	CTL_STATUS(0, "ledger verify %s", account);
	CTL_SAID("1 rows, 0 differences", out);
	assert_int_equal(in_account("HEXISTS", "aaaaaa.spent:2026-11-02"), 0);
	assert_int_equal(in_account("HEXISTS", "aaaaaa.held:2026-11-02"), 0);
	assert_int_equal(in_account("HGET", "aaaaaa.spent:2026-11-03"), 7);
	assert_int_equal(in_account("HEXISTS", "bbbbbb.spent:2026-11-03"), 0);
	assert_int_equal(in_account("HGET", "bbbbbb.spent:2026-11-04"), 15);
	assert_int_equal(in_account("HGET", "aaaaaa.spent:total"), 117);
	assert_int_equal(in_account("HGET", "aaaaaa.held:2026-11-05"), 20);
	CTL_STATUS(0, "ledger trim %s --before 2026-11-12 --export %s", account, file);
	unlink(file);
	CTL_STATUS(0, "ledger verify %s", account);
	CTL_SAID("0 rows, 0 differences", out);
	assert_int_equal(in_account("HEXISTS", "bbbbbb.spent:2026-11-04"), 0);
	assert_int_equal(in_account("HEXISTS", "aaaaaa.spent:2026-11-03"), 0);
}

/* Whatever date is asked for: the budget of a day or month that still runs must not
 * begin anew. */
static void
trimming_all_rows_keeps_the_windows_that_run(void **state)
{
	char file[200], today[DR_CLOCK_TEXT];

	(void)state;
	dr_clock_format(dr_clock_wall_ms(), today);
	today[10] = '\0';
	write_books();
	snprintf(file, sizeof file, "%s", in_dir("export.jsonl"));
	redis_words("HSET {a:%s}:account balance 843 aaaaaa.spent:total 117 "
		    "aaaaaa.spent:%s 5 aaaaaa.spent:%.7s 2",
	    account, today, today);
	redis_words("XADD {a:%s}:ledger * type charge req r8 key aaaaaa nano -5 "
		    "balance 845 window %s",
	    account, today);
	redis_words("XADD {a:%s}:ledger * type charge req r9 key aaaaaa nano -2 "
		    "balance 843 window %.7s",
	    account, today);
	CTL_STATUS(0, "ledger verify %s", account);
	CTL_STATUS(0, "ledger trim %s --before 2100-01-01 --export %s", account, file);
	unlink(file);
	CTL_STATUS(0, "ledger verify %s", account);
	CTL_SAID(" 0 rows, 0 differences", out);
	snprintf(file, sizeof file, "aaaaaa.spent:%s", today);
	assert_int_equal(in_account("HGET", file), 5);
	snprintf(file, sizeof file, "aaaaaa.spent:%.7s", today);
	assert_int_equal(in_account("HGET", file), 2);
}

/* More fields than any fixed number of words would hold. */
static void
an_opening_may_be_large(void **state)
{
	char file[200];

	(void)state;
	write_books();
	snprintf(file, sizeof file, "%s", in_dir("export.jsonl"));
	redis_words("EVAL for~i=1,60000~do~redis.call('HSET',KEYS[1],'served:p:'..i,i)~"
		    "end~return~1 1 {a:%s}:opening",
	    account);
	CTL_STATUS(0, "ledger trim %s --before 2026-11-04 --export %s", account, file);
	unlink(file);
	CTL_STATUS(0, "ledger verify %s", account);
	CTL_SAID(" 0 differences", out);
}

static void
what_a_provider_served_is_summed_by_day(void **state)
{
	(void)state;
	write_books();
	CTL_STATUS(0, "--json provider usage");
	assert_string_equal(json_at("0.provider"), "one");
	assert_string_equal(json_at("0.day"), "2026-11-02");
	assert_string_equal(json_at("0.requests"), "1");
	assert_string_equal(json_at("1.charged_nano_usd"), "60");
	assert_string_equal(json_at("2.provider"), "two");
	/* the late row's request, too: its abandoned row did not know who served it */
	assert_string_equal(json_at("2.requests"), "2");
	assert_string_equal(json_at("2.input_tokens"), "17");
	assert_string_equal(json_at("2.charged_nano_usd"), "45");
	/* an account's first day may come after another's last one */
	redis_words("XADD {a:%s}:ledger 1793600000000-0 type charge req x key aaaaaa "
		    "nano -1 balance 0 provider one",
	    new_account("0"));
	CTL_STATUS(0, "--json provider usage one");
	assert_string_equal(json_at("0.day"), "2026-11-02");
	assert_string_equal(json_at("0.requests"), "2");
	assert_string_equal(json_at("1.day"), "2026-11-03");
	redis_words("XADD {a:%s}:ledger 1793400000000-0 type charge req x key aaaaaa "
		    "nano -1 balance 0 provider one",
	    new_account("0"));
	CTL_STATUS(0, "provider usage --csv");
	CTL_SAID("provider,day,requests,input_tokens,", out);
	CTL_SAID("charged_usd\none,2026-10-30,1,0,", out);
	CTL_SAID("\none,2026-11-02,2,", out);
	CTL_STATUS(2, "provider usage --csv --json");
	CTL_STATUS(1, "provider usage thre");
	CTL_SAID("there is no provider \"thre\"", err);
	CTL_STATUS(
	    0, "--json provider usage two --since 2026-11-04 --until 2026-11-05");
	assert_string_equal(json_at("0.output_tokens"), "4");
	assert_string_equal(json_at("1"), "");
}

/* A row that names it counts by the list; a late one for all that it cost, together
 * with what the abandoned row had booked. */
static void
the_list_price_stands_beside_what_was_charged(void **state)
{
	(void)state;
	write_books();
	redis_words("XADD {a:%s}:ledger %lld-0 type charge req r7 key aaaaaa nano -12 "
		    "balance 838 provider one list 10 in 1",
	    account, noon(6));
	redis_words(
	    "XADD {a:%s}:ledger %lld-1 type abandoned req r8 key aaaaaa nano -5 "
	    "balance 833",
	    account, noon(6));
	redis_words("XADD {a:%s}:ledger %lld-2 type charge req r8 key aaaaaa nano -19 "
		    "balance 814 provider one flags late list 20 was 5 in 1",
	    account, noon(6));
	CTL_STATUS(0, "--json provider usage one --since 2026-11-06");
	assert_string_equal(json_at("0.requests"), "2");
	assert_string_equal(json_at("0.charged_nano_usd"), "36");
	assert_string_equal(json_at("0.list_nano_usd"), "30");
	assert_string_equal(json_at("0.list_usd"), "0.00000003");
	/* one that knew who served it counts itself, the late one for the rest */
	redis_words(
	    "XADD {a:%s}:ledger %lld-0 type abandoned req r9 key aaaaaa nano -5 "
	    "balance 809 provider one list 4",
	    account, noon(7));
	redis_words("XADD {a:%s}:ledger %lld-1 type charge req r9 key aaaaaa nano -19 "
		    "balance 790 provider one flags late list 20 was 5 waslist 4 in 1",
	    account, noon(8));
	CTL_STATUS(0, "--json provider usage one --since 2026-11-07");
	assert_string_equal(json_at("0.requests"), "1");
	assert_string_equal(json_at("0.charged_nano_usd"), "5");
	assert_string_equal(json_at("0.list_nano_usd"), "4");
	assert_string_equal(json_at("1.requests"), "0");
	assert_string_equal(json_at("1.charged_nano_usd"), "19");
	assert_string_equal(json_at("1.list_nano_usd"), "16");
	assert_string_equal(json_at("1.input_tokens"), "1");
	/* rows of an older version: as charged */
	CTL_STATUS(
	    0, "--json provider usage one --since 2026-11-03 --until 2026-11-04");
	assert_string_equal(json_at("0.list_nano_usd"), "60");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(books_that_add_up_have_no_difference),
		cmocka_unit_test(every_difference_is_found_and_named),
		cmocka_unit_test(a_request_that_is_charged_twice_is_found),
		cmocka_unit_test(a_late_row_needs_its_abandoned_one),
		cmocka_unit_test(a_receipt_that_says_something_else_is_found),
		cmocka_unit_test(rows_come_as_a_table_csv_or_json_between_two_moments),
		cmocka_unit_test(what_is_trimmed_stands_in_the_file_and_in_the_opening),
		cmocka_unit_test(trimming_forgets_windows_that_are_long_over),
		cmocka_unit_test(trimming_all_rows_keeps_the_windows_that_run),
		cmocka_unit_test(an_opening_may_be_large),
		cmocka_unit_test(what_a_provider_served_is_summed_by_day),
		cmocka_unit_test(the_list_price_stands_beside_what_was_charged),
	};

	return cmocka_run_group_tests(tests, ctl_setup, ctl_teardown);
}
