/*
 * key_read - everything about one key in one script call, for GET /v1/key.
 */
#include <string.h>

#include "gateway/admission_priv.h"
#include "gateway/script_args.h"
#include "scripts/scripts.h"

/* The order is that of key_state.lua's head. */
void
dr_key_state_take(const struct dr_reply *reply, struct dr_key_state *k)
{
	int64_t *const numbers[] = { [1] = &k->now_ms,
		[3] = &k->created_ms,
		[4] = &k->expires_ms,
		[5] = &k->used_ms,
		[6] = &k->rpm,
		[7] = &k->rpm_used,
		[8] = &k->concurrency,
		[9] = &k->running,
		[10] = &k->budget_nano,
		[13] = &k->spent_nano,
		[14] = &k->held_nano,
		[15] = &k->spent_total_nano,
		[16] = &k->balance_nano,
		[17] = &k->balance_held_nano,
		[18] = &k->account_running,
		[21] = &k->window_end_ms,
		[24] = &k->old_until_ms };

	for (size_t i = 0; i < DR_N_ELEMENTS(numbers); i++)
		if (numbers[i] != NULL)
			*numbers[i] = dr_reply_int(dr_reply_at(reply, i), 0);
	k->name = dr_reply_string(dr_reply_at(reply, 2), NULL);
	k->period = dr_reply_string(dr_reply_at(reply, 11), NULL);
	k->window = dr_reply_string(dr_reply_at(reply, 12), NULL);
	k->models = dr_reply_string(dr_reply_at(reply, 19), NULL);
	k->zone = dr_reply_string(dr_reply_at(reply, 20), NULL);
	k->key_id = dr_reply_string(dr_reply_at(reply, 22), NULL);
	k->status = dr_reply_string(dr_reply_at(reply, 23), NULL);
	k->has_budget = k->budget_nano >= 0;
	if (!k->has_budget)
		k->budget_nano = 0;
}

static void
on_read(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_key_read *read = DR_CONTAINER_OF(call, struct dr_key_read, call);
	struct dr_key_state state = { 0 };

	const char *verdict = dr_reply_string(dr_reply_at(reply, 0), NULL);

	if (err == DR_OK && strcmp(verdict, "OK") != 0)
		err = strcmp(verdict, "SUSPENDED") == 0 ? DR_ERR_SUSPENDED
							: DR_ERR_BAD_KEY;
	if (err != DR_OK) {
		read->done(read, err, NULL);
		return;
	}
	dr_key_state_take(reply, &state);
	read->done(read, DR_OK, &state);
}

void
dr_admission_key_read(struct dr_admission *admission, struct dr_key_read *read,
    const struct dr_key_read_query *query,
    void (*done)(struct dr_key_read *, enum dr_error, const struct dr_key_state *))
{
	struct dr_script_args args;

	DR_CHECK(admission, DR_ADMISSION_MAGIC);
	DR_ASSERT(read->call.slot == NULL); /* one question at a time */
	read->call = (struct dr_store_call){ .done = on_read };
	read->done = done;
	dr_args_begin(&args, query->key->account);
	dr_args_key(&args, DR_SCHEMA_ACCOUNT, NULL);
	dr_args_key(&args, DR_SCHEMA_RECENT, query->key->key_id);
	dr_args_key(&args, DR_SCHEMA_OPEN, query->key->key_id);
	dr_args_text(&args, query->key->key_id);
	dr_args_text(&args, query->key->sha);
	dr_args_number(&args, query->default_rpm);
	dr_args_number(&args, query->default_concurrency);
	dr_args_number(&args, query->clock_offset_ms);
	dr_args_eval(&args, admission->store, &dr_script_key_read, &read->call);
}

void
dr_key_read_cancel(struct dr_key_read *read)
{
	dr_store_cancel(&read->call);
}
