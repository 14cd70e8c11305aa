/*
 * Rules of config/chains: chains.json is read strictly, every mistake is told with its
 * place, and a node's address is read only when it is asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/chains.h"
#include "config_fixture.h"

#define USDC        "0x036CbD53842c5426634e7929541eC2318f3dCF7e"
#define TREASURY    "0x00000000000000000000000000000000C0FFEE01"
#define RPC         "\"rpc\":[\"https://node.example/key\"]"
#define WHERE       "\"usdc\":\"" USDC "\",\"treasury\":\"" TREASURY "\""
#define SURE        "\"confirmations\":10"
#define FROM        "\"start_block\":5,\"min_deposit\":\"0.1\""
#define CHAINS(...) "{\"chains\":[" __VA_ARGS__ "]}"
#define CHAIN(...)  "{\"id\":8453,\"name\":\"Base\"," __VA_ARGS__ "}"
#define WHOLE       CHAIN(RPC "," WHERE "," SURE "," FROM)

static struct dr_chains *
load(const char *json)
{
	dr_strbuf_clear(&mistakes);
	return dr_chains_load(
	    config_write("models.json", json, strlen(json)), note_mistake, NULL);
}

static void
a_chain_is_read_as_it_stands(void **state)
{
	struct dr_chains *chains = load(CHAINS(CHAIN(RPC
	    "," WHERE "," SURE "," FROM ",\"finalized_above\":\"10000\","
	    "\"explorer\":\"https://x.example/tx/\"") ","
						      "{\"id\":1,\"name\":\"Off\",\"enabled\":false,\"rpc\":[\"env:X\","
						      "\"file:/x\"],\"usdc\":\"" USDC
						      "\",\"treasury\":\"comes later\",\"policy\":\"finalized\"," FROM
						      "}"));
	const struct dr_chain *chain;

	(void)state;
	assert_string_equal(mistakes.data, "");
	assert_non_null(chains);
	assert_int_equal(chains->n, 2);
	chain = dr_chains_find(chains, 8453);
	assert_ptr_equal(chain, &chains->all[0]);
	assert_string_equal(chain->name, "Base");
	assert_string_equal(chain->usdc, "0x036cbd53842c5426634e7929541ec2318f3dcf7e");
	assert_string_equal(
	    chain->treasury, "0x00000000000000000000000000000000c0ffee01");
	assert_int_equal(chain->policy, DR_CHAIN_BLOCKS);
	assert_int_equal(chain->confirmations, 10);
	assert_int_equal(chain->start_block, 5);
	assert_int_equal(chain->min_deposit, 100000000);
	assert_true(chain->finalized_above == INT64_C(10000000000000));
	assert_string_equal(chain->explorer, "https://x.example/tx/");
	assert_null(dr_chains_find(chains, 1)); /* not enabled */
	assert_int_equal(chains->all[1].policy, DR_CHAIN_FINALIZED);
	assert_int_equal(chains->all[1].n_rpc, 2);
	dr_chains_free(&chains);
	assert_null(chains);
	dr_chains_free(&chains);
}

static void
no_file_is_no_chains(void **state)
{
	struct dr_chains *chains = dr_chains_load("", note_mistake, NULL);

	(void)state;
	assert_non_null(chains);
	assert_int_equal(chains->n, 0);
	assert_null(dr_chains_find(chains, 1));
	dr_chains_free(&chains);
	dr_strbuf_clear(&mistakes);
	assert_null(dr_chains_load("/nowhere/chains.json", note_mistake, NULL));
	assert_non_null(strstr(mistakes.data, "/nowhere/chains.json"));
}

static void
every_mistake_is_told_with_its_place(void **state)
{
	static const struct {
		const char *json, *told;
	} rows[] = {
		{ "", "models.json: empty document" },
		{ "{\"chains\":[", "models.json: " },
		{ "[]", "must be an object" },
		{ "{}", "chains is missing" },
		{ "{\"chains\":{}}", "chains: must be a list" },
		{ "{\"chians\":[],\"chains\":[]}", "chians: unknown field" },
		{ CHAINS("7"), "chains[0]: must be an object" },
		{ CHAINS("{}"), "chains[0]: id is missing" },
		{ CHAINS(CHAIN(RPC "," WHERE "," SURE "," FROM ",\"speed\":1")),
		    "speed: unknown field" },
		{ CHAINS(CHAIN(RPC "," WHERE "," SURE "," FROM ",\"id\":8453")),
		    "stands twice" },
		{ CHAINS(WHOLE "," WHOLE), "chains[1].id: is chains[0]'s too" },
		{ CHAINS(
		      "{\"id\":0,\"name\":\"B\"," RPC "," WHERE "," SURE "," FROM "}"),
		    "chains[0].id:" },
		{ CHAINS(
		      "{\"id\":1,\"name\":\"\"," RPC "," WHERE "," SURE "," FROM "}"),
		    "name: must" },
		{ CHAINS("{\"id\":1,\"name\":\"a name that is longer than a table "
			 "takes\"," RPC "," WHERE "," SURE "," FROM "}"),
		    "name: must have 1 to 32 bytes" },
		{ CHAINS(CHAIN("\"enabled\":1," RPC "," WHERE "," SURE "," FROM)),
		    "enabled: must be true or false" },
		{ CHAINS(CHAIN("\"rpc\":[]," WHERE "," SURE "," FROM)),
		    "rpc: must name 1 to 8 nodes" },
		{ CHAINS(CHAIN("\"rpc\":[7]," WHERE "," SURE "," FROM)), "rpc[0]" },
		{ CHAINS(CHAIN(
		      "\"rpc\":[\"http://node.example\"]," WHERE "," SURE "," FROM)),
		    "rpc[0]: must begin with https://" },
		{ CHAINS(CHAIN("\"rpc\":[\"http://localhost.example\"]," WHERE "," SURE
			       "," FROM)),
		    "rpc[0]: must begin with https://" },
		{ CHAINS(CHAIN("\"rpc\":[\"https://a b\"]," WHERE "," SURE "," FROM)),
		    "blanks" },
		{ CHAINS(CHAIN(RPC ",\"usdc\":\"" USDC "00\",\"treasury\":\"" TREASURY
				   "\"," SURE "," FROM)),
		    "usdc: must be an address" },
		{ CHAINS(CHAIN(RPC ",\"usdc\":\"" USDC "\"," SURE "," FROM)),
		    "treasury is missing" },
		{ CHAINS(CHAIN(RPC
		      ",\"usdc\":\"" USDC "\",\"treasury\":"
		      "\"0x0000000000000000000000000000000000000000\"," SURE "," FROM)),
		    "treasury: must not be the zero address" },
		{ CHAINS(CHAIN(RPC "," WHERE "," FROM)), "confirmations is missing" },
		{ CHAINS(CHAIN(RPC "," WHERE ",\"confirmations\":0," FROM)),
		    "confirmations:" },
		{ CHAINS(CHAIN(RPC "," WHERE ",\"policy\":\"soon\"," SURE "," FROM)),
		    "policy: must be \"confirmations\", \"safe\" or \"finalized\"" },
		{ CHAINS(CHAIN(RPC "," WHERE ",\"policy\":\"safe\"," SURE "," FROM)),
		    "confirmations: has no meaning with this policy" },
		{ CHAINS(CHAIN(RPC "," WHERE "," SURE ",\"min_deposit\":\"0.1\"")),
		    "start_block is missing" },
		{ CHAINS(CHAIN(RPC "," WHERE "," SURE
				   ",\"start_block\":-1,\"min_deposit\":\"0.1\"")),
		    "start_block:" },
		{ CHAINS(CHAIN(
		      RPC "," WHERE "," SURE ",\"start_block\":1,\"min_deposit\":0.1")),
		    "min_deposit: must be a decimal in quotes" },
		{ CHAINS(CHAIN(
		      RPC "," WHERE "," SURE "," FROM ",\"finalized_above\":\"0\"")),
		    "finalized_above:" },
		{ CHAINS(CHAIN(RPC "," WHERE "," SURE "," FROM
				   ",\"explorer\":\"http://x.example\"")),
		    "explorer: must begin with https://" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dr_chains *chains = load(rows[i].json);

		if (chains != NULL || strstr(mistakes.data, rows[i].told) == NULL)
			fail_msg("%s\nwant %s\ntold %s", rows[i].json, rows[i].told,
			    mistakes.data);
	}
}

static void
all_mistakes_are_told_at_once(void **state)
{
	(void)state;
	assert_null(load(CHAINS(
	    CHAIN("\"rpc\":[7],\"usdc\":\"x\",\"policy\":\"y\"," FROM ",\"z\":1"))));
	assert_true(n_mistakes() >= 5);
	for (size_t i = 0; i < 4; i++)
		assert_non_null(strstr(mistakes.data,
		    ((const char *[]){ "rpc[0]", "usdc", "policy", "z" })[i]));
	/* an address of a node may hold a key */
	assert_null(load(CHAINS(
	    CHAIN("\"rpc\":[\"ftp://secret-of-a-node\"]," WHERE "," SURE "," FROM))));
	assert_null(strstr(mistakes.data, "secret-of-a-node"));
}

static void
no_cut_of_a_file_is_taken_for_whole(void **state)
{
	char text[] = CHAINS(WHOLE);
	const size_t n = strlen(text);

	(void)state;
	for (size_t cut = 0; cut < n; cut++) {
		char kept = text[cut];
		struct dr_chains *chains;

		text[cut] = '\0';
		chains = load(text);
		text[cut] = kept;
		if (chains != NULL)
			fail_msg("taken for whole with %zu bytes of %zu", cut, n);
	}
}

static void
a_nodes_address_comes_from_where_the_file_points(void **state)
{
	static const struct {
		const char *text, *wrong; /* wrong NULL: fine */
	} rows[] = { { "https://node.example/k", NULL },
		{ "http://127.0.0.1:8545", NULL }, { "http://[::1]:8545", NULL },
		{ "http://localhost/", NULL }, { "http://node.example", "https://" },
		{ "http://127.0.0.1.example", "https://" }, { "", "https://" },
		{ "https://", "https://" } };
	struct dr_chains *chains = load(
	    CHAINS(CHAIN("\"rpc\":[\"env:DR_TEST_NODE\",\"file:/nowhere/x\"]," WHERE
			 "," SURE "," FROM)));
	char err[200];

	(void)state;
	assert_non_null(chains);
	unsetenv("DR_TEST_NODE");
	assert_null(dr_chain_url(&chains->all[0], 0, err, sizeof err));
	assert_non_null(strstr(err, "DR_TEST_NODE"));
	assert_null(dr_chain_url(&chains->all[0], 1, err, sizeof err));
	assert_non_null(strstr(err, "/nowhere/x"));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *url;

		setenv("DR_TEST_NODE", rows[i].text, 1);
		url = dr_chain_url(&chains->all[0], 0, err, sizeof err);
		if (rows[i].wrong == NULL) {
			assert_string_equal(url, rows[i].text);
		} else {
			assert_null(url);
			assert_non_null(strstr(err, rows[i].wrong));
			if (strlen(rows[i].text) > 8)
				assert_null(strstr(err, rows[i].text));
		}
		free(url);
	}
	unsetenv("DR_TEST_NODE");
	dr_chains_free(&chains);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chain_is_read_as_it_stands),
		cmocka_unit_test(no_file_is_no_chains),
		cmocka_unit_test(every_mistake_is_told_with_its_place),
		cmocka_unit_test(all_mistakes_are_told_at_once),
		cmocka_unit_test(no_cut_of_a_file_is_taken_for_whole),
		cmocka_unit_test(a_nodes_address_comes_from_where_the_file_points),
	};

	return cmocka_run_group_tests(tests, config_setup, config_teardown);
}
