/*
 * account_owner - see the header.
 */
#include "gateway/account_owner.h"

#include <string.h>

#include "gateway/script_args.h"
#include "scripts/scripts.h"

static void
begin(struct dr_script_args *args, const char *account)
{
	dr_args_begin(args, account);
	dr_args_key(args, DR_SCHEMA_ACCOUNT, NULL);
}

void
dr_owner_me(struct dr_store *store, const char *account, struct dr_store_call *call)
{
	struct dr_script_args args;

	begin(&args, account);
	dr_args_key(&args, DR_SCHEMA_WALLETS, NULL);
	dr_args_eval(&args, store, &dr_script_account_me, call);
}

bool
dr_owner_me_take(const struct dr_reply *reply, struct dr_account_me *out)
{
	int64_t *const numbers[] = { [2] = &out->created_ms,
		[4] = &out->balance_nano,
		[5] = &out->held_nano,
		[6] = &out->running,
		[7] = &out->spent_nano,
		[8] = &out->keys,
		[9] = &out->wallets };

	for (size_t i = 0; i < DR_N_ELEMENTS(numbers); i++)
		if (numbers[i] != NULL)
			*numbers[i] = dr_reply_int(dr_reply_at(reply, i), 0);
	out->name = dr_reply_string(dr_reply_at(reply, 0), NULL);
	out->status = dr_reply_string(dr_reply_at(reply, 1), NULL);
	out->zone = dr_reply_string(dr_reply_at(reply, 3), NULL);
	return dr_reply_count(reply) == DR_N_ELEMENTS(numbers);
}

void
dr_owner_keys(struct dr_store *store, const char *account,
    const struct dr_keys_query *query, struct dr_store_call *call)
{
	struct dr_script_args args;

	begin(&args, account);
	dr_args_number(&args, query->default_rpm);
	dr_args_number(&args, query->default_concurrency);
	dr_args_number(&args, query->clock_offset_ms);
	dr_args_text(&args, query->key_id != NULL ? query->key_id : "");
	dr_args_number(&args, query->most);
	if (query->after_id != NULL)
		dr_args_number(&args, query->after_created_ms);
	else
		dr_args_text(&args, "");
	dr_args_text(&args, query->after_id != NULL ? query->after_id : "");
	dr_args_eval(&args, store, &dr_script_keys_read, call);
}

void
dr_owner_key_set(struct dr_store *store, const char *account, const char *key_id,
    const struct dr_key_change *change, struct dr_store_call *call)
{
	struct dr_script_args args;
	struct dr_key_words words;

	dr_key_change_words(change, &words);
	begin(&args, account);
	dr_args_text(&args, key_id);
	for (size_t i = 0; i < words.n; i++)
		dr_args_text(&args, words.words[i]);
	dr_args_eval(&args, store, &dr_script_key_set, call);
}

void
dr_owner_key_delete(struct dr_store *store, const char *account, const char *key_id,
    struct dr_store_call *call)
{
	struct dr_script_args args;

	begin(&args, account);
	dr_args_text(&args, key_id);
	dr_args_text(&args, "deleted");
	dr_args_eval(&args, store, &dr_script_key_status, call);
}

void
dr_owner_key_rotate(struct dr_store *store, const char *account, const char *key_id,
    const char *sha, int64_t grace_ms, int64_t clock_offset_ms,
    struct dr_store_call *call)
{
	struct dr_script_args args;

	begin(&args, account);
	dr_args_text(&args, key_id);
	dr_args_text(&args, sha);
	dr_args_number(&args, grace_ms);
	dr_args_number(&args, clock_offset_ms);
	dr_args_eval(&args, store, &dr_script_key_rotate, call);
}

/* "OK", or of a rotation the time until which the old secret works. */
enum dr_key_changed
dr_owner_key_take(const struct dr_reply *reply)
{
	const char *said = dr_reply_string(reply, NULL);

	if (strcmp(said, "OK") == 0 || (said[0] >= '0' && said[0] <= '9'))
		return DR_KEY_CHANGED;
	return strcmp(said, "NO_BUDGET") == 0 ? DR_KEY_NO_BUDGET : DR_KEY_UNKNOWN;
}
