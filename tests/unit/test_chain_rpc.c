/*
 * chain_rpc against a scripted node: the envelope of JSON-RPC, what is told when it is
 * wrong, time-outs, and that a node's address stays in no message.
 */
#include "http_client_fixture.h"

#include <json-c/json.h>

#include "gateway/chain_rpc.h"

#define PATH "/secret-of-the-node"

static struct dr_settings settings = {
	.connect_timeout = 5000, .chain_timeout = 5000, .ca_file = ""
};
static unsigned n_done;
static char told[512]; /* "" where all is well */

static void
on_done(void *arg, const char *why)
{
	(void)arg;
	n_done++;
	snprintf(told, sizeof told, "%s", why != NULL ? why : "");
}

/* A chain with n nodes, all of them the peer. */
static struct dr_rpc *
rpc_of(size_t n)
{
	static char urls[DR_CHAIN_MAX_RPC][128];
	static struct dr_chain chain;
	struct dr_rpc *rpc;
	char err[200];

	chain = (struct dr_chain){ .n_rpc = n };
	for (size_t i = 0; i < n; i++) {
		snprintf(urls[i], sizeof urls[i], "http://127.0.0.1:%u" PATH "-%zu",
		    peer.port, i);
		chain.rpc[i] = urls[i];
	}
	rpc = dr_rpc_new(loop, http, &chain, err, sizeof err);
	assert_non_null(rpc);
	return rpc;
}

static void
peer_answers(int status, const char *body)
{
	static char text[8192];

	snprintf(text, sizeof text, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s",
	    status, strlen(body), body);
	peer_says(text, strlen(text), KEEP);
}

static void
two_calls(struct dr_rpc *rpc)
{
	dr_rpc_begin(rpc);
	assert_int_equal(dr_rpc_call(rpc, "eth_chainId", "[]"), 0);
	assert_int_equal(
	    dr_rpc_call(rpc, "eth_getBlockByNumber", "[\"0x%x\",false]", 10u), 1);
	n_done = 0;
	dr_rpc_send(rpc, &settings, on_done, NULL);
	assert_int_equal(n_done, 0); /* never inside the call */
	turn_until(&n_done, 1);
	settle();
	assert_int_equal(n_done, 1);
	assert_null(strstr(told, PATH));
}

static void
a_batch_comes_back_in_any_order(void **state)
{
	struct dr_rpc *rpc = rpc_of(1);

	(void)state;
	peer_answers(200, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null},"
			  "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":\"0x7a69\"}]");
	two_calls(rpc);
	assert_string_equal(told, "");
	assert_string_equal(peer.last_body.data,
	    "[{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"eth_chainId\",\"params\":[]},"
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_getBlockByNumber\","
	    "\"params\":[\"0xa\",false]}]");
	assert_non_null(strstr(peer.last_head, "POST " PATH "-0 "));
	assert_string_equal(json_object_get_string(dr_rpc_result(rpc, 0)), "0x7a69");
	assert_null(dr_rpc_result(rpc, 1));
	assert_null(dr_rpc_error(rpc, 0));
	assert_null(dr_rpc_error(rpc, 1));
	dr_rpc_free(&rpc);
}

static void
a_call_that_fails_leaves_the_others_their_answers(void **state)
{
	struct dr_rpc *rpc = rpc_of(1);

	(void)state;
	peer_answers(200,
	    "[{\"id\":0,\"result\":\"0x1\"},{\"id\":1,\"error\":{\"code\":-32005,"
	    "\"message\":\"at most 5 blocks\"}}]");
	two_calls(rpc);
	assert_string_equal(told, "");
	assert_null(dr_rpc_error(rpc, 0));
	assert_string_equal(dr_rpc_error(rpc, 1), "at most 5 blocks");
	assert_null(dr_rpc_result(rpc, 1));
	dr_rpc_free(&rpc);
}

static void
what_is_no_answer_is_told(void **state)
{
	static const struct {
		int status;
		const char *body, *told;
	} rows[] = {
		{ 429, "{}", "HTTP 429" },
		{ 302, "[]", "HTTP 302" },
		{ 200, "", "the answer is empty" },
		{ 200, "nonsense", "not JSON" },
		{ 200, "[{\"id\":0,", "not JSON" },
		{ 200, "7", "no array" },
		{ 200, "\"0x1\"", "no array" },
		{ 200, "{\"error\":{\"message\":\"no batches\"}}",
		    "the batch was refused: no batches" },
		{ 200, "{\"error\":7}", "the batch was refused: an error without" },
		{ 200, "{}", "the batch was refused" },
		{ 200, "[]", "has no answer" },
		{ 200, "[{\"id\":0,\"result\":1}]", "has no answer" },
		{ 200, "[7,7]", "no object" },
		{ 200, "[{\"result\":1}]", "id: missing" },
		{ 200, "[{\"id\":\"0\",\"result\":1}]", "id: missing or no number" },
		{ 200, "[{\"id\":2,\"result\":1}]", "id: not one that was asked" },
		{ 200, "[{\"id\":-1,\"result\":1}]", "id: not one that was asked" },
		{ 200, "[{\"id\":0,\"result\":1},{\"id\":0,\"result\":1}]", "twice" },
		{ 200, "[{\"id\":0}]", "result: missing" },
	};
	struct dr_rpc *rpc = rpc_of(1);

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		peer_answers(rows[i].status, rows[i].body);
		two_calls(rpc);
		if (strstr(told, rows[i].told) == NULL)
			fail_msg(
			    "%s: want %s, told %s", rows[i].body, rows[i].told, told);
	}
	dr_rpc_free(&rpc);
}

static void
no_cut_of_an_answer_is_taken_for_whole(void **state)
{
	static const char whole[] =
	    "[{\"id\":0,\"result\":\"0x1\"},{\"id\":1,\"result\":{\"a\":[]}}]";
	struct dr_rpc *rpc = rpc_of(1);
	char cut[sizeof whole];

	(void)state;
	for (size_t n = 0; n < sizeof whole - 1; n++) {
		memcpy(cut, whole, n);
		cut[n] = '\0';
		peer_answers(200, cut);
		two_calls(rpc);
		assert_true(told[0] != '\0');
	}
	dr_rpc_free(&rpc);
}

static void
connections_that_fail_are_told_without_the_address(void **state)
{
	static const struct {
		const char *reply;
		enum after after;
		const char *told;
	} rows[] = { { "", RESET, "no connection|broke off" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n[", CLOSE,
		    "broke off" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n[", STALL,
		    "within chain_timeout" } };
	struct dr_rpc *rpc = rpc_of(1);

	(void)state;
	settings.chain_timeout = 300;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		peer_says(rows[i].reply, strlen(rows[i].reply), rows[i].after);
		two_calls(rpc);
		if (i == 0)
			assert_true(told[0] != '\0');
		else
			assert_non_null(strstr(told, rows[i].told));
	}
	settings.chain_timeout = 5000;
	dr_rpc_free(&rpc);
}

static void
an_answer_above_8_mb_is_refused(void **state)
{
	struct dr_rpc *rpc = rpc_of(1);

	(void)state;
	peer_says("HTTP/1.1 200 OK\r\n\r\n", 19, CLOSE);
	peer.fill = (9u << 20);
	two_calls(rpc);
	assert_non_null(strstr(told, "longer than 8388608 bytes"));
	dr_rpc_free(&rpc);
}

/* The node says more than may be, and then nothing more for ever. */
static void
what_is_too_long_is_not_waited_for(void **state)
{
	struct dr_rpc *rpc = rpc_of(1);

	(void)state;
	dr_rpc_cap(rpc, 1000);
	settings.chain_timeout = 3600000;
	peer_says("HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", 41, STALL);
	peer.fill = 2000;
	two_calls(rpc);
	assert_non_null(strstr(told, "longer than 1000 bytes"));
	settings.chain_timeout = 5000;
	peer_answers(200, "[{\"id\":0,\"result\":1},{\"id\":1,\"result\":1}]");
	two_calls(rpc);
	assert_string_equal(told, "");
	dr_rpc_free(&rpc);
}

static void
nodes_take_turns_when_told(void **state)
{
	struct dr_rpc *rpc = rpc_of(3);

	(void)state;
	assert_int_equal(dr_rpc_nodes(rpc), 3);
	peer_answers(200, "[{\"id\":0,\"result\":1},{\"id\":1,\"result\":1}]");
	for (size_t i = 0; i < 4; i++) {
		char path[64];

		two_calls(rpc);
		snprintf(path, sizeof path, PATH "-%zu ", i % 3);
		assert_non_null(strstr(peer.last_head, path));
		dr_rpc_rotate(rpc);
	}
	dr_rpc_use(rpc, 2);
	assert_int_equal(dr_rpc_node(rpc), 2);
	dr_rpc_free(&rpc);
}

static void
what_is_freed_is_not_called_back(void **state)
{
	struct dr_rpc *rpc = rpc_of(1);

	(void)state;
	peer_says("", 0, STALL);
	dr_rpc_begin(rpc);
	dr_rpc_call(rpc, "eth_chainId", "[]");
	n_done = 0;
	dr_rpc_send(rpc, &settings, on_done, NULL);
	settle();
	dr_rpc_free(&rpc);
	assert_null(rpc);
	settle();
	assert_int_equal(n_done, 0);
	dr_rpc_free(&rpc);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_batch_comes_back_in_any_order),
		TEST(a_call_that_fails_leaves_the_others_their_answers),
		TEST(what_is_no_answer_is_told),
		TEST(no_cut_of_an_answer_is_taken_for_whole),
		TEST(connections_that_fail_are_told_without_the_address),
		TEST(an_answer_above_8_mb_is_refused),
		TEST(what_is_too_long_is_not_waited_for),
		TEST(nodes_take_turns_when_told),
		TEST(what_is_freed_is_not_called_back),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
