/*
 * deposits_priv - one chain that is followed; shared by deposits*.c only.
 *
 * A round: have the chain's lock, load what Redis knows, ask for the heads, find out
 * about re-organisations, look through new blocks, then through blocks that became
 * final, review the deposits that are not final, let wallets claim theirs. Steps follow
 * one another through callbacks; whatever goes wrong ends the round (dr_follow_fail),
 * and the next one begins where Redis says.
 */
#ifndef DR_DEPOSITS_PRIV_H
#define DR_DEPOSITS_PRIV_H

#include "io/store.h"
#include "gateway/chain_rpc.h"
#include "operator/chain_scan.h"
#include "operator/watcher.h"

#define FOLLOW_KEY_SIZE    192
#define FOLLOW_ID_SIZE     96 /* HASH:POS */
#define FOLLOW_CHECKPOINTS 64
#define FOLLOW_ACCOUNT     64

/* A transfer on its way into Redis, or a deposit that is reviewed. */
struct follow_item {
	struct dr_store_call call;
	struct follow *follow; /* borrowed */
	struct dr_scan_log log;
	size_t position;
	char id[FOLLOW_ID_SIZE];
	char account[FOLLOW_ACCOUNT];
	/* review */
	char status[16], generation[24];
	int64_t nano;
	enum dr_scan_verdict verdict;
};

struct deposits;

struct follow {
	unsigned magic;
#define FOLLOW_MAGIC 0xf0110a01
	struct deposits *duty;        /* borrowed */
	struct dr_watcher *watcher;   /* borrowed */
	const struct dr_chain *chain; /* borrowed from `config` */
	struct dr_config *config; /* owned reference: chains change by restart only */
	struct dr_rpc *rpc;       /* owned */
	struct dr_timer timer;
	struct dr_store_call call;
	uint64_t wait_ms;    /* after the last failure; 0: none */
	uint64_t next_at_ms; /* of the next round */
	int64_t notify;      /* as read last */

	/* deposits_lock.c */
	char name[17]; /* of this watcher */
	bool locked;   /* this watcher follows the chain */
	bool waits;    /* another one does; told once */
	struct dr_store_call lock_call;
	struct dr_timer lock_timer;

	/* of this round */
	struct dr_scan_heads heads;
	int64_t next, final_next; /* cursors; -1: none yet */
	struct dr_scan_block checkpoints[FOLLOW_CHECKPOINTS];
	size_t n_checkpoints;
	bool pending; /* something waits for confirmations */
	bool rotate;  /* ask another node in the next round */

	/* of a scan */
	bool final_pass;
	bool second_node;         /* ... by another node than the first pass */
	bool second_failed;       /* that node is out of order: told once, asked ... */
	uint64_t second_again_ms; /* ... again from then on */
	size_t first_node;
	int64_t span, from, to;
	struct dr_scan_block last; /* block `to` */
	struct follow_item *items; /* owned */
	size_t n_items, at, chunk; /* at: first of the batch under way */
	size_t n_open;             /* store calls not answered yet */
	bool store_failed;

	size_t open_offset, senders_offset; /* pages */
	struct follow_item *reviews;        /* owned */
	size_t n_reviews;
	char **senders; /* owned */
	size_t n_senders;
};

/* {dep:CHAIN}:... */
void dr_follow_key(const struct follow *f, char out[FOLLOW_KEY_SIZE], const char *what,
    const char *more);
void dr_follow_eval(struct follow *f, struct dr_script *script, size_t n_keys,
    const char *const *words, size_t n, struct dr_store_call *call);
void dr_follow_eval_account(struct follow *f, const char *account,
    struct dr_script *script, const char *const *words, size_t n,
    struct dr_store_call *call);

/* The round ends in failure; `why` stands in the log and in the chain's state. */
void dr_follow_fail(struct follow *f, const char *why);
void dr_follow_store_failed(struct follow *f, enum dr_error err);

/* deposits_lock.c: then dr_follow_locked(), where `wait_ms` is when to ask again if
 * f->locked is still false. */
void dr_follow_lock_init(struct follow *f);
void dr_follow_lock(struct follow *f);
void dr_follow_unlock(struct follow *f);                   /* gives it back */
void dr_follow_locked(struct follow *f, uint64_t wait_ms); /* deposits.c */

/* deposits_heads.c: then dr_follow_scan(). */
void dr_follow_heads(struct follow *f);

/* deposits_scan.c: then dr_follow_scanned(). */
void dr_follow_scan(struct follow *f, bool final_pass);
void dr_follow_scanned(struct follow *f); /* deposits.c */
/* Keys and words of deposit_seen for this item. */
void dr_follow_seen(struct follow *f, struct follow_item *item,
    const struct dr_scan_log *log, struct dr_store_call *call);

/* deposits_review.c: then dr_follow_reviewed(). */
void dr_follow_review(struct follow *f);
void dr_follow_reviewed(struct follow *f); /* deposits.c */
void dr_follow_take_open(struct follow *f, const struct dr_reply *rows);

/* deposits_claim.c: then dr_follow_claimed(). */
void dr_follow_claim(struct follow *f);
void dr_follow_claimed(struct follow *f); /* deposits.c */
/* sender -> account: the one place that says whose deposit a transfer is. */
void dr_follow_resolve(struct follow *f, const char *from, struct dr_store_call *call);

#endif
