/*
 * What follows from a node's answers: confirmations, re-organisations, ranges, and
 * whether a deposit is still there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "base/dr_assert.h"
#include "operator/chain_scan.h"

#define HASH(c)  "0x000000000000000000000000000000000000000000000000000000000000000" c
#define USDC     "0x036cbd53842c5426634e7929541ec2318f3dcf7e"
#define TREASURY "0x00000000000000000000000000000000c0ffee01"

static void
what_counts_as_confirmed(void **state)
{
	static const struct {
		enum dr_chain_policy policy;
		int64_t above, nano, block;
		bool confirmed;
	} rows[] = { { DR_CHAIN_BLOCKS, 0, 1, 98, true },
		{ DR_CHAIN_BLOCKS, 0, 1, 99, false },
		{ DR_CHAIN_BLOCKS, 10, 10, 98, true },
		{ DR_CHAIN_BLOCKS, 10, 11, 98, false },
		{ DR_CHAIN_BLOCKS, 10, 11, 80, true },
		{ DR_CHAIN_SAFE, 0, 1, 90, true }, { DR_CHAIN_SAFE, 0, 1, 91, false },
		{ DR_CHAIN_FINALIZED, 0, 1, 80, true },
		{ DR_CHAIN_FINALIZED, 0, 1, 81, false } };
	const struct dr_scan_heads heads = { 100, 90, 80 }, unknown = { 100, -1, -1 };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_chain chain = { .policy = rows[i].policy,
			.confirmations = 3,
			.finalized_above = rows[i].above };

		assert_int_equal(
		    dr_scan_confirmed(&chain, rows[i].nano, rows[i].block, &heads),
		    rows[i].confirmed);
		if (rows[i].policy != DR_CHAIN_BLOCKS)
			assert_false(dr_scan_confirmed(
			    &chain, rows[i].nano, rows[i].block, &unknown));
	}
}

static void
a_fork_is_told_from_a_node_that_is_behind(void **state)
{
	static const struct dr_scan_block points[] = { { 30, HASH("3") },
		{ 20, HASH("2") }, { 10, HASH("1") } };
	static const struct {
		char hashes[3][DR_ETH_HASH_TEXT];
		size_t at;
		bool behind;
	} rows[] = { { { HASH("3"), HASH("2"), HASH("1") }, 0, false },
		{ { HASH("a"), HASH("2"), HASH("1") }, 1, false },
		{ { HASH("a"), HASH("b"), HASH("1") }, 2, false },
		{ { HASH("a"), HASH("b"), HASH("c") }, 3, false },
		{ { "", HASH("2"), HASH("1") }, 1, true }, { { "", "", "" }, 3, true },
		{ { "", HASH("b"), HASH("1") }, 2, false } };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		size_t at;
		const char *why = dr_scan_ancestor(points, rows[i].hashes, 3, &at);

		assert_int_equal(why != NULL, rows[i].behind);
		assert_int_equal(at, rows[i].at);
	}
}

static void
ranges_halve_down_to_one_and_grow_up_to_the_most(void **state)
{
	int64_t span = 2000;

	(void)state;
	for (int i = 0; i < 20; i++)
		span = dr_scan_halve(span);
	assert_int_equal(span, 1);
	for (int i = 0; i < 60; i++) {
		assert_true(dr_scan_grow(span, 2000) > span || span == 2000);
		span = dr_scan_grow(span, 2000);
	}
	assert_int_equal(span, 2000);
}

static void
amounts_are_exact_or_too_large(void **state)
{
	struct dr_erc20_transfer t = { .units = 9007199254740, .fits = true };

	(void)state;
	assert_true(dr_scan_nano(&t) == 9007199254740000);
	t.units++;
	assert_true(dr_scan_nano(&t) == -1);
	t = (struct dr_erc20_transfer){ .units = 1, .fits = false };
	assert_true(dr_scan_nano(&t) == -1);
}

/* A receipt with one transfer at position 0. */
static struct json_object *
receipt(const char *status, const char *block_hash, const char *units)
{
	char text[2048];

	snprintf(text, sizeof text,
	    "{\"transactionHash\":\"" HASH(
		"f") "\",\"blockHash\":\"%s\","
		     "\"blockNumber\":\"0x5\",\"status\":\"%s\",\"logs\":[{"
		     "\"transactionHash\":\"" HASH(
			 "f") "\",\"blockHash\":\"%s\","
			      "\"blockNumber\":\"0x5\",\"logIndex\":\"0x7\",\"address\":\"" USDC
			      "\","
			      "\"topics\":[\"" DR_ERC20_TRANSFER "\",\"" HASH(
				  "a") "\","
				       "\"0x000000000000000000000000"
				       "00000000000000000000000000000000c0ffee01\"],"
				       "\"data\":\"%s\"}]}",
	    block_hash, status, block_hash, units);
	return json_tokener_parse(text);
}

static void
a_deposit_is_there_moved_or_gone(void **state)
{
	static const struct {
		const char *status, *hash, *units, *canonical;
		size_t position;
		int verdict; /* -1: an error of the node */
	} rows[] = {
		{ "0x1", HASH("5"), HASH("9"), HASH("5"), 0, DR_SCAN_THERE },
		{ "0x1", HASH("6"), HASH("9"), HASH("6"), 0, DR_SCAN_MOVED },
		{ "0x0", HASH("5"), HASH("9"), HASH("5"), 0, DR_SCAN_GONE },
		{ "0x1", HASH("5"), HASH("8"), HASH("5"), 0, DR_SCAN_GONE },
		{ "0x1", HASH("5"), HASH("9"), HASH("5"), 1, DR_SCAN_GONE },
		{ "0x1", HASH("5"), HASH("9"), HASH("6"), 0, -1 },
		{ "1", HASH("5"), HASH("9"), HASH("5"), 0, -1 },
	};
	const struct dr_chain chain = { .usdc = USDC, .treasury = TREASURY };
	struct dr_scan_log seen = { .tx = HASH("f"),
		.block = { 5, HASH("5") },
		.transfer = { .from = "0x000000000000000000000000000000000000000a",
		    .units = 9,
		    .fits = true } },
			   now;
	enum dr_scan_verdict verdict;

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct json_object *r =
		    receipt(rows[i].status, rows[i].hash, rows[i].units);
		struct json_object *block = json_object_new_object();
		const char *why;

		assert_non_null(r);
		json_object_object_add(block, "number", json_object_new_string("0x5"));
		json_object_object_add(
		    block, "hash", json_object_new_string(rows[i].canonical));
		why = dr_scan_review(
		    r, block, &chain, &seen, rows[i].position, &verdict, &now);
		assert_int_equal(why != NULL, rows[i].verdict < 0);
		if (why == NULL)
			assert_int_equal(verdict, rows[i].verdict);
		json_object_put(r);
		json_object_put(block);
	}
	assert_null(dr_scan_review(NULL, NULL, &chain, &seen, 0, &verdict, &now));
	assert_int_equal(verdict, DR_SCAN_GONE);
}

static void
a_log_is_found_in_its_receipt_or_refused(void **state)
{
	static const struct {
		const char *status, *hash, *units;
		int64_t log_index;
		const char *why; /* NULL: found */
	} rows[] = {
		{ "0x1", HASH("5"), HASH("9"), 7, NULL },
		{ "0x0", HASH("5"), HASH("9"), 7, "status says that it failed" },
		{ "0x2", HASH("5"), HASH("9"), 7, "status says that it failed" },
		{ "1", HASH("5"), HASH("9"), 7, "receipt: status" },
		{ "0x1", HASH("6"), HASH("9"), 7, "blockHash is not the log's" },
		{ "0x1", HASH("5"), HASH("8"), 7, "another transfer" },
		{ "0x1", HASH("5"), HASH("9"), 0, "not among them" },
	};
	const struct dr_chain chain = { .usdc = USDC, .treasury = TREASURY };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct json_object *r =
		    receipt(rows[i].status, rows[i].hash, rows[i].units);
		struct dr_scan_log log = { .tx = HASH("f"),
			.block = { 5, HASH("5") },
			.log_index = rows[i].log_index,
			.transfer = {
			    .from = "0x000000000000000000000000000000000000000a",
			    .units = 9,
			    .fits = true } };
		size_t position = 99;
		const char *why = dr_scan_position(r, &chain, &log, &position);

		assert_int_equal(why != NULL, rows[i].why != NULL);
		if (why != NULL)
			assert_non_null(strstr(why, rows[i].why));
		else
			assert_int_equal(position, 0); /* not the log index */
		json_object_put(r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_counts_as_confirmed),
		cmocka_unit_test(a_fork_is_told_from_a_node_that_is_behind),
		cmocka_unit_test(ranges_halve_down_to_one_and_grow_up_to_the_most),
		cmocka_unit_test(amounts_are_exact_or_too_large),
		cmocka_unit_test(a_deposit_is_there_moved_or_gone),
		cmocka_unit_test(a_log_is_found_in_its_receipt_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
