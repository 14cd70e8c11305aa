/*
 * auth_verify - POST /api/auth/verify: a signed message becomes a session. The wallet's
 * first login makes its account.
 *
 * The wallet is bound to an account before that account exists: whoever dies in between
 * leaves a wallet whose next login makes it. The directory comes before the account, as
 * with `derouterctl account add`.
 *
 * An account stays in Redis for good and costs nobody anything, so all clients together
 * have a limit of new ones: whoever has an account is let in without it.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "handlers/api_json.h"
#include "handlers/handlers.h"
#include "handlers/wallet_proof.h"
#include "handlers/wallet_text.h"

#define MAX_ANSWER 4096

struct login {
	struct dr_store_call call; /* stays alive until it is done or cancelled */
	struct dr_request *req;
	char wallet[DR_ADDRESS_TEXT], account[DR_ACCOUNT_LEN + 1];
	int64_t chain_id;
	char token[DR_API_KEY_SIZE]; /* a secret */
	struct dr_api_key key;       /* its parts */
};

static void
cancel(void *local)
{
	struct login *login = local;

	dr_store_cancel(&login->call);
	dr_wipe(login->token, sizeof login->token);
}

/* ---- the answer ---- */

static void
set_cookie(struct login *login)
{
	char line[DR_API_KEY_SIZE + 128];

	snprintf(line, sizeof line,
	    DR_SESSION_COOKIE
	    "=%s; Path=/; HttpOnly; Secure; SameSite=Strict; Max-Age=%lld",
	    login->token, (long long)login->req->config->settings->session_time / 1000);
	dr_reply_more_head(login->req, "set-cookie", line);
	dr_wipe(line, sizeof line);
}

static void
answer_session(struct login *login, int64_t created_ms, int64_t expires_ms, bool is_new)
{
	struct dr_strbuf out;

	dr_strbuf_init(&out, MAX_ANSWER);
	dr_strbuf_addc(&out, '{');
	dr_api_add_text(&out, "object", "session");
	dr_api_add_text(&out, "id", login->key.key_id);
	dr_api_add_text(&out, "token", login->token);
	dr_api_add_text(&out, "account", login->key.account);
	wallet_text_add(&out, "wallet", login->wallet);
	dr_api_add_time(&out, "created_at", created_ms);
	dr_api_add_time(&out, "expires_at", expires_ms);
	dr_api_add_bool(&out, "new_account", is_new);
	dr_strbuf_addc(&out, '}');
	set_cookie(login);
	dr_api_reply(login->req, &out);
}

/* ---- the steps ---- */

static void
on_added(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct login *login = DR_CONTAINER_OF(call, struct login, call);
	const char *word = dr_reply_string(dr_reply_at(reply, 0), NULL);

	if (err != DR_OK)
		dr_request_fail(login->req, err);
	else if (strcmp(word, "OK") == 0)
		answer_session(login, dr_reply_int(dr_reply_at(reply, 1), 0),
		    dr_reply_int(dr_reply_at(reply, 2), 0),
		    dr_reply_int(dr_reply_at(reply, 3), 0) == 1);
	else if (strcmp(word, "SUSPENDED") == 0)
		dr_request_fail(login->req, DR_ERR_SUSPENDED_SESSION);
	else /* two sessions of one id: drawn once in two thousand million */
		dr_request_fail(login->req, DR_ERR_INTERNAL);
}

static void
add_to_directory(const struct login *login)
{
	char now[24];
	const char *words[] = { "ZADD", "accounts", "NX", now, login->key.account };
	struct dr_arg argv[DR_N_ELEMENTS(words)];

	snprintf(now, sizeof now, "%lld", (long long)wallet_proof_now(login->req));
	for (size_t i = 0; i < DR_N_ELEMENTS(words); i++)
		argv[i] = (struct dr_arg){ words[i], strlen(words[i]) };
	dr_store_command(
	    login->req->gw->store, "accounts", argv, DR_N_ELEMENTS(words), NULL);
}

static void
add_session(struct login *login)
{
	const struct dr_settings *s = login->req->config->settings;

	add_to_directory(login);
	login->call.done = on_added;
	dr_session_add(login->req->gw->store, &login->key, login->wallet,
	    s->session_time, dr_settings_clock_offset(s), &login->call);
}

static void
on_owner(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct login *login = DR_CONTAINER_OF(call, struct login, call);
	int64_t chain_id;
	const char *owner = dr_wallet_owner(reply, &chain_id);

	if (err != DR_OK) {
		dr_request_fail(login->req, err);
		return;
	}
	if (owner == NULL) {
		wallet_proof_fail_chain(login->req, chain_id);
		return;
	}
	if (!dr_account_id_ok(owner)) {
		dr_request_fail(login->req, DR_ERR_INTERNAL);
		return;
	}
	dr_api_key_new(DR_SESSION_PREFIX, owner, login->token, &login->key);
	add_session(login);
}

static void
take_wallet(struct login *login)
{
	login->call = (struct dr_store_call){ .done = on_owner };
	dr_account_id_new(login->account);
	dr_wallet_take(login->req->gw->store, login->wallet, login->account,
	    login->chain_id, false, &login->call);
}

static void
on_new_counted(
    struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct login *login = DR_CONTAINER_OF(call, struct login, call);
	int64_t wait_ms = dr_reply_int(reply, 0);

	if (err != DR_OK) {
		dr_request_fail(login->req, err);
	} else if (wait_ms > 0) {
		login->req->retry_after_ms = wait_ms;
		dr_request_fail(login->req, DR_ERR_TOO_MANY_NEW,
		    (long long)login->req->config->settings->new_accounts_rpm);
	} else {
		take_wallet(login);
	}
}

static void
on_known(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct login *login = DR_CONTAINER_OF(call, struct login, call);

	if (err != DR_OK) {
		dr_request_fail(login->req, err);
	} else if (dr_reply_type(reply) == DR_REPLY_STRING) {
		take_wallet(login);
	} else {
		login->call = (struct dr_store_call){ .done = on_new_counted };
		dr_login_try(login->req->gw->store, "accounts",
		    login->req->config->settings->new_accounts_rpm, &login->call);
	}
}

/* Is it somebody's already? */
static void
on_proved(struct dr_request *req, const char *wallet, int64_t chain_id)
{
	struct login *login = dr_calloc(1, sizeof *login);
	char key[DR_ADDRESS_TEXT + 16];
	struct dr_arg argv[] = { { "GET", 3 }, { key, 0 } };

	login->req = req;
	login->chain_id = chain_id;
	snprintf(login->wallet, sizeof login->wallet, "%s", wallet);
	req->local = login;
	req->cancel_local = cancel;
	argv[1].len = (size_t)snprintf(key, sizeof key, "wallet:{%s}", wallet);
	login->call.done = on_known;
	dr_store_command(req->gw->store, key, argv, DR_N_ELEMENTS(argv), &login->call);
}

static void
on_counted(struct dr_request *req)
{
	wallet_proof_verify(req, false, on_proved);
}

static void
answer(struct dr_request *req)
{
	wallet_proof_begin(req, on_counted);
}

const struct dr_handler dr_handler_auth_verify = {
	.method = "POST",
	.path = "/api/auth/verify",
	.kind = DR_HANDLER_LOCAL,
	.answer = answer,
};
