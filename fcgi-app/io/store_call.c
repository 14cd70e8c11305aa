/*
 * store_call - calls on their way to Redis and back: the wire format, the small slot
 * that stands for a command in flight, and what a reply means for the call behind it.
 * The connection itself is store.c's.
 *
 * Scripts. The first call of a script on a connection goes out as EVAL, which makes
 * Redis keep the script; later ones as EVALSHA. So after a reconnect nothing has to be
 * loaded first and the order of calls stays. Should Redis have forgotten it all the
 * same (SCRIPT FLUSH, eviction), NOSCRIPT says that nothing has run, and the slot still
 * holds the bytes: the same arguments go out once more under EVAL, and the call notices
 * nothing. What is sent has to be formatted somewhere anyway, so keeping it costs no
 * copy.
 */
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/store_internal.h"

#define MAX_COMMAND_BYTES                                                              \
	(16 * 1024 * 1024) /* callers' arguments are bounded far below */
#define KEEP_BYTES 4096    /* an idle slot gives larger buffers back */
#define KEEP_SLOTS 1024

/* A command in flight: what cannot be called back, so it must not be the caller's. */
struct dr_store_slot {
	unsigned magic;
#define SLOT_MAGIC 0x5709e003
	struct dr_store *store;     /* borrowed */
	struct dr_store_call *call; /* borrowed; NULL: nobody waits */
	bool given_up; /* timed out or cancelled: `done` is out of question */
	bool by_sha;   /* went out as EVALSHA */
	const struct dr_script *script; /* borrowed; NULL: a plain command */
	uint64_t due_ms;
	struct dr_list node;      /* in flying, overdue, failing or idle */
	struct dr_strbuf command; /* as sent */
	size_t args_at;           /* where the script's arguments begin in it */
};

/* ---- slots ---- */

static struct dr_store_slot *
slot_take(
    struct dr_store *store, const struct dr_script *script, struct dr_store_call *call)
{
	struct dr_list *node = dr_list_pop(&store->idle);
	struct dr_store_slot *slot;

	if (node != NULL) {
		slot = DR_LIST_ENTRY(node, struct dr_store_slot, node);
		DR_CHECK(slot, SLOT_MAGIC);
		store->n_idle--;
	} else {
		slot = dr_calloc(1, sizeof *slot);
		slot->magic = SLOT_MAGIC;
		slot->store = store;
		dr_list_init(&slot->node);
		dr_strbuf_init(&slot->command, MAX_COMMAND_BYTES);
	}
	slot->script = script;
	slot->call = call;
	slot->given_up = slot->by_sha = false;
	store->in_flight++;
	if (call != NULL) {
		DR_ASSERT(call->magic == 0 || call->magic == DR_STORE_CALL_MAGIC);
		DR_ASSERT(call->slot == NULL); /* else it is still in flight */
		DR_ASSERT(call->done != NULL);
		call->magic = DR_STORE_CALL_MAGIC;
		call->slot = slot;
		call->sent = false;
	}
	return slot;
}

static void
slot_free(struct dr_store_slot *slot)
{
	dr_strbuf_fini(&slot->command);
	DR_FREE(slot);
}

static void
slot_release(struct dr_store_slot *slot)
{
	struct dr_store *store = slot->store;

	dr_list_remove(&slot->node);
	slot->call = NULL;
	store->in_flight--;
	if (slot->command.size > KEEP_BYTES)
		dr_strbuf_fini(&slot->command);
	else
		dr_strbuf_clear(&slot->command);
	if (store->n_idle == KEEP_SLOTS) {
		slot_free(slot);
		return;
	}
	dr_list_append(&store->idle, &slot->node);
	store->n_idle++;
}

void
dr_store_calls_init(struct dr_store *store)
{
	dr_list_init(&store->flying);
	dr_list_init(&store->overdue);
	dr_list_init(&store->waiting);
	dr_list_init(&store->failing);
	dr_list_init(&store->idle);
	dr_strbuf_init(&store->scratch, 2 * MAX_COMMAND_BYTES);
}

void
dr_store_calls_fini(struct dr_store *store)
{
	struct dr_list *node;

	DR_ASSERT(store->in_flight == 0);
	while ((node = dr_list_pop(&store->idle)) != NULL)
		slot_free(DR_LIST_ENTRY(node, struct dr_store_slot, node));
	dr_strbuf_fini(&store->scratch);
}

/* ---- the end of a call ---- */

/* For the log: the script, or the command's first word. */
static void
complain(const struct dr_store_slot *slot, const char *what)
{
	const char *word = NULL;
	char who[32] = "command";

	if (slot->script != NULL)
		word = slot->script->name;
	else if (slot->command.len > 0) /* *3\r\n$3\r\nGET\r\n */
		word = strchr(strchr(slot->command.data, '$'), '\n') + 1;
	if (word != NULL) {
		size_t len = strcspn(word, "\r");

		if (len >= sizeof who)
			len = sizeof who - 1;
		memcpy(who, word, len);
		who[len] = '\0';
	}
	dr_store_complain(slot->store, who, what);
}

/* Exactly once per slot. Neither the slot nor the call is touched after the callback.
 */
static void
finish(struct dr_store_slot *slot, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_store_call *call = slot->call;
	bool given_up = slot->given_up;

	if (call == NULL && !given_up && err == DR_ERR_STORE_DOWN)
		complain(slot, "lost: the store is down");
	slot_release(slot);
	if (call == NULL)
		return;
	DR_CHECK(call, DR_STORE_CALL_MAGIC);
	call->slot = NULL;
	if (given_up)
		call->late(call, reply);
	else
		call->done(call, err, reply);
}

/* The caller is not to hear `done` from Redis any more; `late` keeps the call attached.
 */
static void
give_up(struct dr_store_slot *slot)
{
	struct dr_store_call *call = slot->call;

	slot->given_up = true;
	if (call != NULL && call->late == NULL) {
		slot->call = NULL;
		call->slot = NULL;
	}
}

void
dr_store_cancel(struct dr_store_call *call)
{
	if (call->slot == NULL)
		return;
	DR_CHECK(call, DR_STORE_CALL_MAGIC);
	DR_CHECK(call->slot, SLOT_MAGIC);
	if (!call->slot->given_up)
		give_up(call->slot);
}

bool
dr_store_next_due(const struct dr_store *store, uint64_t *due_ms)
{
	if (dr_list_empty(&store->flying))
		return false;
	*due_ms = DR_LIST_ENTRY(store->flying.next, struct dr_store_slot, node)->due_ms;
	return true;
}

void
dr_store_expire(struct dr_store *store, uint64_t now_ms)
{
	uint64_t due_ms;

	while (dr_store_next_due(store, &due_ms) && due_ms <= now_ms) {
		struct dr_list *node = dr_list_pop(&store->flying);
		struct dr_store_slot *slot =
		    DR_LIST_ENTRY(node, struct dr_store_slot, node);
		struct dr_store_call *call = slot->call;
		bool waiting = !slot->given_up;

		dr_list_append(&store->overdue, node);
		if (waiting && call == NULL)
			complain(slot, "no reply in time");
		give_up(slot);
		if (waiting && call != NULL)
			call->done(call, DR_ERR_STORE_DOWN, NULL);
	}
}

void
dr_store_fail_unsent(struct dr_store *store)
{
	struct dr_list *node;

	while ((node = dr_list_pop(&store->failing)) != NULL)
		finish(DR_LIST_ENTRY(node, struct dr_store_slot, node),
		    DR_ERR_STORE_DOWN, NULL);
}

/* ---- out ---- */

static void on_reply(redisAsyncContext *redis, void *answer, void *arg);

/* A call that is not sent is answered at the end of this turn, never inside the call.
 */
static void
fail_later(struct dr_store_slot *slot)
{
	struct dr_store *store = slot->store;

	dr_list_remove(&slot->node);
	dr_list_append(&store->failing, &slot->node);
	dr_loop_defer(store->loop, &store->turn_end);
}

/* Not sent: it waits for an attempt to connect, where that may succeed soon. True: it
 * does, and its command has to be written. */
static bool
waits(struct dr_store_slot *slot)
{
	struct dr_store *store = slot->store;

	if (!dr_store_may_wait(store)) {
		fail_later(slot);
		return false;
	}
	dr_list_append(&store->waiting, &slot->node);
	return true;
}

static void
send(struct dr_store_slot *slot, const struct dr_strbuf *command)
{
	struct dr_store *store = slot->store;

	DR_ASSERT(!command->failed); /* above MAX_COMMAND_BYTES: a bound is missing */
	if (redisAsyncFormattedCommand(store->redis, on_reply, slot, command->data,
		command->len) != REDIS_OK) {
		fail_later(slot); /* the connection is just breaking */
		return;
	}
	store->on_wire++;
}

static void
launch(struct dr_store_slot *slot)
{
	struct dr_store *store = slot->store;

	slot->due_ms = dr_clock_ms() + store->timeout_ms;
	if (slot->call != NULL)
		slot->call->sent = true;
	dr_list_remove(&slot->node); /* from those that wait, maybe */
	dr_list_append(&store->flying, &slot->node);
	/* Left running when the list empties: it then finds nothing due and rests. */
	if (!dr_timer_running(&store->timer))
		dr_timer_start(&store->timer, store->timeout_ms);
	send(slot, &slot->command);
}

/* One that was given up meanwhile must not run any more: its caller has been told. */
void
dr_store_send_waiting(struct dr_store *store)
{
	struct dr_list *node;

	dr_timer_stop(&store->patience);
	while ((node = dr_list_pop(&store->waiting)) != NULL) {
		struct dr_store_slot *slot =
		    DR_LIST_ENTRY(node, struct dr_store_slot, node);

		if (slot->given_up)
			fail_later(slot);
		else
			launch(slot);
	}
}

void
dr_store_fail_waiting(struct dr_store *store)
{
	struct dr_list *node;

	dr_timer_stop(&store->patience);
	while ((node = dr_list_pop(&store->waiting)) != NULL)
		fail_later(DR_LIST_ENTRY(node, struct dr_store_slot, node));
}

/* True where this connection has seen the script; else it will have after this call. */
static bool
is_loaded(struct dr_store *store, const struct dr_script *script)
{
	for (size_t i = 0; i < store->n_loaded; i++)
		if (store->loaded[i] == script)
			return true;
	if (store->n_loaded == DR_STORE_MAX_SCRIPTS)
		return true; /* NOSCRIPT will tell */
	store->loaded[store->n_loaded++] = script;
	return false;
}

void
dr_store_eval(struct dr_store *store, const char *tag, struct dr_script *script,
    size_t n_keys, const struct dr_arg *args_and_keys, size_t n_all,
    struct dr_store_call *call)
{
	struct dr_store_slot *slot;
	struct dr_strbuf count;
	bool up = dr_store_is_up(store);

	(void)tag; /* one connection serves all slots so far */
	DR_CHECK(store, DR_STORE_MAGIC);
	DR_ASSERT(n_keys <= n_all);
	slot = slot_take(store, script, call);
	if (!up && !waits(slot))
		return;
	/* what waits goes over a connection that has seen no script yet */
	slot->by_sha = up && !store->eval_only && is_loaded(store, script);
	if (slot->by_sha)
		dr_store_add_evalsha(&slot->command, script, n_all + 3);
	else
		dr_store_add_eval(&slot->command, script, n_all + 3);
	slot->args_at = slot->command.len;
	/* The number of keys, as text. */
	dr_strbuf_init(&count, 32);
	dr_strbuf_addf(&count, "%zu", n_keys);
	dr_store_add_arg(&slot->command, count.data, count.len);
	dr_strbuf_fini(&count);
	dr_store_add_args(&slot->command, args_and_keys, n_all);
	if (up)
		launch(slot);
}

void
dr_store_command(struct dr_store *store, const char *tag, const struct dr_arg *argv,
    size_t n_argv, struct dr_store_call *call)
{
	struct dr_store_slot *slot;
	bool up = dr_store_is_up(store);

	(void)tag;
	DR_CHECK(store, DR_STORE_MAGIC);
	DR_ASSERT(n_argv > 0);
	slot = slot_take(store, NULL, call);
	if (!up && !waits(slot))
		return;
	dr_store_add_count(&slot->command, '*', n_argv);
	dr_store_add_args(&slot->command, argv, n_argv);
	if (up)
		launch(slot);
}

/* ---- and back ---- */

/*
 * Redis does not have the script. Nothing has run, so a caller that still waits loses
 * nothing; the call keeps its deadline. One that was given up must not run any more:
 * its caller has been told that it failed.
 */
static void
send_as_eval(struct dr_store_slot *slot)
{
	struct dr_store *store = slot->store;
	struct dr_strbuf *buf = &store->scratch;
	size_t n_words = strtoul(slot->command.data + 1, NULL, 10);

	slot->by_sha = false;
	dr_strbuf_clear(buf);
	dr_store_add_eval(buf, slot->script, n_words);
	dr_strbuf_add(
	    buf, slot->command.data + slot->args_at, slot->command.len - slot->args_at);
	send(slot, buf);
}

static void
on_error(struct dr_store_slot *slot, const char *text)
{
	struct dr_store *store = slot->store;
	enum dr_error err = dr_store_error_of(text);
	char what[400];
	bool always = false;

	if (slot->by_sha && dr_store_wants_eval(text, &always)) {
		store->eval_only |= always;
		if (!slot->given_up)
			send_as_eval(slot);
		else
			finish(slot, DR_ERR_STORE_DOWN, NULL);
		return;
	}
	snprintf(what, sizeof what, "%s: %.*s",
	    err == DR_ERR_INTERNAL ? "error reply" : "Redis cannot serve it",
	    dr_store_printable(text), text);
	complain(slot, what);
	/* First the connection, so that `done` finds the store as it is now. */
	if (dr_store_error_is(text, "READONLY"))
		dr_store_drop(store, "Redis turned into a read-only replica", true);
	slot->given_up |= slot->call == NULL; /* logged already */
	finish(slot, err, NULL);
}

static void
on_reply(redisAsyncContext *redis, void *answer, void *arg)
{
	struct dr_store_slot *slot = arg;
	const redisReply *reply = answer;

	DR_CHECK(slot, SLOT_MAGIC);
	if (reply == NULL) {
		dr_store_gone(slot->store, redis);
		finish(slot, DR_ERR_STORE_DOWN, NULL);
		return;
	}
	dr_store_heard(slot->store);
	if (reply->type == REDIS_REPLY_ERROR)
		on_error(slot, reply->str);
	else
		finish(slot, DR_OK, answer);
}

/* ---- numbers ---- */

size_t
dr_store_in_flight(const struct dr_store *store)
{
	return store->in_flight;
}

uint64_t
dr_store_replies(const struct dr_store *store)
{
	return store->n_replies;
}
