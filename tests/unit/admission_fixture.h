/*
 * admission_fixture - an admission over a private redis-server, an account with keys,
 * and an audit that every test ends with: what is booked must add up. Each test program
 * includes it once.
 */
#ifndef DR_TESTS_ADMISSION_FIXTURE_H
#define DR_TESTS_ADMISSION_FIXTURE_H

#include "store_fixture.h"

#include "base/money.h"
#include "gateway/admission.h"
#include "gateway/script_args.h"
#include "scripts/scripts.h"

#define ACCOUNT "k3f9a0b1c2"
#define KEY(x)  "{a:" ACCOUNT "}:" x
#define SHA     "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define MINUTE  60000
#define DAY     INT64_C(86400000)

static struct redis redis;
static struct dr_store *store;
static struct dr_admission *admission;

/* ---- reading and writing Redis by hand ---- */

/* One command that must not fail. */
static struct answer redis_do(const char *format, ...) DR_PRINTF(1, 2);

static struct answer
redis_do(const char *format, ...)
{
	char line[512];
	struct answer answer;
	va_list ap;

	va_start(ap, format);
	assert_in_range(vsnprintf(line, sizeof line, format, ap), 1, sizeof line - 1);
	va_end(ap);
	answer = ask(store, line);
	assert_int_equal(answer.err, DR_OK);
	return answer;
}

static inline int64_t
account_number(const char *field)
{
	return redis_do("HGET " KEY("account") " %s", field).number;
}

/* What was credited and what the ledger says is the balance; holds add up; nothing is
 * below 0. */
static struct dr_script audit_script = SCRIPT("audit",
    "local a = redis.call('KEYS', '{a:*}:account')\n"
    "for _, account in ipairs(a) do\n"
    "	local p = string.sub(account, 1, -8)\n"
    "	local f, n, held, by = {}, 0, 0, {}\n"
    "	local all = redis.call('HGETALL', account)\n"
    "	for i = 1, #all, 2 do f[all[i]] = all[i + 1] end\n"
    "	for _, open in ipairs(redis.call('KEYS', p .. 'open:*')) do\n"
    "		local kid = string.sub(open, #p + 6)\n"
    "		local entries = redis.call('HGETALL', open)\n"
    "		for i = 1, #entries, 2 do\n"
    "			local h, w = string.match(entries[i + 1], '^(%d+) %d+ %d+ (%S+)$')\n"
    "			if not h then return 'entry ' .. entries[i + 1] end\n"
    "			n, held = n + 1, held + h\n"
    "			local name = kid .. '.held:' .. w\n"
    "			by[name] = (by[name] or 0) + h\n"
    "		end\n"
    "	end\n"
    "	if tonumber(f.running or 0) ~= n then return 'running ' .. f.running .. ' of ' .. n end\n"
    "	if tonumber(f.held or 0) ~= held then return 'held ' .. f.held .. ' of ' .. held end\n"
    "	for name, value in pairs(f) do\n"
    "		if string.find(name, '.held:', 1, true) and tonumber(value) ~= (by[name] or 0) then\n"
    "			return name .. ' ' .. value\n"
    "		end\n"
    "		if string.find(value, '[eE%.]') and tonumber(value) and name ~= 'wallet' then\n"
    "			return name .. ' is written ' .. value\n"
    "		end\n"
    "	end\n"
    "	local sum = tonumber(f.credited or 0)\n"
    "	for _, row in ipairs(redis.call('XRANGE', p .. 'ledger', '-', '+')) do\n"
    "		local v = {}\n"
    "		for i = 1, #row[2], 2 do v[row[2][i]] = row[2][i + 1] end\n"
    "		sum = sum + v.nano\n"
    "		if f.credited and tonumber(v.balance) ~= sum then return 'row ' .. v.balance end\n"
    "	end\n"
    "	if f.credited and tonumber(f.balance) ~= sum then return 'balance ' .. f.balance end\n"
    "end\n"
    "return 'sound'\n");

static inline void
audit(void)
{
	struct answer answer = run(store, &audit_script);

	assert_int_equal(answer.err, DR_OK);
	assert_string_equal(answer.text, "sound");
}

/* An account with this balance; `credited` is for the audit. */
static inline void
open_account(int64_t balance)
{
	redis_do("FLUSHALL");
	redis_do("HSET " KEY("account") " status on balance %lld credited %lld",
	    (long long)balance, (long long)balance);
}

/* `more`: further fields as "field value" words of this key, each with "KID." before
 * it. */
static inline void
add_key(const char *key_id, const char *more)
{
	char copy[256], *save, *word;

	redis_do("HSET " KEY("account") " %s.sha " SHA " %s.status on", key_id, key_id);
	snprintf(copy, sizeof copy, "%s", more);
	for (word = strtok_r(copy, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		const char *value = strtok_r(NULL, " ", &save);

		redis_do("HSET " KEY("account") " %s.%s %s", key_id, word, value);
	}
}

/* Redis' clock now, in ms. */
static inline int64_t
redis_now(void)
{
	static struct dr_script script = SCRIPT("now",
	    "local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000)");

	return run(store, &script).number;
}

/* ---- asking ---- */

struct attempt {
	struct dr_ticket ticket;
	unsigned n_done;
	enum dr_error err;
};

static unsigned n_requests;

static inline void
on_attempt(struct dr_ticket *ticket, enum dr_error err)
{
	struct attempt *attempt = DR_CONTAINER_OF(ticket, struct attempt, ticket);

	attempt->n_done++;
	attempt->err = err;
}

static struct dr_api_key the_key = {
	.account = ACCOUNT, .key_id = "x7y8z9", .sha = SHA
};
static char the_id[DR_REQUEST_ID_SIZE];

/* What the tests ask for where they do not say otherwise. */
static inline struct dr_admit_query
usual(void)
{
	n_requests++;
	snprintf(the_id, sizeof the_id, "req_%020u" ACCOUNT, n_requests);
	return (struct dr_admit_query){ .mode = DR_ADMIT_FULL,
		.key = &the_key,
		.request_id = the_id,
		.model = "m1",
		.estimate_nano = 1000,
		.default_rpm = 60,
		.default_concurrency = 5,
		.count_rpm = 600,
		.lease_ms = 30000,
		.sweep_after_ms = 3600000,
		.trace_ttl_ms = 600000 };
}

static inline void
begin_reserve(struct attempt *attempt, const struct dr_admit_query *query)
{
	*attempt = (struct attempt){ 0 };
	dr_admission_reserve(admission, &attempt->ticket, query, on_attempt);
	assert_int_equal(attempt->n_done, 0); /* never inside the call */
}

static inline enum dr_error
reserve(struct attempt *attempt, const struct dr_admit_query *query)
{
	begin_reserve(attempt, query);
	TURN_UNTIL(attempt->n_done > 0);
	assert_int_equal(attempt->n_done, 1);
	return attempt->err;
}

/* ---- settling ---- */

static inline struct dr_settlement
costs(int64_t nano)
{
	return (struct dr_settlement){ .charge_nano = nano,
		.usage = { .input = nano > 0 ? 812 : 0, .output = nano > 0 ? 344 : 0 },
		.model = "m1",
		.provider = "p1",
		.price_date = "2026-10-01",
		.status = 200,
		.error = "",
		.receipt = "{\"id\":\"req\"}",
		.trace_ttl_ms = 600000 };
}

static inline void
begin_settle(struct attempt *attempt, const struct dr_settlement *settlement)
{
	dr_admission_settle(admission, &attempt->ticket, settlement);
	dr_ticket_fini(&attempt->ticket);
}

static inline void
settle(struct attempt *attempt, int64_t nano)
{
	struct dr_settlement settlement = costs(nano);

	begin_settle(attempt, &settlement);
	TURN_UNTIL(dr_admission_unsettled(admission) == 0);
}

/* Refused or not: what it holds goes back at no charge. */
static inline void
drop(struct attempt *attempt)
{
	if (attempt->ticket.booking != NULL)
		settle(attempt, 0);
	dr_ticket_fini(&attempt->ticket);
}

/* As if the request's process had told what it has cost so far, and then no more. */
static inline void
checkpoint(const char *key_id, const char *id, int64_t nano)
{
	static struct dr_script script = SCRIPT("checkpoint",
	    "local hold, expiry, window = string.match(redis.call('HGET', KEYS[1], ARGV[1]),\n"
	    "	'^(%d+) (%d+) %d+ (%S+)$')\n"
	    "return redis.call('HSET', KEYS[1], ARGV[1],\n"
	    "	table.concat({ hold, expiry, ARGV[2], window }, ' '))\n");
	struct dr_script_args args;
	struct answer answer;

	answer_init(&answer, false);
	dr_args_begin(&args, ACCOUNT);
	dr_args_key(&args, DR_SCHEMA_OPEN, key_id);
	dr_args_text(&args, id);
	dr_args_number(&args, nano);
	dr_args_eval(&args, store, &script, &answer.call);
	dr_store_wait(store, &answer.call);
	assert_int_equal(answer.number, 0); /* no new field */
}

/* ---- set-up ---- */

/* An admission as the gateway has it: with a spool, in a folder of the fixture. */
static inline struct dr_admission *
admission_up(struct dr_store *over)
{
	struct dr_admission *up = dr_admission_new(loop, over);
	char dir[64], err[256];

	snprintf(dir, sizeof dir, "%s/spool", redis.dir);
	assert_true(dr_admission_spool(up, dir, 1 << 20, 60000, err, sizeof err));
	return up;
}

/* Nothing is under way and nothing waits in the spool. */
static inline bool
all_settled(struct dr_admission *of)
{
	return dr_admission_unsettled(of) == 0 && dr_admission_spooled(of) == 0;
}

static inline int
admission_setup(void **state)
{
	loop_setup(state);
	redis_dir(&redis);
	redis_start(&redis, false, "");
	store = store_up(redis.unix_at, LONG_MS);
	admission = admission_up(store);
	return 0;
}

static inline int
admission_teardown(void **state)
{
	char dir[64];

	dr_admission_free(&admission);
	dr_store_free(&store);
	snprintf(dir, sizeof dir, "%s/spool", redis.dir);
	assert_int_equal(rmdir(dir), 0); /* no settlement is left in it */
	redis_remove(&redis);
	return loop_teardown(state);
}

#endif
