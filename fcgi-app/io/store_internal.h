/*
 * store_internal - what the six files of the store share; for nobody else.
 *
 *   store.c          when: deadlines, the circuit, what is logged
 *   store_connect.c  how: connecting, the handshake, hiredis on our loop
 *   store_info.c     what Redis says of itself: may it hold money, and which one is it
 *   store_call.c     calls: slots, the wire format, what a reply means for its call
 *   store_write.c    pure: a command's bytes
 *   store_reply.c    pure: reading replies and naming errors
 */
#ifndef DR_STORE_INTERNAL_H
#define DR_STORE_INTERNAL_H

#include "base/strbuf.h"
#include "io/store.h"

struct redisAsyncContext;
struct redisReply;

/* Scripts that one connection is known to have; more than there are rows in
 * scripts.def. */
#define DR_STORE_MAX_SCRIPTS 64

enum dr_store_state {
	DR_STORE_AWAY,    /* the timer runs until the next attempt */
	DR_STORE_CONNECT, /* connecting, then AUTH, SELECT, INFO; the timer is the
			     deadline */
	DR_STORE_READY    /* calls are sent; the timer is the oldest call's deadline */
};

struct dr_store {
	unsigned magic;
#define DR_STORE_MAGIC 0x5709e002
	struct dr_loop *loop;                /* borrowed */
	char *address, *username, *password; /* owned */
	unsigned database, timeout_ms;
	void (*changed)(void *arg, bool up); /* or NULL */
	void *changed_arg;
	bool told_up; /* what `changed` heard last */

	/* the connection */
	enum dr_store_state state;
	struct redisAsyncContext *redis; /* owned; NULL while away */
	struct dr_io *io;                /* owned; lives as long as hiredis wants */
	unsigned wanted;                 /* DR_IO_* bits asked of `io` */
	bool in_flush;                   /* hiredis is writing */
	size_t on_wire;                  /* replies this connection owes us */
	struct dr_timer timer;           /* see dr_store_state */
	struct dr_deferred turn_end;     /* fails what cannot be sent, writes */
	unsigned attempts;               /* since it was ready last: back-off */
	uint64_t attempt_ms;             /* when the last one began; 0: never */
	bool mute;                /* the last one was accepted, and then nothing came */
	bool try_now;             /* a call wants it tried at the end of this turn */
	struct dr_timer patience; /* of the calls that wait for the attempt */
	char server_id[DR_STORE_SERVER_ID_SIZE];
	bool info_refused, rewrite_refused, no_file_told; /* warned about it once */

	/* trouble */
	bool silent; /* the circuit is open */
	uint64_t silent_since_ms;
	bool out; /* an outage was logged */
	uint64_t out_since_ms;
	char refusal[160]; /* the last one logged in this outage */
	bool complained;
	uint64_t complained_ms;
	size_t unsaid; /* complaints since, not logged */

	/* calls: each slot stands in one of these */
	struct dr_list flying;  /* sent; oldest first, so soonest due first */
	struct dr_list overdue; /* sent, past the deadline */
	struct dr_list waiting; /* not sent: for the attempt to connect */
	struct dr_list failing; /* not sent: fail at the end of the turn */
	struct dr_list idle;
	size_t n_idle, in_flight;
	uint64_t n_replies;
	struct dr_strbuf scratch; /* a command that is sent again */
	const struct dr_script *loaded[DR_STORE_MAX_SCRIPTS]; /* borrowed */
	size_t n_loaded;
	bool eval_only; /* EVALSHA is of no use there */
};

/* ---- store.c ---- */

/* Tell `changed`, if that is news. */
void dr_store_tell(struct dr_store *store, bool up);
/* `refusal`: Redis answers but must not be used, which is for the operator to mend. */
void dr_store_note_outage(struct dr_store *store, const char *reason, bool refusal);
void dr_store_note_back(struct dr_store *store);
/* Something a call ran into: one line per second at most. */
void dr_store_complain(struct dr_store *store, const char *who, const char *what);

/* A call finds the connection down: may it wait for an attempt? Then one is made. */
bool dr_store_may_wait(struct dr_store *store);

/* ---- store_connect.c ---- */

void dr_store_connect(struct dr_store *store);
/* Has the other side accepted the connection that is being made? */
bool dr_store_is_accepted(const struct dr_store *store);
/* A call's reply came in. */
void dr_store_heard(struct dr_store *store);
/* hiredis has ended this connection, or is about to: idempotent. */
void dr_store_gone(struct dr_store *store, struct redisAsyncContext *redis);
/* End the connection, and try again later. `refusal`: as above. */
void dr_store_drop(struct dr_store *store, const char *reason, bool refusal);
/*
 * The handshake's: what a step of it got, NULL where the connection is gone or given
 * up; a step that Redis does not let us take; all steps went well.
 */
const struct redisReply *dr_store_step(struct dr_store *store,
    struct redisAsyncContext *redis, const struct redisReply *reply);
void dr_store_refuse(struct dr_store *store, const char *what, const char *text);
void dr_store_ready(struct dr_store *store);
/* End it for good, with nobody told but the calls. */
void dr_store_close(struct dr_store *store);
void dr_store_flush(struct dr_store *store);
void dr_store_read(struct dr_store *store);
void dr_store_read_all(struct dr_store *store);

/* ---- store_info.c ---- */

/* The handshake's last step. */
void dr_store_ask_info(struct dr_store *store);

/* ---- store_call.c ---- */

void dr_store_calls_init(struct dr_store *store);
void dr_store_calls_fini(struct dr_store *store); /* frees the slots, all idle by now */
/* When the oldest call is due; false: none is in flight. */
bool dr_store_next_due(const struct dr_store *store, uint64_t *due_ms);
void dr_store_expire(struct dr_store *store, uint64_t now_ms);
void dr_store_fail_unsent(struct dr_store *store);
/* The attempt succeeded, in the order in which they were made; or it did not. */
void dr_store_send_waiting(struct dr_store *store);
void dr_store_fail_waiting(struct dr_store *store);

/* ---- store_write.c ---- */

/* "*3\r\n", an argument "$3\r\nGET\r\n", several of them. */
void dr_store_add_count(struct dr_strbuf *buf, char kind, size_t n);
void dr_store_add_arg(struct dr_strbuf *buf, const char *data, size_t len);
void dr_store_add_args(struct dr_strbuf *buf, const struct dr_arg *args, size_t n);
/* The beginning of a call of a script, by its source or its digest, of n_words in all.
 */
void dr_store_add_eval(
    struct dr_strbuf *buf, const struct dr_script *script, size_t n_words);
void dr_store_add_evalsha(
    struct dr_strbuf *buf, struct dr_script *script, size_t n_words);

/* ---- store_reply.c ---- */

/* Does an error reply begin with this word? */
bool dr_store_error_is(const char *text, const char *code);
enum dr_error dr_store_error_of(const char *text);
/* EVALSHA itself was refused: the script has not run. */
bool dr_store_wants_eval(const char *text, bool *always);
/* The part of an error reply that may be logged: Redis may quote arguments. */
int dr_store_printable(const char *text);
/* The value of `name` in an INFO text; "" and false where it is not there. */
bool dr_store_info_field(const char *info, const char *name, char *out, size_t size);

#endif
