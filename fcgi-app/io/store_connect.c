/*
 * store_connect - making a connection to Redis, driving hiredis from our loop, and
 * ending it. When to do so is store.c's to say; whether this Redis may hold money is
 * store_info.c's.
 *
 * hiredis' asynchronous context is driven by an adapter of our own: reading is always
 * wanted; writing happens once at the end of the loop turn, and is waited for only
 * after a partial write.
 */
#include <fcntl.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/crypto.h"
#include "io/store_internal.h"

#define BACK_OFF_FIRST_MS 50
#define BACK_OFF_MOST_MS  2000
#define MAX_READS         256 /* of 16 KB: what may lie in the socket at a deadline */

/* ---- the end of a connection ---- */

/* Half of the time is fixed, half random: workers that lost Redis together come back
 * apart. */
static unsigned
back_off(struct dr_store *store)
{
	unsigned ms = BACK_OFF_FIRST_MS, random;

	for (unsigned i = 0; i < store->attempts && ms < BACK_OFF_MOST_MS; i++)
		ms *= 2;
	if (ms > BACK_OFF_MOST_MS)
		ms = BACK_OFF_MOST_MS;
	store->attempts++;
	dr_random_bytes(&random, sizeof random);
	return ms / 2 + random % (ms / 2 + 1);
}

static void
go_away(struct dr_store *store, const char *reason, bool refusal)
{
	store->redis = NULL;
	store->state = DR_STORE_AWAY;
	store->silent = false;
	store->on_wire = 0;
	dr_timer_start(&store->timer, back_off(store));
	dr_store_fail_waiting(store);
	dr_store_note_outage(store, reason, refusal);
	dr_store_tell(store, false);
}

void
dr_store_gone(struct dr_store *store, redisAsyncContext *redis)
{
	if (store->redis != redis)
		return;      /* dropped by us, or told before */
	store->mute = false; /* whoever was silent is gone */
	go_away(store, redis->err != 0 ? redis->errstr : "connection lost", false);
}

void
dr_store_drop(struct dr_store *store, const char *reason, bool refusal)
{
	redisAsyncContext *redis = store->redis;

	if (redis == NULL)
		return;
	go_away(store, reason, refusal);
	/* Answers what is in flight: now, or right after a reply's callback that asks.
	 */
	redisAsyncFree(redis);
}

void
dr_store_close(struct dr_store *store)
{
	redisAsyncContext *redis = store->redis;

	store->redis = NULL;
	store->state = DR_STORE_AWAY;
	dr_store_fail_waiting(store);
	if (redis != NULL)
		redisAsyncFree(redis);
}

/* ---- the adapter between hiredis and the loop ---- */

static void
want(struct dr_store *store, unsigned bits)
{
	if (store->io == NULL || store->wanted == bits)
		return;
	store->wanted = bits;
	dr_io_want(store->io, bits);
}

static void
add_read(void *arg)
{
	(void)arg; /* always wanted */
}

static void
add_write(void *arg)
{
	struct dr_store *store = arg;

	DR_CHECK(store, DR_STORE_MAGIC);
	if (store->in_flush || store->state == DR_STORE_CONNECT)
		want(store, DR_IO_READ | DR_IO_WRITE);
	else
		dr_loop_defer(store->loop, &store->turn_end);
}

static void
del_write(void *arg)
{
	struct dr_store *store = arg;

	DR_CHECK(store, DR_STORE_MAGIC);
	want(store, DR_IO_READ);
}

/* hiredis is about to close the descriptor, whoever ended the connection. */
static void
clean_up(void *arg)
{
	struct dr_store *store = arg;

	DR_CHECK(store, DR_STORE_MAGIC);
	dr_io_free(&store->io);
	store->wanted = 0;
	if (store->redis != NULL)
		dr_store_gone(store, store->redis);
}

void
dr_store_flush(struct dr_store *store)
{
	store->in_flush = true;
	redisAsyncHandleWrite(store->redis);
	store->in_flush = false;
}

/* The next byte from Redis, without taking it; 0 where there is none, or the end. */
static char
peek(const struct dr_store *store)
{
	char c;

	return recv(store->redis->c.fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 1 ? c : '\0';
}

void
dr_store_read(struct dr_store *store)
{
	char next = store->on_wire == 0 ? peek(store) : '\0';

	/*
	 * hiredis asserts that nothing but an error comes unasked. That is the peer's
	 * doing, and must not end this process.
	 */
	if (next != '\0' && next != '-')
		dr_store_drop(store, "reply to nothing that was asked", true);
	else
		redisAsyncHandleRead(store->redis);
}

static void
on_ready(void *arg, unsigned bits)
{
	struct dr_store *store = arg;

	DR_CHECK(store, DR_STORE_MAGIC);
	if (store->redis != NULL && (bits & DR_IO_READ) != 0)
		dr_store_read(store);
	if (store->redis != NULL && (bits & store->wanted & DR_IO_WRITE) != 0)
		dr_store_flush(store);
}

/*
 * Where this process was held up itself (stopped, starved), the replies are there and
 * only unread: nobody is to hear of a deadline then.
 */
void
dr_store_read_all(struct dr_store *store)
{
	for (int i = 0; i < MAX_READS && store->redis != NULL; i++) {
		if (peek(store) == '\0')
			break;
		dr_store_read(store);
	}
}

/*
 * One of the replies this connection owes us is here. False where more follows than was
 * asked for: see dr_store_read(); this reply is good, the connection is not.
 */
static bool
count_reply(struct dr_store *store)
{
	const redisReader *reader = store->redis->c.reader;

	DR_ASSERT(store->on_wire > 0);
	store->n_replies++;
	if (--store->on_wire > 0 || reader->len == reader->pos)
		return true;
	dr_store_drop(store, "reply to nothing that was asked", true);
	return false;
}

void
dr_store_heard(struct dr_store *store)
{
	if (!count_reply(store) || !store->silent)
		return;
	store->silent = false;
	dr_store_note_back(store);
	dr_store_tell(store, true);
}

/* ---- making a connection ---- */

void
dr_store_ready(struct dr_store *store)
{
	store->state = DR_STORE_READY;
	store->attempts = 0;
	store->mute = false;
	store->n_loaded = 0;
	dr_timer_stop(&store->timer);
	dr_store_send_waiting(store);
	if (store->out)
		dr_store_note_back(store);
	else
		dr_log_info(store, "%s: connected", store->address);
	dr_store_tell(store, true);
}

const struct redisReply *
dr_store_step(struct dr_store *store, redisAsyncContext *redis, const redisReply *reply)
{
	DR_CHECK(store, DR_STORE_MAGIC);
	if (reply == NULL)
		dr_store_gone(store, redis);
	if (reply == NULL || store->redis != redis)
		return NULL;
	return count_reply(store) ? reply : NULL;
}

void
dr_store_refuse(struct dr_store *store, const char *what, const char *text)
{
	char reason[160];

	snprintf(
	    reason, sizeof reason, "%s: %.*s", what, dr_store_printable(text), text);
	dr_store_drop(store, reason, true);
}

/* No word of Redis' is passed on that may quote what we sent: it is the password. */
static void
on_auth(redisAsyncContext *redis, void *answer, void *arg)
{
	struct dr_store *store = arg;
	const redisReply *reply = dr_store_step(store, redis, answer);

	if (reply == NULL || reply->type != REDIS_REPLY_ERROR)
		return;
	if (dr_store_error_is(reply->str, "WRONGPASS"))
		dr_store_refuse(
		    store, "AUTH", "Redis does not accept this user name and password");
	else if (strstr(reply->str, "without any password configured") != NULL)
		dr_store_refuse(
		    store, "AUTH", "a password is set here, but not in Redis");
	else if (strstr(reply->str, "max number of clients") != NULL)
		dr_store_refuse(store, "AUTH", "Redis is at its limit of clients");
	else /* such as a server where AUTH has another name */
		dr_store_refuse(store, "AUTH", "refused by Redis");
}

static void
on_select(redisAsyncContext *redis, void *answer, void *arg)
{
	struct dr_store *store = arg;
	const redisReply *reply = dr_store_step(store, redis, answer);

	if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
		dr_store_refuse(store, "SELECT", reply->str);
}

/* All steps leave at once; the first that fails ends it. */
static void
shake_hands(struct dr_store *store)
{
	redisAsyncContext *redis = store->redis;
	const char *auth[3] = { "AUTH", store->username, store->password };

	if (store->password[0] != '\0') {
		if (store->username[0] == '\0')
			auth[1] = store->password;
		redisAsyncCommandArgv(redis, on_auth, store,
		    store->username[0] == '\0' ? 2 : 3, auth, NULL);
		store->on_wire++;
	}
	if (store->database != 0) {
		redisAsyncCommand(
		    redis, on_select, store, "SELECT %u", store->database);
		store->on_wire++;
	}
	dr_store_ask_info(store);
}

/* NULL, with *trouble set, where the address makes no sense. */
static redisAsyncContext *
open_address(const char *address, const char **trouble)
{
	const struct sockaddr_un *sun = NULL;
	const char *colon;
	char host[256], *end;
	unsigned long port;
	size_t len;

	if (strncmp(address, "unix:", 5) == 0) {
		*trouble = "the path of the socket is too long";
		/* hiredis would cut it and connect to another one. */
		return strlen(address + 5) >= sizeof sun->sun_path - 1
			   ? NULL
			   : redisAsyncConnectUnix(address + 5);
	}
	*trouble = "the address is neither unix:/path nor host:port";
	colon = strrchr(address, ':');
	if (colon == NULL || colon[1] < '0' || colon[1] > '9')
		return NULL;
	port = strtoul(colon + 1, &end, 10);
	len = (size_t)(colon - address);
	if (len >= 2 && address[0] == '[' && colon[-1] == ']') {
		address++;
		len -= 2;
	}
	if (*end != '\0' || port == 0 || port > 65535 || len == 0 || len >= sizeof host)
		return NULL;
	memcpy(host, address, len);
	host[len] = '\0';
	return redisAsyncConnect(host, (int)port);
}

bool
dr_store_is_accepted(const struct dr_store *store)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof peer;

	return store->redis != NULL &&
	       getpeername(store->redis->c.fd, (struct sockaddr *)&peer, &len) == 0;
}

void
dr_store_connect(struct dr_store *store)
{
	const char *trouble = NULL;
	redisAsyncContext *redis;
	char reason[160];

	store->attempt_ms = dr_clock_ms();
	redis = open_address(store->address, &trouble);
	if (redis == NULL || redis->err != 0) {
		store->mute = false;
		snprintf(reason, sizeof reason, "%s",
		    redis == NULL ? trouble : redis->errstr);
		if (redis != NULL)
			redisAsyncFree(redis);
		go_away(store, reason, redis == NULL);
		return;
	}
	store->redis = redis;
	store->state = DR_STORE_CONNECT;
	fcntl(redis->c.fd, F_SETFD, FD_CLOEXEC);
	if (redis->c.connection_type == REDIS_CONN_TCP)
		redisEnableKeepAlive(
		    &redis->c); /* a peer that vanished while all is idle */
	redis->ev.data = store;
	redis->ev.addRead = redis->ev.delRead = add_read;
	redis->ev.addWrite = add_write;
	redis->ev.delWrite = del_write;
	redis->ev.cleanup = clean_up;
	store->io = dr_io_new(store->loop, redis->c.fd, on_ready, store);
	want(store, DR_IO_READ | DR_IO_WRITE);
	dr_timer_start(&store->timer, store->timeout_ms);
	shake_hands(store);
}
