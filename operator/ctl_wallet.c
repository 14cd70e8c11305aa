/*
 * ctl_wallet - wallet list | link | unlink: which addresses are an account's own.
 *
 * `wallet:{ADDRESS}` names the account, once and for all until it is taken away;
 * `{a:ACCT}:wallets` lists the account's. They live on two slots: the first is written
 * first and decides, the second can always be written again. Who links a wallet here
 * vouches for its owner: nobody has signed anything. A wallet that is a contract is one
 * on a chain: --chain names it, and its contract's signature is taken there alone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#ifdef DR_WITH_WALLET
#include "ethereum/address.h"
#endif
#include "ethereum/erc20.h"
#include "gateway/schema.h"
#include "operator/ctl.h"
#include "operator/ctl_session.h"
#include "scripts/scripts.h"

/* Letters of both cases are a checksum: one that is wrong tells of a slip of the hand.
 */
static bool
is_misspelt(const char *text)
{
#ifdef DR_WITH_WALLET
	return strpbrk(text, "ABCDEF") != NULL && strpbrk(text, "abcdef") != NULL &&
	       !dr_address_is_checksummed(text, strlen(text));
#else
	(void)text;
	return false;
#endif
}

/* In lower case, as Redis has it. False: said so. */
static bool
read_address(const char *text, char address[DR_ETH_ADDRESS_TEXT])
{
	if (dr_eth_address(text, address) && is_misspelt(text)) {
		ctl_fail(CTL_USAGE,
		    "ADDRESS: \"%s\": the case of its letters is not that of its checksum: "
		    "is it misspelt?",
		    text);
		return false;
	}
	if (dr_eth_address(text, address))
		return true;
	ctl_fail(
	    CTL_USAGE, "ADDRESS: \"%s\" is not 0x and 40 hexadecimal digits", text);
	return false;
}

static void
wallet_key(const char *address, char out[CTL_KEY_SIZE])
{
	snprintf(out, CTL_KEY_SIZE, "wallet:{%s}", address);
}

/* As people know it. */
static void
add_address(struct ctl_table *table, const char *lower)
{
#ifdef DR_WITH_WALLET
	uint8_t bytes[DR_ADDRESS_BYTES];
	char text[DR_ADDRESS_TEXT];

	if (dr_address_parse(lower, strlen(lower), bytes)) {
		dr_address_print(bytes, text);
		ctl_table_cell(table, text);
		return;
	}
#endif
	ctl_table_cell(table, lower);
}

static const char *const columns[] = { "address", "linked", "#linked_ms", NULL };

static int
wallet_list(struct ctl *ctl, int argc, char **argv)
{
	const char *account;
	char key[CTL_KEY_SIZE], when[DR_CLOCK_TEXT];
	struct ctl_table *table;
	struct ctl_reply all;
	size_t n;

	if (!ctl_options(argc, argv, NULL, &account, 1, 1, &n, "wallet list ACCOUNT"))
		return CTL_USAGE;
	if (!ctl_account_exists(ctl, account))
		return CTL_FAILED;
	ctl_account_key(account, DR_SCHEMA_WALLETS, key);
	if (!ctl_command(ctl, &all, (const char *[]){ "HGETALL", key, NULL }))
		return CTL_FAILED;
	table = ctl_table_new(columns);
	for (size_t i = 0; i + 1 < all.n; i += 2) {
		int64_t ms = strtoll(all.items[i + 1].text, NULL, 10);

		dr_clock_format_s(ms, when);
		add_address(table, all.items[i].text);
		ctl_table_cell(table, when);
		ctl_table_number(table, ms);
	}
	ctl_reply_free(&all);
	ctl_table_print(ctl, &table, false);
	return CTL_OK;
}

/* ---- link ---- */

/* The watcher lets the wallet claim what came from it: it is told to look soon. Gives
 * how many deposits wait for that; -1: said what is wrong. */
static int64_t
call_watcher(struct ctl *ctl, const char *address)
{
	const struct dr_chains *chains = ctl->config->chains;
	char now[24];
	int64_t n = 0;

	snprintf(now, sizeof now, "%" PRId64, dr_clock_wall_ms());
	for (size_t i = 0; i < chains->n; i++) {
		char unclaimed[CTL_KEY_SIZE], state[CTL_KEY_SIZE];
		struct ctl_reply reply;
		int64_t here;

		snprintf(unclaimed, sizeof unclaimed, "{dep:%" PRId64 "}:unclaimed:%s",
		    chains->all[i].id, address);
		snprintf(
		    state, sizeof state, "{dep:%" PRId64 "}:state", chains->all[i].id);
		if (!ctl_command(
			ctl, &reply, (const char *[]){ "SCARD", unclaimed, NULL }))
			return -1;
		here = reply.number;
		ctl_reply_free(&reply);
		if (here > 0 &&
		    !ctl_command(ctl, &reply,
			(const char *[]){ "HSET", state, "notify", now, NULL }))
			return -1;
		if (here > 0)
			ctl_reply_free(&reply);
		n += here;
	}
	return n;
}

/* wallet:{ADDRESS}, if it is nobody's or this account's already. */
static int
take_address(
    struct ctl *ctl, const char *account, const char *address, const char *chain)
{
	char key[CTL_KEY_SIZE];
	struct ctl_reply reply;
	int status = CTL_OK;

	wallet_key(address, key);
	if (!ctl_command(ctl, &reply,
		(const char *[]){ "SET", key, account, "NX", "GET", NULL }))
		return CTL_FAILED;
	if (reply.text[0] != '\0' && strcmp(reply.text, account) != 0)
		status = ctl_fail(CTL_FAILED,
		    "ADDRESS: %s is the wallet of account %s (`wallet unlink` takes it away)",
		    address, reply.text);
	ctl_reply_free(&reply);
	if (status != CTL_OK || chain == NULL)
		return status;
	if (!ctl_script(ctl, &reply, key, &dr_script_wallet_take, 1,
		(const char *[]){ key, account, chain, "1", NULL }))
		return CTL_FAILED;
	ctl_reply_free(&reply);
	return CTL_OK;
}

/* False: said so. */
static bool
is_chain(const struct ctl *ctl, const char *text)
{
	int64_t id = 0;

	if (text == NULL)
		return true;
	if (!ctl_number("--chain", text, 1, INT64_MAX, &id))
		return false;
	if (dr_chains_find(ctl->config->chains, id) != NULL)
		return true;
	ctl_fail(CTL_USAGE, "--chain: %s is no chain of chains_file", text);
	return false;
}

static int
wallet_link(struct ctl *ctl, int argc, char **argv)
{
	const char *words[2], *chain = NULL;
	struct ctl_option options[] = { { "--chain", &chain, 1, 0 },
		{ NULL, NULL, 0, 0 } };
	char address[DR_ETH_ADDRESS_TEXT], key[CTL_KEY_SIZE], now[24];
	struct ctl_reply reply;
	int64_t waiting;
	size_t n;

	if (!ctl_options(argc, argv, options, words, 2, 2, &n,
		"wallet link ACCOUNT ADDRESS [--chain ID]") ||
	    !read_address(words[1], address) || !is_chain(ctl, chain))
		return CTL_USAGE;
	if (!ctl_account_exists(ctl, words[0]) ||
	    take_address(ctl, words[0], address, chain) != CTL_OK)
		return CTL_FAILED;
	ctl_account_key(words[0], DR_SCHEMA_WALLETS, key);
	snprintf(now, sizeof now, "%" PRId64, dr_clock_wall_ms());
	if (!ctl_command(
		ctl, &reply, (const char *[]){ "HSETNX", key, address, now, NULL }))
		return CTL_FAILED;
	ctl_reply_free(&reply);
	waiting = call_watcher(ctl, address);
	if (waiting < 0)
		return CTL_FAILED;
	if (ctl->json)
		printf("{\"account\":\"%s\",\"address\":\"%s\",\"unclaimed\":%" PRId64
		       "}\n",
		    words[0], address, waiting);
	else if (waiting == 0)
		printf("%s is a wallet of account %s\n", address, words[0]);
	else
		printf("%s is a wallet of account %s; deposits that came from it "
		       "before: %" PRId64 ", the watcher credits them\n",
		    address, words[0], waiting);
	return CTL_OK;
}

/* ---- unlink ---- */

/* Both keys; *was: one of them said that the wallet is the account's. */
static bool
let_go(struct ctl *ctl, const char *account, const char *address, bool *was)
{
	char key[CTL_KEY_SIZE];
	struct ctl_reply reply;

	wallet_key(address, key);
	if (!ctl_script(ctl, &reply, key, &dr_script_wallet_unlink, 1,
		(const char *[]){ key, account, NULL }))
		return false;
	*was = reply.number == 1;
	ctl_reply_free(&reply);
	ctl_account_key(account, DR_SCHEMA_WALLETS, key);
	if (!ctl_command(ctl, &reply, (const char *[]){ "HDEL", key, address, NULL }))
		return false;
	*was = *was || reply.number == 1;
	ctl_reply_free(&reply);
	return true;
}

static int
wallet_unlink(struct ctl *ctl, int argc, char **argv)
{
	const char *words[2];
	char address[DR_ETH_ADDRESS_TEXT];
	int64_t ended;
	bool was;
	size_t n;

	if (!ctl_options(
		argc, argv, NULL, words, 2, 2, &n, "wallet unlink ACCOUNT ADDRESS") ||
	    !read_address(words[1], address))
		return CTL_USAGE;
	if (!ctl_account_exists(ctl, words[0]) || !let_go(ctl, words[0], address, &was))
		return CTL_FAILED;
	if (!was)
		return ctl_fail(CTL_FAILED, "ADDRESS: %s is no wallet of account %s",
		    address, words[0]);
	/* who holds it must not stay logged in with it */
	ended = ctl_sessions_end(ctl, words[0], NULL, address);
	if (ended < 0)
		return CTL_FAILED;
	if (ctl->json)
		printf(
		    "{\"account\":\"%s\",\"address\":\"%s\",\"sessions_ended\":%" PRId64
		    "}\n",
		    words[0], address, ended);
	else
		printf(
		    "%s is no wallet of account %s any more; sessions ended: %" PRId64
		    "\n",
		    address, words[0], ended);
	return CTL_OK;
}

const struct ctl_verb ctl_wallet_verbs[] = {
	{ "wallet", "list", "ACCOUNT", true, wallet_list },
	{ "wallet", "link", "ACCOUNT ADDRESS [--chain ID]", true, wallet_link },
	{ "wallet", "unlink", "ACCOUNT ADDRESS", true, wallet_unlink },
	{ NULL, NULL, NULL, false, NULL },
};
