/*
 * session - the tokens among a request's headers, and what Redis says of them.
 */
#include "admission_fixture.h"

#include "gateway/session.h"

#define SECRET "0123456789abcdefghijABCDEFGHIJ0123456789abc"
#define TOKEN  "drs-" ACCOUNT "-s1s1s1-" SECRET
#define WALLET "0x00000000000000000000000000000000000000aa"
#define HOUR   INT64_C(3600000)

static void
the_token_is_found_where_a_client_puts_it(void **state)
{
	static const struct {
		const char *authorization, *cookie;
		bool found, by_cookie;
	} rows[] = {
		{ "Bearer " TOKEN, NULL, true, false },
		{ "bearer   " TOKEN, NULL, true, false },
		{ NULL, "__Host-sid=" TOKEN, true, true },
		{ NULL, "a=b; __Host-sid=" TOKEN "; c=d", true, true },
		{ NULL, "a=b;__Host-sid=" TOKEN, true, true },
		{ "Basic x", "__Host-sid=" TOKEN, true, true },
		/* what is meant as a token is judged alone */
		{ "Bearer sk-other", "__Host-sid=" TOKEN, false, false },
		{ NULL, NULL, false, false },
		{ NULL, "", false, false },
		{ NULL, ";;; ", false, false },
		{ NULL, "X__Host-sid=" TOKEN, false, false },
		{ NULL, "__Host-sid=\"" TOKEN "\"", false, false },
		{ NULL, "__Host-sid=" TOKEN "x", false, false },
		{ NULL, "__Host-sid=", false, false },
		{ NULL, "__Host-sid=" TOKEN TOKEN TOKEN, false, false },
		{ "Bearer sk-ant-dr-" ACCOUNT "-s1s1s1-" SECRET, NULL, false, false },
		{ "Bearer ", NULL, false, false },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_session session;
		bool found =
		    dr_session_parse(rows[i].authorization, rows[i].cookie, &session);

		if (found != rows[i].found)
			fail_msg("row %zu", i);
		if (!found)
			continue;
		assert_int_equal(session.by_cookie, rows[i].by_cookie);
		assert_string_equal(session.token.account, ACCOUNT);
		assert_string_equal(session.token.key_id, "s1s1s1");
	}
}

/* ---- what Redis says ---- */

static unsigned n_checked;
static enum dr_error checked;

static void
on_checked(struct dr_session_read *read, enum dr_error err)
{
	(void)read;
	n_checked++;
	checked = err;
}

static enum dr_error
check(struct dr_session_read *read, const char *token, int64_t most, int64_t offset_ms)
{
	char bearer[160];

	*read = (struct dr_session_read){ .retry_after_ms = -1 };
	snprintf(bearer, sizeof bearer, "Bearer %s", token);
	assert_true(dr_session_parse(bearer, NULL, &read->session));
	n_checked = 0;
	dr_session_check(store, read, most, offset_ms, on_checked);
	assert_int_equal(n_checked, 0); /* never inside the call */
	TURN_UNTIL(n_checked > 0);
	return checked;
}

/* As a login does it. Gives what the script says first. */
static struct answer
log_in(const char *id, const char *sha, int64_t offset_ms)
{
	struct dr_script_args args;
	struct answer answer;

	answer_init(&answer, false);
	dr_args_begin(&args, ACCOUNT);
	dr_args_key(&args, DR_SCHEMA_ACCOUNT, NULL);
	dr_args_key(&args, DR_SCHEMA_SESSIONS, NULL);
	dr_args_key(&args, DR_SCHEMA_WALLETS, NULL);
	dr_args_text(&args, id);
	dr_args_text(&args, sha);
	dr_args_text(&args, WALLET);
	dr_args_number(&args, 24 * HOUR);
	dr_args_number(&args, 3);
	dr_args_number(&args, offset_ms);
	dr_args_eval(&args, store, &dr_script_session_add, &answer.call);
	dr_store_wait(store, &answer.call);
	assert_int_equal(answer.err, DR_OK);
	return answer;
}

static void
sha_of_token(char sha[DR_SHA256_HEX])
{
	dr_sha256_hex(SECRET, strlen(SECRET), sha);
}

static void
a_session_runs_for_its_time_and_not_longer(void **state)
{
	struct dr_session_read read;
	char sha[DR_SHA256_HEX];

	(void)state;
	redis_do("FLUSHALL");
	sha_of_token(sha);
	assert_int_equal(check(&read, TOKEN, 10, 0), DR_ERR_BAD_SESSION);
	assert_int_equal(log_in("s1s1s1", sha, 0).count, 4);
	assert_int_equal(account_number("balance"), 0); /* the first login made it */
	assert_int_equal(check(&read, TOKEN, 10, 0), DR_OK);
	assert_string_equal(read.session.wallet, WALLET);
	assert_int_equal(read.session.expires_ms - read.session.created_ms, 24 * HOUR);
	assert_int_equal(check(&read, TOKEN, 10, 24 * HOUR - 60000), DR_OK);
	assert_int_equal(check(&read, TOKEN, 10, 24 * HOUR), DR_ERR_BAD_SESSION);
	/* the same session with another secret */
	assert_int_equal(check(&read,
			     "drs-" ACCOUNT "-s1s1s1-"
			     "x123456789abcdefghijABCDEFGHIJ0123456789abc",
			     10, 0),
	    DR_ERR_BAD_SESSION);
	redis_do("HSET " KEY("account") " status suspended");
	assert_int_equal(check(&read, TOKEN, 10, 0), DR_ERR_SUSPENDED_SESSION);
	assert_int_equal(log_in("s2s2s2", sha, 0).count, 1); /* nor can it log in */
}

static void
calls_are_counted_for_sessions_in_order_alone(void **state)
{
	struct dr_session_read read;
	char sha[DR_SHA256_HEX];

	(void)state;
	redis_do("FLUSHALL");
	sha_of_token(sha);
	log_in("s1s1s1", sha, 0);
	for (int i = 0; i < 5; i++) /* somebody who guesses locks nobody out */
		assert_int_equal(check(&read, "drs-" ACCOUNT "-s9s9s9-" SECRET, 2, 0),
		    DR_ERR_BAD_SESSION);
	assert_int_equal(check(&read, TOKEN, 2, 0), DR_OK);
	assert_int_equal(check(&read, TOKEN, 2, 0), DR_OK);
	assert_int_equal(check(&read, TOKEN, 2, 0), DR_ERR_API_TOO_OFTEN);
	assert_in_range(read.retry_after_ms, 1, 60000);
}

static void
old_sessions_make_room(void **state)
{
	(void)state;
	redis_do("FLUSHALL");
	log_in("s1s1s1", SHA, 0);
	log_in("s2s2s2", SHA, 1000);
	log_in("s3s3s3", SHA, 2000);
	assert_int_equal(log_in("s3s3s3", SHA, 2000).count, 1); /* taken */
	log_in("s4s4s4", SHA, 3000);
	assert_int_equal(redis_do("HLEN " KEY("sessions")).number, 3);
	assert_int_equal(redis_do("HEXISTS " KEY("sessions") " s1s1s1").number, 0);
	log_in("s5s5s5", SHA, 24 * HOUR + 2500); /* s2, s3 have ended by then */
	assert_int_equal(redis_do("HLEN " KEY("sessions")).number, 2);
	assert_int_equal(redis_do("HEXISTS " KEY("sessions") " s4s4s4").number, 1);
}

static struct answer
on_key(struct dr_script *script, const char *what, const char *a, const char *b)
{
	struct dr_script_args args;
	struct answer answer;

	answer_init(&answer, false);
	dr_args_begin(&args, ACCOUNT);
	dr_args_key(&args, what, NULL);
	dr_args_text(&args, a);
	dr_args_text(&args, b);
	dr_args_eval(&args, store, script, &answer.call);
	dr_store_wait(store, &answer.call);
	assert_int_equal(answer.err, DR_OK);
	return answer;
}

static void
sessions_are_listed_and_ended(void **state)
{
	(void)state;
	redis_do("FLUSHALL");
	log_in("s1s1s1", SHA, 0);
	log_in("s2s2s2", SHA, 1000);
	log_in("s3s3s3", SHA, 2000);
	assert_int_equal(
	    on_key(&dr_script_session_list, DR_SCHEMA_SESSIONS, "0", "").count, 3);
	assert_int_equal(
	    on_key(&dr_script_session_list, DR_SCHEMA_SESSIONS, "86401500", "").count,
	    1); /* the last alone still runs */
	assert_int_equal(
	    on_key(&dr_script_session_end, DR_SCHEMA_SESSIONS, "s1s1s1", "").number, 1);
	assert_int_equal(
	    on_key(&dr_script_session_end, DR_SCHEMA_SESSIONS, "s1s1s1", "").number, 0);
	log_in("s4s4s4", SHA, 3000);
	assert_int_equal(
	    on_key(&dr_script_session_end, DR_SCHEMA_SESSIONS, "", "s3s3s3").number, 2);
	assert_int_equal(redis_do("HEXISTS " KEY("sessions") " s3s3s3").number, 1);
}

static char owner[40]; /* "": the wallet is another chain's */
static int64_t owners_chain;
static unsigned n_taken;

static void
on_taken(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	const char *said;

	(void)call;
	assert_int_equal(err, DR_OK);
	said = dr_wallet_owner(reply, &owners_chain);
	snprintf(owner, sizeof owner, "%s", said != NULL ? said : "");
	n_taken++;
}

static const char *
ask_for(const char *wallet, const char *account, int64_t chain_id, bool own)
{
	struct dr_store_call call = { .done = on_taken };

	n_taken = 0;
	dr_wallet_take(store, wallet, account, chain_id, own, &call);
	TURN_UNTIL(n_taken > 0);
	return owner;
}

static const char *
take(const char *wallet, const char *account, int64_t chain_id)
{
	return ask_for(wallet, account, chain_id, false);
}

/* Whose deposits are these? */
static const char *
sends(const char *wallet, const char *chain)
{
	static char said[40];
	char key[40];
	const struct dr_arg args[] = {
		{ key, (size_t)snprintf(key, sizeof key, "wallet:{%s}", wallet) },
		{ chain, strlen(chain) }
	};
	struct answer answer;

	answer_init(&answer, false);
	dr_store_eval(store, key, &dr_script_wallet_owner, 1, args, 2, &answer.call);
	dr_store_wait(store, &answer.call);
	assert_int_equal(answer.err, DR_OK);
	snprintf(said, sizeof said, "%s", answer.text);
	return said;
}

static void
a_wallet_has_one_owner_and_a_window_its_limit(void **state)
{
	(void)state;
	redis_do("FLUSHALL");
	assert_string_equal(take("0xa", "first", 0), "first");
	assert_string_equal(take("0xa", "second", 0), "first");
	assert_int_equal(on_key(&dr_script_rate, "rate", "2", "60000").number, 0);
	assert_int_equal(on_key(&dr_script_rate, "rate", "2", "60000").number, 0);
	assert_in_range(on_key(&dr_script_rate, "rate", "2", "60000").number, 1, 60000);
}

/* Who can put a contract at the same address of another chain is not the owner. */
static void
a_contract_is_one_chains(void **state)
{
	(void)state;
	redis_do("FLUSHALL");
	assert_string_equal(take("0xa", "first", 8453), "first");
	assert_string_equal(take("0xa", "second", 10), "");
	assert_int_equal(owners_chain, 8453);
	assert_string_equal(take("0xa", "second", 8453), "first");
	assert_string_equal(sends("0xa", "8453"), "first");
	assert_string_equal(sends("0xa", "10"), "");
	assert_string_equal(sends("0xa", "845"), "");
	/* another account's session adds no chain, its own does */
	assert_string_equal(ask_for("0xa", "second", 10, true), "");
	assert_string_equal(ask_for("0xa", "first", 10, true), "first");
	assert_string_equal(take("0xa", "second", 10), "first");
	assert_string_equal(sends("0xa", "10"), "first");
	assert_string_equal(take("0xa", "second", 1), "");

	/* whoever has the address's own key has it everywhere, in either order */
	assert_string_equal(take("0xa", "second", 0), "first");
	assert_string_equal(take("0xa", "second", 1), "first");
	assert_string_equal(take("0xc", "third", 0), "third");
	assert_string_equal(take("0xc", "fourth", 1), "third");
	assert_string_equal(sends("0xc", "10"), "third");
	assert_string_equal(sends("0xd", "10"), "");

	/* given by the operator: no contract has it until its chain is named, its own
	 * key has it at once */
	redis_do("SET wallet:{0xb} given");
	assert_string_equal(sends("0xb", "8453"), "given");
	assert_string_equal(take("0xb", "other", 10), "");
	assert_int_equal(owners_chain, -1);
	assert_string_equal(ask_for("0xb", "other", 10, true), "");
	assert_string_equal(ask_for("0xb", "given", 10, true), "given");
	assert_string_equal(take("0xb", "other", 10), "given");
	assert_string_equal(take("0xb", "other", 8453), "");
	redis_do("SET wallet:{0xe} given");
	assert_string_equal(take("0xe", "other", 0), "given");
	assert_string_equal(take("0xe", "other", 10), "given");
	{
		const struct dr_arg args[] = { { "wallet:{0xb}", 12 }, { "given", 5 } };
		struct answer answer;

		answer_init(&answer, false);
		dr_store_eval(store, "wallet:{0xb}", &dr_script_wallet_unlink, 1, args,
		    2, &answer.call);
		dr_store_wait(store, &answer.call);
	}
	assert_string_equal(take("0xb", "other", 8453), "other");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_token_is_found_where_a_client_puts_it),
		cmocka_unit_test(a_session_runs_for_its_time_and_not_longer),
		cmocka_unit_test(calls_are_counted_for_sessions_in_order_alone),
		cmocka_unit_test(old_sessions_make_room),
		cmocka_unit_test(sessions_are_listed_and_ended),
		cmocka_unit_test(a_contract_is_one_chains),
		cmocka_unit_test(a_wallet_has_one_owner_and_a_window_its_limit),
	};

	return cmocka_run_group_tests(tests, admission_setup, admission_teardown);
}
