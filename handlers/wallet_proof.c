/*
 * wallet_proof - see the header. The order: count the try, read the message, take its
 * record out, hold the message against the record and the signature against the
 * message.
 */
#include "handlers/wallet_proof.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "ethereum/personal_sign.h"
#include "ethereum/siwe.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "handlers/api_json.h"
#include "handlers/wallet_contract.h"

#define ETHEREUM   1
#define AHEAD_MS   60000 /* the clocks of two machines */
#define MAX_WHY    200
#define QUESTIONS  20 /* to the chains' nodes: so many times the tries of one client */
#define NEIGHBOURS 10 /* so many times, all networks of one IPv6 site */
#define SITE_SIZE  (INET6_ADDRSTRLEN + 4)

struct proof {
	struct dr_store_call call;
	struct dr_request *req;
	void (*go_on)(struct dr_request *);
	char client[INET6_ADDRSTRLEN]; /* who is counted */
	void (*proved)(struct dr_request *, const char *wallet, int64_t chain_id);
	bool link;
	char *message, *signature; /* owned */
	size_t len;
	struct dr_siwe siwe; /* parts of `message` */
	enum dr_signature said;
	char nonce[DR_SIWE_MAX_NONCE + 1];
	char address[DR_ADDRESS_TEXT];    /* lower case */
	struct wallet_contract *contract; /* owned */
	struct dr_strbuf answer;          /* owned */
};

/* ---- what holds for all ---- */

size_t
wallet_proof_chains(
    const struct dr_config *config, int64_t ids[WALLET_PROOF_MOST_CHAINS])
{
	size_t n = 0;

	for (size_t i = 0; i < config->chains->n && n < WALLET_PROOF_MOST_CHAINS; i++)
		if (config->chains->all[i].enabled)
			ids[n++] = config->chains->all[i].id;
	if (n == 0)
		ids[n++] = ETHEREUM;
	return n;
}

const char *
wallet_proof_domain(const struct dr_config *config)
{
	const char *host = strstr(config->settings->public_url, "://");

	return host != NULL ? host + 3 : "";
}

int64_t
wallet_proof_now(const struct dr_request *req)
{
	return dr_clock_wall_ms() + dr_settings_clock_offset(req->config->settings);
}

static void
cancel(void *local)
{
	struct proof *proof = local;

	dr_store_cancel(&proof->call);
	wallet_contract_free(&proof->contract);
	free(proof->message);
	free(proof->signature);
	dr_strbuf_fini(&proof->answer);
	proof->message = proof->signature = NULL;
}

/* The last question is answered: nothing of it is left when `done` runs. */
static void
end(struct dr_request *req)
{
	struct proof *proof = req->local;

	cancel(proof);
	req->local = NULL;
	req->cancel_local = NULL;
	free(proof);
}

static struct proof *
begin(struct dr_request *req)
{
	struct proof *proof = dr_calloc(1, sizeof *proof);

	DR_ASSERT(req->local == NULL);
	proof->req = req;
	req->local = proof;
	req->cancel_local = cancel;
	return proof;
}

static struct proof *
proof_of(struct dr_store_call *call)
{
	return DR_CONTAINER_OF(call, struct proof, call);
}

static void
refuse(struct proof *proof, const char *why)
{
	struct dr_request *req = proof->req;

	dr_log_info(request, "%s %s refused: %s", req->id,
	    proof->link ? "wallet" : "login", why);
	dr_request_fail(req, DR_ERR_BAD_SESSION);
}

/* ---- may this client try? ---- */

/* Whoever has an IPv6 address has 2^64 of them, and a site of 65,536 such networks
 * costs nothing: `site` is that, or "". An IPv4 one that a server writes as
 * ::ffff:192.0.2.1, since it listens for both, is one. */
static void
client_of(
    const struct dr_request *req, char out[INET6_ADDRSTRLEN], char site[SITE_SIZE])
{
	const char *address = dr_fcgi_param(req->edge, "REMOTE_ADDR");
	char text[INET6_ADDRSTRLEN];
	struct in6_addr six;

	site[0] = '\0';
	if (address == NULL)
		address = "";
	if (inet_pton(AF_INET6, address, &six) != 1) {
		snprintf(out, INET6_ADDRSTRLEN, "%.40s", address);
	} else if (IN6_IS_ADDR_V4MAPPED(&six)) {
		(void)inet_ntop(AF_INET, six.s6_addr + 12, out, INET6_ADDRSTRLEN);
	} else {
		memset(six.s6_addr + 8, 0, 8);
		(void)inet_ntop(AF_INET6, &six, out, INET6_ADDRSTRLEN);
		memset(six.s6_addr + 6, 0, 2);
		(void)inet_ntop(AF_INET6, &six, text, sizeof text);
		snprintf(site, SITE_SIZE, "%s/48", text);
	}
}

/* False: the request has failed. `times` the limit of one client. */
static bool
may_go_on(
    struct dr_request *req, enum dr_error err, const struct dr_reply *reply, int times)
{
	int64_t wait_ms = dr_reply_int(reply, 0);

	if (err == DR_OK && wait_ms == 0)
		return true;
	if (err != DR_OK) {
		dr_request_fail(req, err);
		return false;
	}
	req->retry_after_ms = wait_ms;
	dr_request_fail(req, DR_ERR_LOGIN_TOO_OFTEN,
	    (long long)times * req->config->settings->login_rpm);
	return false;
}

static void
on_counted(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_request *req = proof_of(call)->req;
	void (*go_on)(struct dr_request *) = proof_of(call)->go_on;

	if (may_go_on(req, err, reply, 1)) {
		end(req);
		go_on(req);
	}
}

static void
count_client(struct proof *proof)
{
	proof->call = (struct dr_store_call){ .done = on_counted };
	dr_login_try(proof->req->gw->store, proof->client,
	    proof->req->config->settings->login_rpm, &proof->call);
}

static void
on_site_counted(
    struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	if (may_go_on(proof_of(call)->req, err, reply, NEIGHBOURS))
		count_client(proof_of(call));
}

void
wallet_proof_begin(struct dr_request *req, void (*done)(struct dr_request *req))
{
	const char *origin = dr_fcgi_param(req->edge, "HTTP_ORIGIN");
	char site[SITE_SIZE];
	struct dr_api_query query;
	struct proof *proof;

	if (!dr_api_query(req, NULL, &query))
		return;
	if (req->config->settings->public_url[0] == '\0') {
		dr_request_fail(req, DR_ERR_LOGIN_OFF);
		return;
	}
	/* else another page could log its visitors in to an account of its own */
	if (origin != NULL && origin[0] != '\0' && !dr_session_gate_same_origin(req)) {
		dr_request_fail(req, DR_ERR_BAD_ORIGIN);
		return;
	}
	proof = begin(req);
	proof->go_on = done;
	client_of(req, proof->client, site);
	if (site[0] == '\0') {
		count_client(proof);
		return;
	}
	proof->call.done = on_site_counted;
	dr_login_try(req->gw->store, site,
	    NEIGHBOURS * req->config->settings->login_rpm, &proof->call);
}

/* ---- the record ---- */

static void
write_record(const struct dr_request *req, const char *address, int64_t chain_id,
    bool link, const char *message, char *out, size_t out_size)
{
	char sha[DR_SHA256_HEX];

	dr_sha256_hex(message, strlen(message), sha);
	snprintf(out, out_size, "%s %s %s %" PRId64 " %s", link ? "link" : "login",
	    link ? req->key.account : "-", address, chain_id, sha);
}

static void
on_remembered(
    struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct proof *proof = proof_of(call);

	(void)reply;
	if (err != DR_OK)
		dr_request_fail(proof->req, err);
	else
		dr_api_reply(proof->req, &proof->answer);
}

void
wallet_proof_remember(struct dr_request *req, const char *nonce, const char *address,
    int64_t chain_id, bool link, const char *message, struct dr_strbuf *answer)
{
	struct proof *proof = begin(req);
	char key[DR_SIWE_MAX_NONCE + 16], record[256], life[24];
	const char *words[] = { "SET", key, record, "PX", life };
	struct dr_arg argv[DR_N_ELEMENTS(words)];

	snprintf(key, sizeof key, "siwe:{%s}", nonce);
	snprintf(
	    life, sizeof life, "%lld", (long long)req->config->settings->nonce_time);
	write_record(req, address, chain_id, link, message, record, sizeof record);
	for (size_t i = 0; i < DR_N_ELEMENTS(words); i++)
		argv[i] = (struct dr_arg){ words[i], strlen(words[i]) };
	proof->answer = *answer;
	proof->call.done = on_remembered;
	dr_store_command(req->gw->store, key, argv, DR_N_ELEMENTS(words), &proof->call);
}

/* ---- verifying ---- */

/* chain_id 0: its own key has signed. */
static void
accept_it(struct proof *proof, int64_t chain_id)
{
	struct dr_request *req = proof->req;
	void (*proved)(struct dr_request *, const char *, int64_t) = proof->proved;
	char wallet[DR_ADDRESS_TEXT];

	memcpy(wallet, proof->address, sizeof wallet);
	end(req);
	proved(req, wallet, chain_id);
}

/* Neither its own key's signature nor, as it seems, a contract's. */
static void
refuse_both(struct proof *proof, const char *contract)
{
	char why[2 * MAX_WHY];

	snprintf(why, sizeof why, "%s; %s", dr_signature_text(proof->said), contract);
	refuse(proof, why);
}

static void
on_contract(void *arg, enum wallet_contract_result result, const char *why)
{
	struct proof *proof = arg;

	switch (result) {
	case WALLET_CONTRACT_VALID:
		accept_it(proof, proof->siwe.chain_id);
		break;
	case WALLET_CONTRACT_INVALID:
		refuse_both(proof, why);
		break;
	case WALLET_CONTRACT_UNKNOWN:
		dr_log_warn(request, "%s login: chain %" PRId64 ": %s", proof->req->id,
		    proof->siwe.chain_id, why);
		dr_request_fail(proof->req, DR_ERR_CHAIN_DOWN);
		break;
	}
}

/* Not signed with the wallet's own key: it may be a contract. */
static void
ask_contract(struct proof *proof)
{
	struct dr_request *req = proof->req;
	char why[MAX_WHY];
	const struct wallet_contract_query query = { .loop = req->gw->loop,
		.http = req->gw->http,
		.config = req->config,
		.chain_id = proof->siwe.chain_id,
		.address = proof->address,
		.message = proof->message,
		.len = proof->len,
		.signature = proof->signature };

	proof->contract =
	    wallet_contract_ask(&query, on_contract, proof, why, sizeof why);
	if (proof->contract == NULL)
		refuse_both(proof, why);
}

static void
on_question_counted(
    struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct proof *proof = proof_of(call);

	if (may_go_on(proof->req, err, reply, QUESTIONS))
		ask_contract(proof);
}

/*
 * Any signature that is wrong asks a node, and whoever has many addresses many times:
 * so all clients together have a limit. Else the node's own would be used up, and
 * deposits, which need it too, would wait.
 */
static void
may_be_contract(struct proof *proof)
{
	const struct dr_request *req = proof->req;

	/* what no wallet makes is no contract's either: the curve's own mistakes */
	if (proof->said == DR_SIGNATURE_HIGH_S) {
		refuse(proof, dr_signature_text(proof->said));
		return;
	}
	proof->call.done = on_question_counted;
	dr_login_try(req->gw->store, "contracts",
	    QUESTIONS * req->config->settings->login_rpm, &proof->call);
}

/* NULL: the message is the one that was composed, and still good. */
static const char *
judge(const struct proof *proof, const char *record)
{
	const struct dr_request *req = proof->req;
	int64_t chains[WALLET_PROOF_MOST_CHAINS];
	const struct dr_siwe_expected expected = {
		.domain = wallet_proof_domain(req->config),
		.uri = req->config->settings->public_url,
		.chains = chains,
		.n_chains = wallet_proof_chains(req->config, chains),
		.nonce = proof->nonce,
		.now_ms = wallet_proof_now(req),
		.max_age_ms = req->config->settings->nonce_time,
		.ahead_ms = AHEAD_MS,
	};
	enum dr_siwe_result said = dr_siwe_check(&proof->siwe, &expected);
	char wanted[256];

	if (record[0] == '\0')
		return "the nonce is unknown, used or too old";
	if (said != DR_SIWE_OK)
		return dr_siwe_text(said);
	write_record(req, proof->address, proof->siwe.chain_id, proof->link,
	    proof->message, wanted, sizeof wanted);
	return strcmp(record, wanted) == 0
		   ? NULL
		   : "the message is not the one that was made for this";
}

static void
on_taken(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct proof *proof = proof_of(call);
	const char *wrong;

	if (err != DR_OK) {
		dr_request_fail(proof->req, err);
		return;
	}
	wrong = judge(proof, dr_reply_string(reply, NULL));
	if (wrong != NULL) {
		refuse(proof, wrong);
		return;
	}
	proof->said = dr_personal_sign_check(
	    proof->message, proof->len, proof->signature, proof->siwe.signer);
	if (proof->said == DR_SIGNATURE_OK)
		accept_it(proof, 0);
	else
		may_be_contract(proof);
}

static void
take_record(struct proof *proof)
{
	char key[DR_SIWE_MAX_NONCE + 16];
	struct dr_arg argv[2] = { { "GETDEL", 6 }, { key, 0 } };

	argv[1].len = (size_t)snprintf(key, sizeof key, "siwe:{%s}", proof->nonce);
	proof->call.done = on_taken;
	dr_store_command(proof->req->gw->store, key, argv, 2, &proof->call);
}

void
wallet_proof_verify(struct dr_request *req, bool link,
    void (*done)(struct dr_request *req, const char *wallet, int64_t chain_id))
{
	static const struct dr_api_field fields[] = { { "message", DR_API_TEXT, true,
							  false },
		{ "signature", DR_API_TEXT, true, false }, { NULL, 0, false, false } };
	struct json_object *body = dr_api_body(req, fields);
	enum dr_siwe_result said;
	struct proof *proof;

	if (body == NULL)
		return;
	proof = begin(req);
	proof->link = link;
	proof->proved = done;
	proof->message = dr_strdup(dr_api_text(body, "message"));
	proof->signature = dr_strdup(dr_api_text(body, "signature"));
	proof->len = strlen(proof->message);
	json_object_put(body);
	said = dr_siwe_parse(proof->message, proof->len, &proof->siwe);
	if (said != DR_SIWE_OK) {
		refuse(proof, dr_siwe_text(said));
		return;
	}
	snprintf(proof->nonce, sizeof proof->nonce, "%.*s", (int)proof->siwe.nonce.len,
	    proof->siwe.nonce.at);
	memcpy(proof->address, "0x", 2);
	dr_hex_write(proof->siwe.signer, DR_ADDRESS_BYTES, proof->address + 2);
	take_record(proof);
}

void
wallet_proof_fail_chain(struct dr_request *req, int64_t chain_id)
{
	if (chain_id > 0)
		dr_request_fail(req, DR_ERR_WALLET_OTHER_CHAIN, (long long)chain_id);
	else
		dr_request_fail(req, DR_ERR_WALLET_NO_CHAIN);
}
