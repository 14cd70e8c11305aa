/*
 * key_make - see the header.
 */
#include "gateway/key_make.h"

#include <string.h>

#include "base/mem.h"
#include "gateway/script_args.h"
#include "scripts/scripts.h"

#define MOST_DRAWS 10 /* of ids that are taken: two billion there are */

static void claim(struct dr_key_make *make);

static void
finish(struct dr_key_make *make, enum dr_key_made how, enum dr_error err)
{
	if (how != DR_KEY_MADE)
		dr_wipe(make->text, sizeof make->text);
	make->done(make, how, err);
}

/* The id is not used after all. */
static void
give_back(struct dr_key_make *make)
{
	const struct dr_arg argv[] = { { "HDEL", 4 }, { "keys", 4 },
		{ make->key.key_id, DR_KEY_ID_LEN } };

	dr_store_command(make->store, "", argv, DR_N_ELEMENTS(argv), NULL);
}

static void
on_stored(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_key_make *make = DR_CONTAINER_OF(call, struct dr_key_make, call);
	const char *said = dr_reply_string(reply, NULL);

	if (err != DR_OK) {
		finish(make, DR_KEY_FAILED, err);
	} else if (strcmp(said, "OK") == 0) {
		finish(make, DR_KEY_MADE, DR_OK);
	} else if (strcmp(said, "TAKEN") == 0) { /* a key older than `keys` */
		claim(make);
	} else {
		give_back(make);
		finish(make,
		    strcmp(said, "MANY") == 0    ? DR_KEY_TOO_MANY
		    : strcmp(said, "SPENT") == 0 ? DR_KEY_ALL_SPENT
						 : DR_KEY_NO_ACCOUNT,
		    DR_OK);
	}
}

static void
on_claimed(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_key_make *make = DR_CONTAINER_OF(call, struct dr_key_make, call);
	struct dr_script_args args;
	struct dr_key_words words;

	if (err != DR_OK) {
		finish(make, DR_KEY_FAILED, err);
		return;
	}
	if (dr_reply_int(reply, 0) != 1) {
		claim(make);
		return;
	}
	dr_key_change_words(make->change, &words);
	dr_args_begin(&args, make->account);
	dr_args_key(&args, DR_SCHEMA_ACCOUNT, NULL);
	dr_args_text(&args, make->key.key_id);
	dr_args_number(&args, make->most);
	dr_args_text(&args, "sha");
	dr_args_text(&args, make->key.sha);
	dr_args_text(&args, "status");
	dr_args_text(&args, "on");
	for (size_t i = 0; i < words.n; i++)
		dr_args_text(&args, words.words[i]);
	if (make->change->budget_nano > 0 && make->change->period == NULL) {
		dr_args_text(&args, "period");
		dr_args_text(&args, "total");
	}
	make->call = (struct dr_store_call){ .done = on_stored };
	dr_args_eval(&args, make->store, &dr_script_key_add, &make->call);
}

/* Draw a key and claim its id. */
static void
claim(struct dr_key_make *make)
{
	struct dr_arg argv[] = { { "HSETNX", 6 }, { "keys", 4 }, { NULL, 0 },
		{ make->account, DR_ACCOUNT_LEN } };

	if (make->draws++ == MOST_DRAWS) {
		finish(make, DR_KEY_FAILED, DR_ERR_INTERNAL);
		return;
	}
	dr_api_key_new(make->prefix, make->account, make->text, &make->key);
	argv[2] = (struct dr_arg){ make->key.key_id, DR_KEY_ID_LEN };
	make->call = (struct dr_store_call){ .done = on_claimed };
	dr_store_command(make->store, "", argv, DR_N_ELEMENTS(argv), &make->call);
}

void
dr_key_make(struct dr_store *store, struct dr_key_make *make)
{
	make->store = store;
	make->draws = 0;
	claim(make);
}

void
dr_key_make_cancel(struct dr_key_make *make)
{
	dr_store_cancel(&make->call);
	dr_wipe(make->text, sizeof make->text);
}
