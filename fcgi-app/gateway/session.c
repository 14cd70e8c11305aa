/*
 * session - see the header. Which tokens there are is Redis' to say; here they are read
 * from the headers and asked about.
 */
#include "gateway/session.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "gateway/script_args.h"
#include "scripts/scripts.h"

/* ---- the token ---- */

/* The cookie of that name, without quotes; NULL: none of a token's length. */
static const char *
find_cookie(const char *cookies, char out[DR_API_KEY_SIZE])
{
	static const char name[] = DR_SESSION_COOKIE "=";

	while (*cookies != '\0') {
		size_t len;

		cookies += strspn(cookies, "; ");
		len = strcspn(cookies, ";");
		if (strncmp(cookies, name, sizeof name - 1) == 0) {
			size_t n = len - (sizeof name - 1);

			if (n >= DR_API_KEY_SIZE)
				return NULL;
			memcpy(out, cookies + sizeof name - 1, n);
			out[n] = '\0';
			return out;
		}
		cookies += len;
	}
	return NULL;
}

bool
dr_session_parse(const char *authorization, const char *cookie, struct dr_session *out)
{
	char text[DR_API_KEY_SIZE];
	bool ok;

	*out = (struct dr_session){ .by_cookie = false };
	if (authorization != NULL && strncasecmp(authorization, "Bearer ", 7) == 0) {
		authorization += 7;
		authorization += strspn(authorization, " ");
		return dr_api_key_parse(DR_SESSION_PREFIX, authorization, &out->token);
	}
	if (cookie == NULL || find_cookie(cookie, text) == NULL)
		return false;
	out->by_cookie = true;
	ok = dr_api_key_parse(DR_SESSION_PREFIX, text, &out->token);
	dr_wipe(text, sizeof text);
	return ok;
}

/* ---- does it run? ---- */

/* { 'OK', wallet, made, ends } or { why not, retry after } */
static void
on_checked(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_session_read *read =
	    DR_CONTAINER_OF(call, struct dr_session_read, call);
	struct dr_session *session = &read->session;
	const char *word = dr_reply_string(dr_reply_at(reply, 0), NULL);

	if (err != DR_OK)
		;
	else if (strcmp(word, "OK") == 0) {
		strncpy(session->wallet, dr_reply_string(dr_reply_at(reply, 1), NULL),
		    sizeof session->wallet - 1);
		session->created_ms = dr_reply_int(dr_reply_at(reply, 2), 0);
		session->expires_ms = dr_reply_int(dr_reply_at(reply, 3), 0);
	} else if (strcmp(word, "SUSPENDED") == 0) {
		err = DR_ERR_SUSPENDED_SESSION;
	} else if (strcmp(word, "TOO_OFTEN") == 0) {
		err = DR_ERR_API_TOO_OFTEN;
		read->retry_after_ms = dr_reply_int(dr_reply_at(reply, 1), 1000);
	} else {
		err = DR_ERR_BAD_SESSION;
	}
	read->done(read, err);
}

void
dr_session_check(struct dr_store *store, struct dr_session_read *read,
    int64_t most_a_minute, int64_t clock_offset_ms,
    void (*done)(struct dr_session_read *, enum dr_error))
{
	struct dr_script_args args;

	DR_ASSERT(read->call.slot == NULL); /* one question at a time */
	read->call = (struct dr_store_call){ .done = on_checked };
	read->done = done;
	dr_args_begin(&args, read->session.token.account);
	dr_args_key(&args, DR_SCHEMA_ACCOUNT, NULL);
	dr_args_key(&args, DR_SCHEMA_SESSIONS, NULL);
	dr_args_key(&args, DR_SCHEMA_API, NULL);
	dr_args_text(&args, read->session.token.key_id);
	dr_args_text(&args, read->session.token.sha);
	dr_args_number(&args, most_a_minute);
	dr_args_number(&args, clock_offset_ms);
	dr_args_eval(&args, store, &dr_script_session_read, &read->call);
}

void
dr_session_cancel(struct dr_session_read *read)
{
	if (read != NULL)
		dr_store_cancel(&read->call);
}

/* ---- the scripts' own replies ---- */

void
dr_session_add(struct dr_store *store, const struct dr_api_key *token,
    const char *wallet, int64_t life_ms, int64_t clock_offset_ms,
    struct dr_store_call *call)
{
	struct dr_script_args args;

	dr_args_begin(&args, token->account);
	dr_args_key(&args, DR_SCHEMA_ACCOUNT, NULL);
	dr_args_key(&args, DR_SCHEMA_SESSIONS, NULL);
	dr_args_key(&args, DR_SCHEMA_WALLETS, NULL);
	dr_args_text(&args, token->key_id);
	dr_args_text(&args, token->sha);
	dr_args_text(&args, wallet);
	dr_args_number(&args, life_ms);
	dr_args_number(&args, DR_SESSION_MOST);
	dr_args_number(&args, clock_offset_ms);
	dr_args_eval(&args, store, &dr_script_session_add, call);
}

void
dr_session_list(struct dr_store *store, const char *account, int64_t clock_offset_ms,
    struct dr_store_call *call)
{
	struct dr_script_args args;

	dr_args_begin(&args, account);
	dr_args_key(&args, DR_SCHEMA_SESSIONS, NULL);
	dr_args_number(&args, clock_offset_ms);
	dr_args_eval(&args, store, &dr_script_session_list, call);
}

void
dr_session_end(struct dr_store *store, const char *account, const char *id,
    const char *keep, struct dr_store_call *call)
{
	struct dr_script_args args;

	dr_args_begin(&args, account);
	dr_args_key(&args, DR_SCHEMA_SESSIONS, NULL);
	dr_args_text(&args, id);
	dr_args_text(&args, keep);
	dr_args_eval(&args, store, &dr_script_session_end, call);
}

void
dr_wallet_take(struct dr_store *store, const char *wallet, const char *account,
    int64_t chain_id, bool own, struct dr_store_call *call)
{
	char key[DR_WALLET_SIZE + 16], chain[24];
	const struct dr_arg args[] = {
		{ key, (size_t)snprintf(key, sizeof key, "wallet:{%s}", wallet) },
		{ account, strlen(account) },
		{ chain, (size_t)snprintf(
			     chain, sizeof chain, "%lld", (long long)chain_id) },
		{ own ? "1" : "0", 1 }
	};

	dr_store_eval(store, key, &dr_script_wallet_take, 1, args, 4, call);
}

const char *
dr_wallet_owner(const struct dr_reply *reply, int64_t *chain_id)
{
	const char *owner = dr_reply_string(dr_reply_at(reply, 0), NULL);

	*chain_id = dr_reply_int(dr_reply_at(reply, 1), 0);
	return *chain_id == 0 ? owner : NULL;
}

void
dr_login_try(
    struct dr_store *store, const char *who, int64_t most, struct dr_store_call *call)
{
	char key[80], limit[24];
	struct dr_arg args[3] = { { key, 0 }, { limit, 0 }, { "60000", 5 } };

	args[0].len = (size_t)snprintf(key, sizeof key, "login:{%.64s}", who);
	args[1].len = (size_t)snprintf(limit, sizeof limit, "%lld", (long long)most);
	dr_store_eval(store, key, &dr_script_rate, 1, args, 3, call);
}
