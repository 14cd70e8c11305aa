/*
 * providers_priv - what the files of providers share; for nobody else.
 *
 *   providers.c           the directory, as the others ask it
 *   providers_poll.c      how it gets here from Redis
 *   providers_presence.c  what a poll comes to: who is there, who rests when
 *   provider_slots.c      slots: taken, renewed, given back
 *   provider_spare.c      slots between two requests
 *   provider_share.c      trouble, told to the other processes and heard of from them
 */
#ifndef DR_PROVIDERS_PRIV_H
#define DR_PROVIDERS_PRIV_H

#include <sys/stat.h>

#include "gateway/providers.h"

struct dr_entry; /* one name of the directory (providers_poll.c) */

struct dr_providers {
	unsigned magic;
#define DR_PROVIDERS_MAGIC 0x9201d302
	struct dr_loop *loop;   /* borrowed */
	struct dr_store *store; /* borrowed */
	struct dr_seal_key key; /* a copy: read anew where a credential does not open */
	char *key_file;         /* owned: secrets_key_file; NULL: none is named */
	struct stat key_stat;   /* ... as it was when it was read last */
	uint64_t poll_ms, lease_ms;
	struct dr_breaker_rules rules;
	uint64_t random; /* state of dr_providers_random() */

	/* the directory */
	struct dr_entry **entries; /* owned, as the array */
	size_t n_entries;
	size_t found_at;           /* where the last name was found: the next is near */
	struct dr_provider **list; /* owned array of borrowed: those that can be read */
	size_t n_list;
	bool ready, stopped;
	bool rests_stale; /* the list has changed since rests were dealt out */
	bool away;        /* the last poll failed */
	bool poll_failed; /* ... and this one, so far */
	size_t reading;   /* records still to come in this poll */
	struct dr_store_call names;
	struct dr_store_call watch; /* is the watcher there? */
	bool watched;               /* it was, at the last poll that could tell */
	struct dr_timer poll_timer;
	uint32_t bad_names; /* digest of those already reported */

	/* what is told to the other processes */
	uint64_t turn;        /* counts what is told */
	struct dr_list notes; /* failures whose answer is still to come */

	/* slots; each struct dr_slot stands in one of these */
	struct dr_list held;  /* the one renewed longest ago comes first */
	struct dr_list calls; /* a take or a give is under way */
	struct dr_list owed;  /* to be given back when Redis is there again */
	struct dr_list spare; /* the one unused for longest comes first */
	size_t n_held, n_slots;
	struct dr_timer renew_timer; /* runs while something is held or spare */
};

/* ---- providers_poll.c ---- */

void dr_poll_init(struct dr_providers *providers); /* the first poll is due at once */
void dr_poll_fini(struct dr_providers *providers); /* the list is empty then */

/* ---- providers_presence.c ---- */

/* A provider's state has been read, or could not be: what is it to requests? News are
 * logged. */
void dr_presence_note(struct dr_providers *providers, struct dr_provider *provider);
/* Who rests when is a matter of all of them: worked out at the end of each poll that
 * brought a change. */
void dr_presence_deal_rests(struct dr_providers *providers);
/* Before the names, so that its answer is in when the states are read. */
void dr_presence_ask_for_watcher(struct dr_providers *providers);

/* ---- provider_share.c ---- */

void dr_share_init(struct dr_providers *providers);
void dr_share_fini(struct dr_providers *providers);
/* Its state was read by a poll that left at this turn: take over what others found. */
void dr_share_hear(struct dr_provider *provider, uint64_t asked);
/* A probe ended without an outcome. */
void dr_share_give_up(
    struct dr_providers *providers, struct dr_provider *provider, int64_t claim);
/* Say what has turned since `before`, and who saw it. */
void dr_share_log(const struct dr_provider *provider, const struct dr_breaker *before,
    const char *who);

/* ---- provider_slots.c ---- */

/* What stays behind of a lease: a command in flight cannot be called back. */
struct dr_slot {
	unsigned magic;
#define DR_SLOT_MAGIC 0x51070001
	struct dr_providers *providers;  /* borrowed; NULL once they are gone */
	struct dr_provider *provider;    /* a reference */
	struct dr_provider_lease *lease; /* borrowed; NULL: its owner has let go */
	struct dr_list node;             /* in held, calls, owed or spare */
	struct dr_list spare_node;       /* in provider->spare */
	struct dr_store_call call;
	struct dr_deferred soon; /* a spare one was taken: tell its owner */
	uint64_t renewed_ms;     /* its lease lasts lease_time from here at the least */
	uint64_t spare_ms;       /* since when it is spare */
	char id[DR_LEASE_ID_SIZE];
};

void dr_slots_init(struct dr_providers *providers);
void dr_slots_fini(struct dr_providers *providers);
/* Redis is there again: renew what is held, give back what is owed. */
void dr_slots_recover(struct dr_providers *providers);
/* Redis counts so many leases of the provider: note it. */
void dr_slots_counted(struct dr_provider *provider, int64_t n);
void dr_slot_give_back(struct dr_slot *slot);
void dr_slot_free(struct dr_slot *slot);
void dr_slot_move(struct dr_slot *slot, struct dr_list *list);

/* ---- provider_spare.c ---- */

/* How often leases are looked at, and how long a slot stays spare. */
uint64_t dr_slots_tick_ms(const struct dr_providers *providers);
void dr_slots_tick(struct dr_providers *providers);
bool dr_spare_may_stay(const struct dr_slot *slot);
void dr_spare_keep(struct dr_slot *slot); /* one that nobody holds any more */
void dr_spare_end(struct dr_slot *slot);  /* the caller finds it another list */
/* NULL: there is none. */
struct dr_slot *dr_spare_take(
    struct dr_providers *providers, struct dr_provider *provider);
/* Give back those that nobody has used for so long. */
void dr_spare_return(struct dr_providers *providers, uint64_t unused_ms);

#endif
