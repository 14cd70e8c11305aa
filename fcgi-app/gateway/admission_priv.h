/*
 * admission_priv - what the files of the admission share; for nobody else.
 *
 *   admission.c         its life, the keys in use, bookings asked for and cancelled
 *   admission_reply.c   what the admit script said
 *   admission_settle.c  settlements; what Redis does not have, or may not have kept
 *   lease.c             the clock: renewing leases, the sweep's index
 *   key_read.c          GET /v1/key
 */
#ifndef DR_ADMISSION_PRIV_H
#define DR_ADMISSION_PRIV_H

#include "gateway/admission.h"
#include "gateway/recent.h"
#include "gateway/spool.h"
#include "gateway/spool_record.h"

#define DR_IN_USE_SLOTS 4096 /* a collision costs a round trip, nothing else */
#define DR_IN_USE_MS    10000

/* A key that this process has served lately. */
struct dr_key_seen {
	uint64_t hash;       /* of the account and the secret's digest; 0: free */
	uint64_t good_until; /* dr_clock_ms() */
	uint64_t
	    index_due; /* when the account's line in the sweep's index is renewed */
};

struct dr_admission {
	unsigned magic;
#define DR_ADMISSION_MAGIC 0xad3155e1
	struct dr_loop *loop;   /* borrowed */
	struct dr_store *store; /* borrowed */
	struct dr_list
	    asked; /* bookings whose admit script is under way, given up or not */
	struct dr_list open; /* booked; those renewed longest ago first */
	size_t n_open;
	struct dr_list freed;    /* booked too, without a slot: not renewed */
	struct dr_list settling; /* settlements that Redis is being told */
	size_t n_settling;
	struct dr_spool *spool;  /* owned; NULL: none (then an outage loses charges) */
	struct dr_recent recent; /* what Redis has acknowledged lately */
	uint64_t keep_ms;        /* ... and for how long */
	/* the Redis that has it, and with which history; "": not known yet */
	char server_id[DR_STORE_SERVER_ID_SIZE];
	struct dr_timer tick;
	int64_t lease_ms;         /* of the last query: the pace of renewals */
	uint64_t reachable_since; /* dr_clock_ms(); 0: Redis is away */
	bool was_away;            /* ... and the leases have not been renewed since */
	struct dr_key_seen seen[DR_IN_USE_SLOTS];
};

/*
 * What Redis has booked, or is being asked to. It outlives a ticket that was cancelled
 * while its script was on the way.
 */
struct dr_booking {
	unsigned magic;
#define DR_BOOKING_MAGIC 0xb00c1401
	struct dr_store_call call;      /* the admit script */
	struct dr_admission *admission; /* borrowed; NULL once it is gone */
	struct dr_ticket *ticket;       /* borrowed; NULL: nobody waits for it */
	struct dr_list node;            /* in asked or open */
	bool open;                      /* Redis has it */
	enum dr_admit_mode mode;
	struct dr_api_key key;
	char request_id[DR_REQUEST_ID_SIZE];
	char window[DR_WINDOW_SIZE];
	int64_t arrived_ms; /* Redis' clock: as it stands in the list of arrivals */
	int64_t slice_nano; /* a renewal holds the cost so far plus this */
	int64_t lease_ms, clock_offset_ms;
	uint64_t renewed_ms; /* dr_clock_ms() */
	uint64_t booked_ms;  /* dr_clock_ms() of the reply */
};

/* ---- admission.c ---- */

void dr_booking_free(struct dr_booking *booking);
/* Redis answered, or did not: what that says about how long it has been there. */
void dr_admission_heard(struct dr_admission *admission, enum dr_error err);
struct dr_key_seen *dr_admission_seen(
    struct dr_admission *admission, const struct dr_api_key *key, uint64_t *hash);

/* ---- admission_reply.c ---- */

/* The script's verdict; *out is filled, its models replaced. */
enum dr_error dr_admit_reply_read(
    const struct dr_reply *reply, struct dr_admitted *out);

/* ---- admission_settle.c ---- */

/* A booking that nobody wants any more: at no charge and without a trace, its place in
 * the minute too. */
void dr_booking_give_back(struct dr_booking *booking);
/* Redis is there: what waits in the spool, and what another Redis may not have. */
void dr_settlements_resend(struct dr_admission *admission);
/* dr_spool_options.send; arg is the admission. */
enum dr_spool_sending dr_settlement_from_spool(
    void *arg, const char *payload, size_t len, int64_t age_ms);
/* The admission goes: what is under way goes to the spool. */
void dr_settlements_orphan(struct dr_admission *admission);

/* ---- lease.c ---- */

void dr_lease_start(struct dr_admission *admission);
/* Leases are this long from now on. */
void dr_lease_pace(struct dr_admission *admission, int64_t lease_ms);
/* A booking runs: it is renewed until dr_lease_end(). */
void dr_lease_begin(struct dr_booking *booking);
void dr_lease_end(struct dr_booking *booking);

#endif
