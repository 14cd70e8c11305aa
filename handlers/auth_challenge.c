/*
 * auth_challenge - POST /api/auth/challenge: the message that a wallet signs to log in,
 * or, with "purpose": "link" and a session, to become one more wallet of the account.
 *
 * The gateway composes it, since wallets write addresses in lower case where the
 * message wants their checksum. Domain and URI come from public_url, never from what
 * the client calls us.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ethereum/siwe.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "handlers/api_json.h"
#include "handlers/handlers.h"
#include "handlers/wallet_proof.h"
#include "handlers/wallet_text.h"

#define MAX_ANSWER 8192
#define NONCE_LEN  24 /* of 36 letters: 124 bits */

struct challenge {
	struct dr_siwe_terms terms;
	char nonce[NONCE_LEN + 1];
	char statement[96];
	char address[DR_ADDRESS_TEXT]; /* lower case */
	bool link;
	char message[DR_SIWE_MAX_TEXT];
};

/* ---- what is asked for ---- */

static const struct dr_api_field fields[] = { { "address", DR_API_TEXT, true, false },
	{ "chainId", DR_API_WHOLE, true, false },
	{ "purpose", DR_API_TEXT, false, false }, { NULL, 0, false, false } };

static bool
read_address(struct dr_request *req, const char *text, struct challenge *challenge)
{
	if (!dr_address_parse(text, strlen(text), challenge->terms.address)) {
		dr_request_fail(req, DR_ERR_BAD_FIELD,
		    "address: want 0x and forty hexadecimal digits");
		return false;
	}
	for (size_t i = 0; i < DR_ADDRESS_CHARS; i++)
		challenge->address[i] =
		    (char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] - 'A' + 'a'
							    : text[i]);
	return true;
}

static bool
read_chain(struct dr_request *req, int64_t id, struct challenge *challenge)
{
	int64_t ids[WALLET_PROOF_MOST_CHAINS];
	size_t n = wallet_proof_chains(req->config, ids);
	char text[160];

	for (size_t i = 0; i < n; i++)
		if (ids[i] == id) {
			challenge->terms.chain_id = id;
			return true;
		}
	snprintf(text, sizeof text,
	    "chainId: %lld is no chain of this gateway (GET /api/config lists them)",
	    (long long)id);
	dr_request_fail(req, DR_ERR_BAD_FIELD, text);
	return false;
}

/* False: the request has failed. */
static bool
read_body(struct dr_request *req, struct challenge *challenge)
{
	struct json_object *body = dr_api_body(req, fields);
	const char *purpose;
	bool good;

	if (body == NULL)
		return false;
	purpose = dr_api_text(body, "purpose");
	challenge->link = purpose != NULL && strcmp(purpose, "link") == 0;
	good = purpose == NULL || challenge->link || strcmp(purpose, "login") == 0;
	if (!good)
		dr_request_fail(
		    req, DR_ERR_BAD_FIELD, "purpose: must be login or link");
	good = good && read_address(req, dr_api_text(body, "address"), challenge) &&
	       read_chain(req, dr_api_whole(body, "chainId", 0), challenge);
	json_object_put(body);
	return good;
}

/* ---- the message ---- */

static bool
compose(struct dr_request *req, struct challenge *challenge)
{
	struct dr_siwe_terms *terms = &challenge->terms;

	if (challenge->link)
		snprintf(challenge->statement, sizeof challenge->statement,
		    "Add this wallet to the DeRouter account %s.", req->key.account);
	else
		snprintf(challenge->statement, sizeof challenge->statement,
		    WALLET_LOGIN_STATEMENT);
	dr_random_id(challenge->nonce, NONCE_LEN);
	terms->domain = wallet_proof_domain(req->config);
	terms->uri = req->config->settings->public_url;
	terms->statement = challenge->statement;
	terms->nonce = challenge->nonce;
	terms->issued_ms = wallet_proof_now(req);
	terms->expires_ms = terms->issued_ms + req->config->settings->nonce_time;
	return dr_siwe_compose(terms, challenge->message) == DR_SIWE_OK;
}

/* ---- the steps ---- */

static void
answer_message(struct dr_request *req, const struct challenge *challenge)
{
	struct dr_strbuf out;

	dr_strbuf_init(&out, MAX_ANSWER);
	dr_strbuf_addc(&out, '{');
	dr_api_add_text(&out, "message", challenge->message);
	dr_api_add_text(&out, "nonce", challenge->nonce);
	dr_api_add_time(&out, "expires", challenge->terms.expires_ms);
	dr_strbuf_addc(&out, '}');
	wallet_proof_remember(req, challenge->nonce, challenge->address,
	    challenge->terms.chain_id, challenge->link, challenge->message, &out);
}

static void
on_counted(struct dr_request *req)
{
	struct challenge challenge = { .link = false };

	if (!read_body(req, &challenge))
		return;
	if (challenge.link && req->session == NULL)
		dr_request_go(req, dr_session_gate(req)); /* and then once more here */
	else if (compose(req, &challenge))
		answer_message(req, &challenge);
	else
		dr_request_fail(req, DR_ERR_INTERNAL);
}

static void
answer(struct dr_request *req)
{
	if (req->session != NULL)
		on_counted(req);
	else
		wallet_proof_begin(req, on_counted);
}

const struct dr_handler dr_handler_auth_challenge = {
	.method = "POST",
	.path = "/api/auth/challenge",
	.kind = DR_HANDLER_LOCAL,
	.answer = answer,
};
