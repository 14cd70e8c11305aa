/*
 * provider_slots - the second half of providers.h: slots taken, renewed and given back.
 *
 * A lease is its owner's; what cannot be called back, a command in flight, belongs to a
 * struct dr_slot, which outlives the lease until Redis has answered. So a take that is
 * forgotten, or that is answered after its deadline, gives back what it got; and a give
 * that met an outage is made up for afterwards. What is lost all the same lapses after
 * lease_time.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/providers_priv.h"
#include "scripts/scripts.h"

#define SHARE       10  /* of the leases held, one in so many is renewed in each tick */
#define MAX_RENEWED 256 /* ids in one command: Lua's unpack() has a limit */

static void on_taken(
    struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply);
static void on_taken_late(struct dr_store_call *call, const struct dr_reply *reply);
static void on_given(
    struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply);
static void on_taken_spare(struct dr_deferred *work);
static void on_renew(struct dr_timer *timer);

static struct dr_slot *
slot_of(struct dr_store_call *call)
{
	struct dr_slot *slot = DR_CONTAINER_OF(call, struct dr_slot, call);

	DR_CHECK(slot, DR_SLOT_MAGIC);
	return slot;
}

void
dr_slot_free(struct dr_slot *slot)
{
	DR_ASSERT(slot->call.slot == NULL && dr_list_empty(&slot->spare_node));
	dr_deferred_cancel(&slot->soon);
	dr_list_remove(&slot->node);
	if (slot->providers != NULL)
		slot->providers->n_slots--;
	dr_provider_unref(&slot->provider);
	DR_FREE(slot);
}

void
dr_slot_move(struct dr_slot *slot, struct dr_list *list)
{
	dr_list_remove(&slot->node);
	dr_list_append(list, &slot->node);
}

static struct dr_arg
arg(const char *text)
{
	return (struct dr_arg){ text, strlen(text) };
}

/* ---- giving back ---- */

void
dr_slot_give_back(struct dr_slot *slot)
{
	struct dr_providers *providers = slot->providers;
	char tag[DR_PROVIDER_KEY_SIZE], key[DR_PROVIDER_KEY_SIZE];
	struct dr_arg argv[3];

	dr_provider_key_tag(slot->provider->record->name, tag);
	dr_provider_key_running(slot->provider->record->name, key);
	argv[0] = arg("ZREM");
	argv[1] = arg(key);
	argv[2] = arg(slot->id);
	dr_slot_move(slot, &providers->calls);
	slot->call.done = on_given;
	slot->call.late = NULL;
	dr_store_command(providers->store, tag, argv, 3, &slot->call);
}

static void
on_given(struct dr_store_call *call, enum dr_error err,
    DR_UNUSED const struct dr_reply *reply)
{
	struct dr_slot *slot = slot_of(call);

	if (err == DR_ERR_STORE_DOWN)
		dr_slot_move(slot, &slot->providers->owed);
	else
		dr_slot_free(slot);
}

/* Has the same request taken a slot of the same provider anew? Then that one is not
 * ours to end. */
static bool
is_taken_anew(const struct dr_slot *slot)
{
	struct dr_providers *providers = slot->providers;
	struct dr_list *lists[] = { &providers->held, &providers->spare,
		&providers->calls };

	for (size_t i = 0; i < DR_N_ELEMENTS(lists); i++)
		DR_LIST_FOREACH (node, lists[i]) {
			struct dr_slot *other =
			    DR_LIST_ENTRY(node, struct dr_slot, node);

			if (other != slot &&
			    (other->lease != NULL || lists[i] == &providers->spare) &&
			    strcmp(other->id, slot->id) == 0 &&
			    strcmp(other->provider->record->name,
				slot->provider->record->name) == 0)
				return true;
		}
	return false;
}

static void
give_back_or_forget(struct dr_slot *slot)
{
	if (is_taken_anew(slot))
		dr_slot_free(slot);
	else
		dr_slot_give_back(slot);
}

void
dr_provider_give(struct dr_providers *providers, struct dr_provider_lease *lease)
{
	struct dr_slot *slot = lease->slot;

	if (lease->magic == 0 || lease->provider == NULL)
		return;
	DR_CHECK(lease, DR_PROVIDER_LEASE_MAGIC);
	DR_CHECK(providers, DR_PROVIDERS_MAGIC);
	lease->slot = NULL;
	if (slot != NULL) {
		slot->lease = NULL;
		if (lease->held) {
			providers->n_held--;
			if (lease->provider->running > 0)
				lease->provider->running--;
			dr_deferred_cancel(&slot->soon);
			if (dr_spare_may_stay(slot)) {
				lease->n_left++;
				dr_spare_keep(slot);
			} else {
				dr_slot_give_back(slot);
			}
		} else {
			dr_store_cancel(&slot->call); /* on_taken_late() sees to it */
		}
	}
	if (lease->probe)
		dr_share_give_up(providers, lease->provider, lease->claim);
	lease->held = lease->probe = false;
	dr_provider_unref(&lease->provider);
}

/* ---- taking ---- */

static void
hold(struct dr_slot *slot)
{
	struct dr_providers *providers = slot->providers;

	dr_slot_move(slot, &providers->held);
	providers->n_held++;
	dr_slots_tick(providers);
}

static struct dr_slot *
slot_new(struct dr_providers *providers, struct dr_provider *provider,
    struct dr_provider_lease *lease, const char *request_id)
{
	struct dr_slot *slot = dr_calloc(1, sizeof *slot);
	int n;

	slot->magic = DR_SLOT_MAGIC;
	slot->providers = providers;
	slot->provider = dr_provider_ref(provider);
	slot->renewed_ms = dr_clock_ms();
	/* a spare one may be another's by now: the next has a name of its own */
	n = lease->n_left == 0 ? snprintf(slot->id, sizeof slot->id, "%s", request_id)
			       : snprintf(slot->id, sizeof slot->id, "%s.%u",
				     request_id, lease->n_left);
	DR_ASSERT(n > 0 && (size_t)n < sizeof slot->id);
	dr_list_init(&slot->node);
	dr_list_init(&slot->spare_node);
	dr_deferred_init(&slot->soon, on_taken_spare);
	slot->call.done = on_taken;
	slot->call.late = on_taken_late;
	providers->n_slots++;
	return slot;
}

static void
ask(struct dr_slot *slot, bool probe)
{
	struct dr_providers *providers = slot->providers;
	struct dr_provider *provider = slot->provider;
	char tag[DR_PROVIDER_KEY_SIZE], key[DR_PROVIDER_KEY_SIZE], max[16], ms[24];
	char state[DR_PROVIDER_KEY_SIZE], generation[24], probe_ms[24];
	struct dr_arg args[7];
	size_t n = 0;

	dr_slot_move(slot, &providers->calls);
	dr_provider_key_tag(provider->record->name, tag);
	dr_provider_key_running(provider->record->name, key);
	dr_provider_key_state(provider->record->name, state);
	snprintf(max, sizeof max, "%u", provider->presence.slots);
	snprintf(ms, sizeof ms, "%llu", (unsigned long long)providers->lease_ms);
	snprintf(generation, sizeof generation, "%lld",
	    (long long)provider->record->generation);
	snprintf(probe_ms, sizeof probe_ms, "%llu",
	    (unsigned long long)providers->rules.open_ms);
	args[n++] = arg(key);
	if (probe)
		args[n++] = arg(state);
	args[n++] = arg(slot->id);
	args[n++] = arg(max);
	args[n++] = arg(ms);
	if (probe) { /* with the claim of the turn, over all processes */
		args[n++] = arg(generation);
		args[n++] = arg(probe_ms);
		provider->told = ++providers->turn;
	}
	dr_store_eval(providers->store, tag, &dr_script_provider_take, probe ? 2 : 1,
	    args, n, &slot->call);
}

void
dr_provider_take(struct dr_providers *providers, struct dr_provider_lease *lease,
    struct dr_provider *provider, const char *request_id,
    void (*done)(struct dr_provider_lease *, enum dr_error))
{
	struct dr_slot *slot;

	DR_CHECK(providers, DR_PROVIDERS_MAGIC);
	DR_CHECK(provider, DR_PROVIDER_MAGIC);
	dr_provider_give(providers, lease);
	lease->magic = DR_PROVIDER_LEASE_MAGIC;
	lease->provider = dr_provider_ref(provider);
	lease->done = done;
	lease->probe =
	    dr_breaker_claim(&provider->breaker, &providers->rules, dr_clock_ms());
	lease->claim = 0;
	/* a probe asks for its turn; while Redis is away each process sends its own */
	slot = lease->probe && dr_store_is_up(providers->store)
		   ? NULL
		   : dr_spare_take(providers, provider);
	if (slot != NULL) {
		provider->running++;
		lease->held = true;
		hold(slot);
		dr_loop_defer(providers->loop, &slot->soon);
	} else {
		slot = slot_new(providers, provider, lease, request_id);
		ask(slot, lease->probe);
	}
	slot->lease = lease;
	lease->slot = slot;
}

void
dr_slots_counted(struct dr_provider *provider, int64_t n)
{
	unsigned count = n > 0 ? (unsigned)n : 0;

	provider->running = count > provider->n_spare ? count - provider->n_spare : 0;
	provider->counted_ms = dr_clock_ms();
}

/* What the script says: positive, the slots in use with ours; negative, full. A probe's
 * answer has that first. */
static bool
note_count(struct dr_provider *provider, const struct dr_reply *reply)
{
	bool is_probe = dr_reply_type(reply) == DR_REPLY_ARRAY;
	int64_t n = dr_reply_int(is_probe ? dr_reply_at(reply, 0) : reply, 0);

	if (is_probe && dr_reply_int(dr_reply_at(reply, 1), 0) > 0)
		return false; /* not its turn: nothing was counted */

	dr_slots_counted(provider, n < 0 ? -n : n);
	return n > 0;
}

static void
on_taken_spare(struct dr_deferred *work)
{
	struct dr_slot *slot = DR_CONTAINER_OF(work, struct dr_slot, soon);

	DR_CHECK(slot, DR_SLOT_MAGIC);
	DR_CHECK(slot->lease, DR_PROVIDER_LEASE_MAGIC);
	slot->lease->done(slot->lease, DR_OK);
}

/* Is it its turn? False: another process took it. */
static bool
has_turn(struct dr_provider_lease *lease, const struct dr_reply *reply)
{
	int64_t wait_ms = dr_reply_int(dr_reply_at(reply, 1), 0);

	lease->claim = dr_reply_int(dr_reply_at(reply, 2), 0);
	if (wait_ms <= 0)
		return true;
	dr_breaker_yield(&lease->provider->breaker, (uint64_t)wait_ms, dr_clock_ms());
	lease->probe = false;
	return false;
}

static void
on_taken(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_slot *slot = slot_of(call);
	struct dr_provider_lease *lease = slot->lease;

	DR_CHECK(lease, DR_PROVIDER_LEASE_MAGIC);
	if (err == DR_OK && lease->probe && !has_turn(lease, reply))
		err = DR_ERR_OFFLINE;
	else if (err == DR_OK && !note_count(slot->provider, reply))
		err = DR_ERR_FULL;
	lease->held = err == DR_OK;
	if (lease->held) {
		hold(slot);
	} else {
		slot->lease = NULL;
		lease->slot = NULL;
		if (lease->probe)
			(void)dr_breaker_give_up(
			    &lease->provider->breaker, dr_clock_ms());
		lease->probe = false;
		if (call->slot != NULL) {
			/* past its deadline: on_taken_late() will follow */
		} else if (err == DR_ERR_STORE_DOWN && slot->call.sent) {
			dr_slot_move(
			    slot, &slot->providers->owed); /* perhaps executed */
		} else {
			dr_slot_free(slot);
		}
	}
	lease->done(lease, err);
}

static void
on_taken_late(struct dr_store_call *call, const struct dr_reply *reply)
{
	struct dr_slot *slot = slot_of(call);

	DR_ASSERT(slot->lease == NULL);
	if (slot->providers == NULL)
		dr_slot_free(slot);
	else if (reply == NULL && slot->call.sent)
		dr_slot_move(slot, &slot->providers->owed);
	else if (reply != NULL && note_count(slot->provider, reply))
		give_back_or_forget(slot);
	else
		dr_slot_free(slot);
}

/* ---- renewing ---- */

/* Renew the first of `due` and those behind it that have the same provider. */
static void
renew_some(struct dr_providers *providers, struct dr_list *due)
{
	struct dr_slot *first = DR_LIST_ENTRY(due->next, struct dr_slot, node);
	char tag[DR_PROVIDER_KEY_SIZE], key[DR_PROVIDER_KEY_SIZE], ms[24];
	struct dr_arg args[2 + MAX_RENEWED];
	size_t n = 2;

	dr_provider_key_tag(first->provider->record->name, tag);
	dr_provider_key_running(first->provider->record->name, key);
	snprintf(ms, sizeof ms, "%llu", (unsigned long long)providers->lease_ms);
	args[0] = arg(key);
	args[1] = arg(ms);
	DR_LIST_FOREACH_SAFE (node, due) {
		struct dr_slot *slot = DR_LIST_ENTRY(node, struct dr_slot, node);

		DR_CHECK(slot, DR_SLOT_MAGIC);
		if (slot->provider != first->provider)
			continue;
		args[n++] = arg(slot->id);
		slot->renewed_ms = dr_clock_ms();
		dr_slot_move(slot, &providers->held);
		if (n == DR_N_ELEMENTS(args))
			break;
	}
	dr_store_eval(
	    providers->store, tag, &dr_script_provider_renew, 1, args, n, NULL);
}

/* The `n` that were renewed longest ago. */
static void
renew(struct dr_providers *providers, size_t n)
{
	struct dr_list due = DR_LIST_INIT(due);

	if (!dr_store_is_up(providers->store))
		return; /* dr_slots_recover() renews them all */
	for (size_t i = 0; i < n && !dr_list_empty(&providers->held); i++)
		dr_slot_move(
		    DR_LIST_ENTRY(providers->held.next, struct dr_slot, node), &due);
	while (!dr_list_empty(&due))
		renew_some(providers, &due);
}

static void
on_renew(struct dr_timer *timer)
{
	struct dr_providers *providers =
	    DR_CONTAINER_OF(timer, struct dr_providers, renew_timer);

	DR_CHECK(providers, DR_PROVIDERS_MAGIC);
	dr_spare_return(providers, dr_slots_tick_ms(providers));
	renew(providers, (providers->n_held + SHARE - 1) / SHARE);
	if (providers->n_held > 0 || !dr_list_empty(&providers->spare))
		dr_slots_tick(providers);
}

void
dr_slots_recover(struct dr_providers *providers)
{
	struct dr_list owed = DR_LIST_INIT(owed);

	dr_spare_return(providers, 0); /* Redis may have lost them */
	renew(providers, providers->n_held);
	dr_list_take_all(&owed, &providers->owed);
	while (!dr_list_empty(&owed))
		give_back_or_forget(DR_LIST_ENTRY(owed.next, struct dr_slot, node));
}

/* ---- from first to last ---- */

size_t
dr_providers_leases(const struct dr_providers *providers)
{
	DR_CHECK(providers, DR_PROVIDERS_MAGIC);
	return providers->n_slots;
}

void
dr_slots_init(struct dr_providers *providers)
{
	dr_list_init(&providers->held);
	dr_list_init(&providers->calls);
	dr_list_init(&providers->owed);
	dr_list_init(&providers->spare);
	dr_timer_init(&providers->renew_timer, providers->loop, on_renew);
}

void
dr_slots_fini(struct dr_providers *providers)
{
	struct dr_list *node;

	DR_ASSERT(providers->n_held == 0);
	dr_timer_stop(&providers->renew_timer);
	dr_list_take_all(&providers->calls, &providers->owed);
	while ((node = dr_list_pop(&providers->spare)) != NULL) {
		struct dr_slot *slot = DR_LIST_ENTRY(node, struct dr_slot, node);

		DR_CHECK(slot, DR_SLOT_MAGIC);
		dr_spare_end(slot); /* without a drain: it lapses */
		dr_slot_free(slot);
	}
	while ((node = dr_list_pop(&providers->calls)) != NULL) {
		struct dr_slot *slot = DR_LIST_ENTRY(node, struct dr_slot, node);

		DR_CHECK(slot, DR_SLOT_MAGIC);
		DR_ASSERT(slot->lease == NULL);
		dr_store_cancel(&slot->call);
		if (slot->call.slot == NULL) {
			dr_slot_free(slot);
			continue;
		}
		/* on_taken_late() is still to come */
		slot->providers = NULL;
		providers->n_slots--;
	}
	DR_ASSERT(providers->n_slots == 0);
}
