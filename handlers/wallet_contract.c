/*
 * wallet_contract - see the header. A node's answer is only believed in the exact form
 * of a yes: the selector of isValidSignature, padded to a word.
 */
#include "handlers/wallet_contract.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "ethereum/personal_sign.h"
#include "gateway/chain_rpc.h"

#define SELECTOR "1626ba7e" /* of isValidSignature(bytes32,bytes), and its yes */

/* The code of a contract (EIP-170: 24 KB, on some chains a few times that) as text, and
 * one word. It is read on the loop of the responders. */
#define MAX_ANSWER ((size_t)512 << 10)

/* What a signature of ERC-6492 ends with. */
#define ERC_6492_END "6492649264926492649264926492649264926492649264926492649264926492"

struct wallet_contract {
	unsigned magic;
#define WALLET_CONTRACT_MAGIC 0xc0417ac7
	struct dr_rpc *rpc;       /* owned */
	struct dr_config *config; /* a reference */
	char address[43];
	struct dr_strbuf call; /* the contract's call, as hexadecimal text */
	size_t asked;          /* nodes */
	void (*done)(void *arg, enum wallet_contract_result result, const char *why);
	void *arg;
};

/* ---- the question ---- */

static void
add_word(struct dr_strbuf *out, size_t n)
{
	dr_strbuf_addf(out, "%064zx", n);
}

/* isValidSignature(hash, signature): where the bytes begin, how many they are, the
 * bytes in whole words. */
static void
write_call(struct dr_strbuf *out, const struct wallet_contract_query *query)
{
	size_t digits = strlen(query->signature) - 2;
	uint8_t hash[DR_KECCAK_BYTES];
	char text[2 * DR_KECCAK_BYTES];

	dr_personal_sign_hash(query->message, query->len, hash);
	dr_hex_write(hash, sizeof hash, text);
	dr_strbuf_adds(out, "0x" SELECTOR);
	dr_strbuf_add(out, text, sizeof text);
	add_word(out, 64);
	add_word(out, digits / 2);
	dr_strbuf_adds(out, query->signature + 2);
	for (size_t n = digits; n % 64 != 0; n++)
		dr_strbuf_addc(out, '0');
	DR_ASSERT(!out->failed);
}

static const char *
form_of(const char *signature)
{
	size_t digits, end = strlen(ERC_6492_END);

	if (strncmp(signature, "0x", 2) != 0)
		return "no contract is asked without 0x";
	digits = strlen(signature + 2);
	if (digits == 0 || digits % 2 != 0 ||
	    digits > 2 * (size_t)WALLET_CONTRACT_MAX_SIGNATURE)
		return "the signature is of no length that a contract may take";
	if (strspn(signature + 2, "0123456789abcdefABCDEF") != digits)
		return "the signature is not hexadecimal";
	if (digits >= end && strcmp(signature + 2 + digits - end, ERC_6492_END) == 0)
		return "the wallet's contract is not deployed yet (ERC-6492)";
	return NULL;
}

/* ---- the answer ---- */

static bool
is_contract(struct json_object *code)
{
	const char *text = json_object_get_string(code);

	return json_object_is_type(code, json_type_string) && strlen(text) > 2 &&
	       strncmp(text, "0x", 2) == 0;
}

static bool
is_yes(struct json_object *result)
{
	static const char yes[] =
	    "0x" SELECTOR "00000000000000000000000000000000000000000000000000000000";

	return json_object_is_type(result, json_type_string) &&
	       strcmp(json_object_get_string(result), yes) == 0;
}

static void ask(struct wallet_contract *ask);

static void
on_answer(void *arg, const char *why)
{
	struct wallet_contract *a = arg;

	DR_CHECK(a, WALLET_CONTRACT_MAGIC);
	if (why == NULL && dr_rpc_error(a->rpc, 0) != NULL)
		why = "a node does not give the code of an address";
	if (why != NULL) { /* the node's trouble, not the wallet's */
		if (a->asked == dr_rpc_nodes(a->rpc)) {
			a->done(a->arg, WALLET_CONTRACT_UNKNOWN, why);
			return;
		}
		dr_rpc_rotate(a->rpc);
		ask(a);
	} else if (!is_contract(dr_rpc_result(a->rpc, 0))) {
		a->done(a->arg, WALLET_CONTRACT_INVALID, "the wallet is no contract");
	} else if (!is_yes(dr_rpc_result(a->rpc, 1))) {
		a->done(a->arg, WALLET_CONTRACT_INVALID,
		    "the wallet's contract does not know the signature (ERC-1271)");
	} else {
		a->done(a->arg, WALLET_CONTRACT_VALID, NULL);
	}
}

static void
ask(struct wallet_contract *a)
{
	a->asked++;
	dr_rpc_begin(a->rpc);
	(void)dr_rpc_call(a->rpc, "eth_getCode", "[\"%s\",\"latest\"]", a->address);
	(void)dr_rpc_call(a->rpc, "eth_call",
	    "[{\"to\":\"%s\",\"data\":\"%s\"},\"latest\"]", a->address, a->call.data);
	dr_rpc_send(a->rpc, a->config->settings, on_answer, a);
}

struct wallet_contract *
wallet_contract_ask(const struct wallet_contract_query *query,
    void (*done)(void *arg, enum wallet_contract_result result, const char *why),
    void *arg, char *why, size_t why_size)
{
	const struct dr_chain *chain =
	    dr_chains_find(query->config->chains, query->chain_id);
	const char *wrong = form_of(query->signature);
	struct wallet_contract *a;
	struct dr_rpc *rpc;

	if (wrong == NULL && chain == NULL)
		wrong = "no node of the wallet's chain is known";
	if (wrong != NULL) {
		snprintf(why, why_size, "%s", wrong);
		return NULL;
	}
	rpc = dr_rpc_new(query->loop, query->http, chain, why, why_size);
	if (rpc == NULL)
		return NULL;
	dr_rpc_cap(rpc, MAX_ANSWER);
	a = dr_calloc(1, sizeof *a);
	a->magic = WALLET_CONTRACT_MAGIC;
	a->rpc = rpc;
	a->config = dr_config_ref((struct dr_config *)query->config);
	snprintf(a->address, sizeof a->address, "%s", query->address);
	dr_strbuf_init(&a->call, 3 * WALLET_CONTRACT_MAX_SIGNATURE);
	write_call(&a->call, query);
	a->done = done;
	a->arg = arg;
	ask(a);
	return a;
}

void
wallet_contract_free(struct wallet_contract **ask_)
{
	struct wallet_contract *a = *ask_;

	if (a == NULL)
		return;
	DR_CHECK(a, WALLET_CONTRACT_MAGIC);
	*ask_ = NULL;
	dr_rpc_free(&a->rpc);
	dr_config_unref(&a->config);
	dr_strbuf_fini(&a->call);
	DR_FREE(a);
}
