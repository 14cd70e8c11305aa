/*
 * Settlements that are sent again: those that another version of this program has left
 * on disk, and those that a Redis which took over does not have.
 */
#include "admission_fixture.h"

#include <fcntl.h>

#include "gateway/spool_record.h"

static struct attempt attempt; /* of the test that runs */

static void
admit(int64_t estimate)
{
	struct dr_admit_query query = usual();

	query.estimate_nano = estimate;
	assert_int_equal(reserve(&attempt, &query), DR_OK);
}

/* A field of the ledger's newest row. */
#define NEWEST(field)                                                                  \
	"local row = redis.call('XREVRANGE', '" KEY(                                   \
	    "ledger") "', '+', '-', 'COUNT', 1)[1][2]\n"                               \
		      "for i = 1, #row, 2 do if row[i] == '" field                     \
		      "' then return row[i + 1] end end"

static void
check_newest(const char *list, const char *nano)
{
	static struct dr_script list_script = SCRIPT("newest_list", NEWEST("list"));
	static struct dr_script nano_script = SCRIPT("newest_nano", NEWEST("nano"));

	assert_string_equal(run(store, &list_script).text, list);
	assert_string_equal(run(store, &nano_script).text, nano);
}

/* ---- a version before ---- */

/* As the program wrote it that did not know the price without markup. */
struct packed_before {
	uint32_t version;
	uint32_t lens[25];
	int64_t charge_nano;
	char account[DR_ACCOUNT_LEN + 1];
	char request_id[DR_REQUEST_ID_SIZE];
};

static void
pack_before(const char *id, const char *charge, const char *life, int64_t age_ms,
    struct dr_strbuf *out)
{
	const char *const words[25] = { KEY("account"), KEY("open:x7y8z9"), "",
		KEY("ledger"), KEY("requests"), KEY("recent:x7y8z9"), "x7y8z9", id,
		charge, "total", "{\"id\":\"req\"", life, "", "m1", "p1", "2026-10-01",
		"812", "0", "0", "0", "344", "0", "", "200", "" };
	struct packed_before head;
	char receipt[DR_SCHEMA_KEY_SIZE];
	struct dr_strbuf payload;

	memset(&head, 0, sizeof head);
	head.version = UINT32_C(1) << 16 | 25;
	head.charge_nano = strtoll(charge, NULL, 10);
	snprintf(head.account, sizeof head.account, "%s", ACCOUNT);
	snprintf(head.request_id, sizeof head.request_id, "%s", id);
	dr_schema_key(receipt, ACCOUNT, "receipt", id);
	for (size_t i = 0; i < 25; i++)
		head.lens[i] = (uint32_t)strlen(i == 2 ? receipt : words[i]);
	dr_strbuf_init(&payload, DR_SPOOL_MAX_PAYLOAD);
	dr_strbuf_add(&payload, &head, sizeof head);
	for (size_t i = 0; i < 25; i++)
		dr_strbuf_adds(&payload, i == 2 ? receipt : words[i]);
	dr_spool_record_add(
	    out, dr_clock_wall_ms() - age_ms, payload.data, payload.len);
	dr_strbuf_fini(&payload);
}

/* A process that died has left this. */
static void
leave(struct dr_strbuf *bytes, char path[128])
{
	int fd;

	snprintf(path, 128, "%s/spool/1-before.spool", redis.dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes->data, bytes->len), bytes->len);
	close(fd);
	dr_strbuf_fini(bytes);
}

/* The process was replaced by a newer one while Redis was away. */
static void
a_record_of_the_version_before_is_booked(void **state)
{
	struct dr_strbuf bytes;
	char path[128];

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	admit(100);
	dr_strbuf_init(&bytes, 1 << 20);
	pack_before(the_id, "40", "600000", 0, &bytes);
	leave(&bytes, path);
	TURN_UNTIL(account_number("balance") == 960);
	TURN_UNTIL(access(path, F_OK) != 0);
	assert_int_equal(account_number("running"), 0);
	check_newest("40", "-40"); /* the list price is taken to be the charge */
	settle(&attempt, 40);      /* once, whoever tells it */
	assert_int_equal(account_number("balance"), 960);
	audit();
}

/*
 * It may have been booked before, and what would say so is gone by then: that depends
 * on how long its own receipt lives, whatever trace_ttl is by now. What is not booked
 * is told with its request and amount.
 */
static void
a_record_is_booked_for_as_long_as_its_own_receipt_lives(void **state)
{
	static const struct {
		const char *id, *life;
		int64_t age_ms;
	} records[] = { { "req_oldoldoldoldoldoldol" ACCOUNT, "3600000", 1900000 },
		{ "req_youngyoungyoungyoung" ACCOUNT, "3600000", 1700000 },
		{ "req_longlonglonglonglong" ACCOUNT, "259200000", 170000000 },
		{ "req_ancientancientancien" ACCOUNT, "259200000", 180000000 } };
	struct dr_strbuf bytes;
	char path[128], aside[160];

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	log_forget();
	dr_strbuf_init(&bytes, 1 << 20);
	for (size_t i = 0; i < DR_N_ELEMENTS(records); i++)
		pack_before(
		    records[i].id, "40", records[i].life, records[i].age_ms, &bytes);
	leave(&bytes, path);
	TURN_UNTIL(access(path, F_OK) != 0);
	assert_int_equal(account_number("balance"), 920);
	for (size_t i = 0; i < DR_N_ELEMENTS(records); i++) {
		char said[200];

		snprintf(said, sizeof said,
		    "settlement of %s not booked, charge 40 nano-USD: it waited for too long",
		    records[i].id);
		assert_int_equal(logged(said), i == 0 || i == 3);
	}
	snprintf(aside, sizeof aside, "%s.damaged", path);
	assert_int_equal(unlink(aside), 0);
}

static void
the_price_without_markup_is_kept_on_the_way(void **state)
{
	struct dr_settlement settlement = costs(45);

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	admit(100);
	settlement.list_nano = 40;
	begin_settle(&attempt, &settlement);
	TURN_UNTIL(dr_admission_unsettled(admission) == 0);
	check_newest("40", "-45");
	audit();
}

/* So that whoever sums up the late rows of a provider counts all that it was paid. */
static void
a_late_row_names_what_the_abandoned_one_has_charged(void **state)
{
	static struct dr_script was_script = SCRIPT("newest_was", NEWEST("was"));
	struct dr_admit_query query;
	struct attempt other;
	char id[DR_REQUEST_ID_SIZE];

	(void)state;
	open_account(500);
	add_key("x7y8z9", "");
	admit(500);
	snprintf(id, sizeof id, "%s", the_id);
	checkpoint("x7y8z9", id, 100);
	query = usual();
	query.clock_offset_ms = 31000;
	query.sweep_after_ms = 0;
	assert_int_equal(reserve(&other, &query), DR_OK); /* and sweeps the first */
	drop(&other);
	settle(&attempt, 140);
	check_newest("0", "-40");
	assert_string_equal(run(store, &was_script).text, "100");
	audit();
}

/* Redis will not book it: it stays on disk until somebody has repaired the account. */
static void
a_settlement_that_redis_refuses_can_be_booked_after_a_repair(void **state)
{
	char command[200];

	(void)state;
	open_account(1000);
	add_key("x7y8z9", "");
	admit(100);
	redis_do("HSET " KEY("account") " held ten");
	log_forget();
	settle(&attempt, 40);
	TURN_UNTIL(logged("not booked, charge 40 nano-USD: the script failed") == 1);
	TURN_UNTIL(logged("kept for what was not replayed") == 1);
	assert_int_equal(account_number("balance"), 1000);
	redis_do("HSET " KEY("account") " held 100");
	snprintf(command, sizeof command,
	    "cd %s/spool && mv *.damaged 1-repaired.spool", redis.dir);
	assert_int_equal(system(command), 0);
	TURN_UNTIL(account_number("balance") == 960);
	TURN_UNTIL(logged("1-repaired.spool: 1 settlements replayed, 0 refused") == 1);
	assert_int_equal(account_number("running"), 0);
	audit();
}

static void
check_row(const char *position, const char *field, const char *want)
{
	static struct dr_script script = SCRIPT("row_field",
	    "local row = redis.call('XRANGE', KEYS[1], '-', '+')[tonumber(ARGV[1])][2]\n"
	    "for i = 1, #row, 2 do if row[i] == ARGV[2] then return row[i + 1] end end");
	struct dr_script_args args;
	struct answer answer;

	answer_init(&answer, false);
	dr_args_begin(&args, ACCOUNT);
	dr_args_key(&args, DR_SCHEMA_LEDGER, NULL);
	dr_args_text(&args, position);
	dr_args_text(&args, field);
	dr_args_eval(&args, store, &script, &answer.call);
	dr_store_wait(store, &answer.call);
	assert_string_equal(answer.text, want);
}

/*
 * What a process that died had told: its charge is explained by model, price and usage
 * so far, and counts for the provider; the late settlement then counts for the rest.
 */
static void
an_abandoned_charge_says_what_it_is_made_of(void **state)
{
	struct dr_settlement settlement = costs(140);
	struct dr_admit_query query = usual();
	struct attempt other;
	char id[DR_REQUEST_ID_SIZE], name[DR_SCHEMA_KEY_SIZE];
	const char *receipt;

	(void)state;
	open_account(500);
	add_key("x7y8z9", "");
	query.lease_ms = 300;
	query.estimate_nano = 500;
	assert_int_equal(reserve(&attempt, &query), DR_OK);
	snprintf(id, sizeof id, "%s", the_id);
	attempt.ticket.cost_so_far_nano = 100;
	attempt.ticket.so_far = (struct dr_so_far){ .list_nano = 90,
		.usage = { .input = 7, .cache_read = 3, .output = 9 },
		.model = "model one",
		.provider = "p1",
		.price_date = "2026-10-01" };
	snprintf(name, sizeof name, "HGET " KEY("open:x7y8z9") " %s", id);
	TURN_UNTIL(strstr(ask(store, name).text, " 100 total 90 7 0 0 3 9 0 2026-10-01 "
						 "p1 model one") != NULL);
	query = usual();
	query.clock_offset_ms = 31000;
	query.sweep_after_ms = 0;
	assert_int_equal(reserve(&other, &query), DR_OK); /* and sweeps the first */
	check_row("1", "type", "abandoned");
	check_row("1", "nano", "-100");
	check_row("1", "list", "90");
	check_row("1", "model", "model one");
	check_row("1", "provider", "p1");
	check_row("1", "price", "2026-10-01");
	receipt = redis_do("GET " KEY("receipt:%s"), id).text;
	assert_non_null(strstr(receipt,
	    "\"status\":0,\"error\":\"ABANDONED\",\"model_served\":\"model one\","));
	assert_non_null(strstr(receipt, "\"usage\":{\"input\":7,"));
	assert_non_null(strstr(receipt, "\"output\":9,"));
	drop(&other);
	settlement.list_nano = 126;
	begin_settle(&attempt, &settlement);
	TURN_UNTIL(dr_admission_unsettled(admission) == 0);
	check_row("2", "nano", "-40");
	check_row("2", "was", "100");
	check_row("2", "waslist", "90");
	check_row("2", "list", "126");
	assert_int_equal(account_number("balance"), 360);
	audit();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_of_the_version_before_is_booked),
		cmocka_unit_test(
		    a_record_is_booked_for_as_long_as_its_own_receipt_lives),
		cmocka_unit_test(the_price_without_markup_is_kept_on_the_way),
		cmocka_unit_test(a_late_row_names_what_the_abandoned_one_has_charged),
		cmocka_unit_test(
		    a_settlement_that_redis_refuses_can_be_booked_after_a_repair),
		cmocka_unit_test(an_abandoned_charge_says_what_it_is_made_of),
	};

	return cmocka_run_group_tests(tests, admission_setup, admission_teardown);
}
