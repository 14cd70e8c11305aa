/*
 * store_info - the last step of the handshake: what Redis says of itself. May it hold
 * money, which one is it, and must its append-only file be written anew?
 *
 * INFO tells all there is to check, and unlike CONFIG it is open on managed servers
 * too. Where it is not, there is nothing to hold against this Redis.
 */
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "io/store_internal.h"

/* ---- is it fit? ---- */

/* Why this Redis must not hold money, or NULL. */
static const char *
unfit(const char *info)
{
	char value[32];

	if (dr_store_info_field(info, "redis_mode", value, sizeof value) &&
	    strcmp(value, "sentinel") == 0)
		return "this is a Sentinel, which holds no data";
	if (dr_store_info_field(info, "loading", value, sizeof value) &&
	    strcmp(value, "0") != 0)
		return "Redis is loading its data";
	if (dr_store_info_field(info, "role", value, sizeof value) &&
	    strcmp(value, "master") != 0)
		return "Redis is a replica; want its master";
	if (dr_store_info_field(info, "maxmemory", value, sizeof value) &&
	    strcmp(value, "0") != 0 &&
	    dr_store_info_field(info, "maxmemory_policy", value, sizeof value) &&
	    strcmp(value, "noeviction") != 0)
		return "maxmemory-policy must be noeviction: any other deletes balances";
	return NULL;
}

/* ---- which one is it? ---- */

/* A process that was made a replica and then a master again is the same one, with
 * another history. */
static void
read_server_id(struct dr_store *store, const char *info)
{
	char run_id[48], replid[44];

	dr_store_info_field(info, "run_id", run_id, sizeof run_id);
	dr_store_info_field(info, "master_replid", replid, sizeof replid);
	snprintf(store->server_id, sizeof store->server_id, "%s%s%s", run_id,
	    replid[0] != '\0' ? "/" : "", replid);
}

/* ---- its append-only file ---- */

/*
 * What a script writes stands in the file as one transaction. A Redis that died in the
 * middle of one cuts the file at its next start, but after the last whole command (so
 * do all versions before August 2026), not before the transaction: the beginning
 * stays, is left out now, and is executed by the start after that, with whatever
 * transaction follows it in the file. A settlement that was told again meanwhile would
 * be booked twice. A file that is written anew has no such beginning, so the first of
 * us to find a Redis that has not done so since it started has it done.
 */
static bool
wants_rewrite(const char *info)
{
	static const struct {
		const char *field, *value;
	} all[] = {
		{ "aof_enabled", "1" },
		{ "aof_last_rewrite_time_sec", "-1" }, /* none since the start */
		{ "aof_rewrite_in_progress", "0" },
		{ "aof_rewrite_scheduled", "0" },
	};
	char value[32];

	for (size_t i = 0; i < DR_N_ELEMENTS(all); i++)
		if (!dr_store_info_field(info, all[i].field, value, sizeof value) ||
		    strcmp(value, all[i].value) != 0)
			return false;
	return true;
}

static void
on_rewrite(redisAsyncContext *redis, void *answer, void *arg)
{
	struct dr_store *store = arg;
	const redisReply *reply = dr_store_step(store, redis, answer);

	/* another of us was first: as good */
	if (reply == NULL || reply->type != REDIS_REPLY_ERROR ||
	    strstr(reply->str, "in progress") != NULL)
		return;
	if (!store->rewrite_refused)
		dr_log_warn(store,
		    "%s: BGREWRITEAOF is refused: %.*s: a Redis that died in the "
		    "middle of a write may book it twice after its next restart",
		    store->address, dr_store_printable(reply->str), reply->str);
	store->rewrite_refused = true;
}

static void
rewrite(struct dr_store *store)
{
	if (redisAsyncCommand(store->redis, on_rewrite, store, "BGREWRITEAOF") ==
	    REDIS_OK)
		store->on_wire++;
}

/* There may be a reason (a replica that keeps it all, say), so it is only said, once.
 */
static void
warn_without_file(struct dr_store *store, const char *info)
{
	char value[8];

	if (store->no_file_told ||
	    !dr_store_info_field(info, "aof_enabled", value, sizeof value) ||
	    strcmp(value, "0") != 0)
		return;
	store->no_file_told = true;
	dr_log_warn(store,
	    "%s: appendonly is off: a Redis that is restarted forgets balances and "
	    "charges since its last snapshot",
	    store->address);
}

/* ---- the step ---- */

static void
on_text(struct dr_store *store, const char *info)
{
	const char *trouble = unfit(info);
	char mode[16];

	if (trouble != NULL) {
		dr_store_drop(store, trouble, true);
		return;
	}
	read_server_id(store, info);
	store->eval_only = dr_store_info_field(info, "redis_mode", mode, sizeof mode) &&
			   strcmp(mode, "cluster") == 0;
	warn_without_file(store, info);
	if (wants_rewrite(info))
		rewrite(store); /* before any call is sent */
	dr_store_ready(store);
}

static void
on_info(redisAsyncContext *redis, void *answer, void *arg)
{
	struct dr_store *store = arg;
	const redisReply *reply = dr_store_step(store, redis, answer);

	if (reply == NULL)
		return;
	store->server_id[0] = '\0';
	store->eval_only = false;
	if (reply->type == REDIS_REPLY_STRING) {
		on_text(store, reply->str);
		return;
	}
	if (reply->type == REDIS_REPLY_ERROR) {
		if (!dr_store_error_is(reply->str, "NOPERM") &&
		    strncmp(reply->str, "ERR unknown command", 19) != 0) {
			dr_store_refuse(store, "INFO", reply->str);
			return;
		}
		if (!store->info_refused)
			dr_log_warn(store,
			    "%s: INFO is refused: cannot check that "
			    "maxmemory-policy is noeviction",
			    store->address);
		store->info_refused = true;
	}
	dr_store_ready(store);
}

void
dr_store_ask_info(struct dr_store *store)
{
	redisAsyncCommand(store->redis, on_info, store, "INFO");
	store->on_wire++;
}
