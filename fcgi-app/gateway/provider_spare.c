/*
 * provider_spare - slots that one request has given back and the next will take.
 *
 * Most requests find one: two commands less to Redis. A spare one is counted there like
 * one in use, so max_concurrency stays exact. That nobody is told "full" for their
 * sake, a process keeps few, each for a moment, and none of a provider that is half
 * full.
 */
#include "base/clock.h"
#include "gateway/providers_priv.h"

#define TICKS_PER_LEASE 30
#define SHARE           8 /* of a provider's slots, one in so many may be spare here */

uint64_t
dr_slots_tick_ms(const struct dr_providers *providers)
{
	return providers->lease_ms / TICKS_PER_LEASE + 1;
}

void
dr_slots_tick(struct dr_providers *providers)
{
	if (!dr_timer_running(&providers->renew_timer))
		dr_timer_start(&providers->renew_timer, dr_slots_tick_ms(providers));
}

/* Is there a third of its life to spare, until it was renewed while it is held? */
static bool
is_fresh(const struct dr_slot *slot)
{
	return dr_clock_ms() - slot->renewed_ms < slot->providers->lease_ms / 3;
}

bool
dr_spare_may_stay(const struct dr_slot *slot)
{
	const struct dr_provider *provider = slot->provider;
	unsigned slots = provider->presence.slots;

	return !slot->providers->stopped && dr_store_is_up(slot->providers->store) &&
	       provider->n_spare < slots / SHARE &&
	       provider->running + provider->n_spare < slots / 2 && is_fresh(slot);
}

void
dr_spare_keep(struct dr_slot *slot)
{
	slot->spare_ms = dr_clock_ms();
	dr_slot_move(slot, &slot->providers->spare);
	dr_list_append(&slot->provider->spare, &slot->spare_node);
	slot->provider->n_spare++;
	dr_slots_tick(slot->providers);
}

void
dr_spare_end(struct dr_slot *slot)
{
	dr_list_remove(&slot->spare_node);
	slot->provider->n_spare--;
}

struct dr_slot *
dr_spare_take(struct dr_providers *providers, struct dr_provider *provider)
{
	while (provider->n_spare > 0 && dr_store_is_up(providers->store) &&
	       provider->running < provider->presence.slots) {
		struct dr_slot *slot =
		    DR_LIST_ENTRY(provider->spare.prev, struct dr_slot, spare_node);

		DR_CHECK(slot, DR_SLOT_MAGIC);
		dr_spare_end(slot);
		if (is_fresh(slot))
			return slot;
		dr_slot_give_back(slot);
	}
	return NULL;
}

void
dr_spare_return(struct dr_providers *providers, uint64_t unused_ms)
{
	while (!dr_list_empty(&providers->spare)) {
		struct dr_slot *slot =
		    DR_LIST_ENTRY(providers->spare.next, struct dr_slot, node);

		DR_CHECK(slot, DR_SLOT_MAGIC);
		if (dr_clock_ms() - slot->spare_ms < unused_ms)
			break;
		dr_spare_end(slot);
		dr_slot_give_back(slot);
	}
}
