/*
 * affinity: turns of one conversation belong together, and nothing else does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "gateway/affinity.h"
#include "gateway/retry_budget.h"

static uint64_t
of(enum dr_dialect_id dialect, const char *account, const char *session,
    const char *body)
{
	struct dr_body_facts facts = { 0 };

	dr_body_read(dialect, body, strlen(body), &facts);
	assert_int_equal(facts.err, DR_OK);
	return dr_affinity_of(account, session, body, &facts);
}

#define M      DR_DIALECT_ANTHROPIC
#define C      DR_DIALECT_CHAT
#define R      DR_DIALECT_RESPONSES
#define HEAD   "{\"model\":\"m\","
#define ASKED  "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\""
#define CACHED ",\"cache_control\":{\"type\":\"ephemeral\"}"
#define KIND   "{\"role\":\"system\",\"content\":\"be kind\"}"

static const struct {
	const char *what;
	enum dr_dialect_id dialect;
	const char *sessions[2], *bodies[2];
	bool same;
} rows[] = {
	{ "later turns", M, { NULL, NULL },
	    { HEAD
		"\"system\":\"s\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
		HEAD
		"\"system\":\"s\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
		"{\"role\":\"assistant\",\"content\":\"yes?\"}]}" },
	    true },
	{ "another first message", M, { NULL, NULL },
	    { HEAD
		"\"system\":\"s\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
		HEAD
		"\"system\":\"s\",\"messages\":[{\"role\":\"user\",\"content\":\"ho\"}]}" },
	    false },
	{ "another system prompt", M, { NULL, NULL },
	    { HEAD "\"system\":\"s\",\"messages\":[]}",
		HEAD "\"system\":\"t\",\"messages\":[]}" },
	    false },
	{ "brackets and quotes inside a message", C, { NULL, NULL },
	    { HEAD "\"messages\":[{\"role\":\"user\",\"content\":\"}]\\\"[{\"}]}", HEAD
		"\"messages\":[{\"role\":\"user\",\"content\":\"}]\\\"[{\"},{\"content\":\"x\"}]}" },
	    true },
	{ "cache_control moves on", M, { NULL, NULL },
	    { HEAD "\"messages\":[" ASKED CACHED "}]}]}",
		HEAD "\"messages\":[" ASKED "}]}," ASKED CACHED "}]}]}" },
	    true },
	{ "cache_control turns null", M, { NULL, NULL },
	    { HEAD "\"system\":[{\"cache_control\":null,\"text\":\"a\"}]}", HEAD
		"\"system\":[{\"cache_control\":{\"ttl\":\"1h\"},\"text\":\"a\"}]}" },
	    true },
	{ "what follows cache_control counts", M, { NULL, NULL },
	    { HEAD "\"system\":[{\"cache_control\":null,\"text\":\"a\"}]}",
		HEAD "\"system\":[{\"cache_control\":null,\"text\":\"b\"}]}" },
	    false },
	{ "chat's system message is not yet the conversation", C, { NULL, NULL },
	    { HEAD "\"messages\":[" KIND ",{\"role\":\"user\",\"content\":\"a\"}]}",
		HEAD "\"messages\":[" KIND ",{\"role\":\"user\",\"content\":\"b\"}]}" },
	    false },
	{ "later turns after a system message", C, { NULL, NULL },
	    { HEAD "\"messages\":[" KIND ",{\"role\":\"user\",\"content\":\"a\"}]}",
		HEAD "\"messages\":[" KIND ",{\"role\":\"user\",\"content\":\"a\"},"
		     "{\"role\":\"assistant\",\"content\":\"b\"}]}" },
	    true },
	{ "a quote after backslashes", C, { NULL, NULL },
	    { HEAD "\"messages\":[{\"role\":\"user\",\"content\":\"a\\\\\"}]}", HEAD
		"\"messages\":[{\"role\":\"user\",\"content\":\"a\\\\\"},\"x\"]}" },
	    true },
	{ "a session's name wins", M, { "s1", "s1" },
	    { HEAD "\"messages\":[1]}", HEAD "\"messages\":[2]}" }, true },
	{ "another session", M, { "s1", "s2" },
	    { HEAD "\"messages\":[1]}", HEAD "\"messages\":[1]}" }, false },
	{ "prompt_cache_key", R, { NULL, NULL },
	    { HEAD "\"prompt_cache_key\":\"k\",\"input\":\"a\"}",
		HEAD "\"prompt_cache_key\":\"k\",\"input\":\"b\"}" },
	    true },
	{ "another prompt_cache_key", R, { NULL, NULL },
	    { HEAD "\"prompt_cache_key\":\"k\",\"input\":\"a\"}",
		HEAD "\"prompt_cache_key\":\"l\",\"input\":\"a\"}" },
	    false },
	{ "metadata.user_id", M, { NULL, NULL },
	    { HEAD "\"metadata\":{\"user_id\":\"u\"},\"messages\":[1]}",
		HEAD "\"metadata\":{\"x\":1,\"user_id\":\"u\"},\"messages\":[2]}" },
	    true },
	{ "metadata without a user", M, { NULL, NULL },
	    { HEAD "\"metadata\":{\"x\":1},\"messages\":[{}]}",
		HEAD "\"metadata\":{\"x\":2},\"messages\":[{}]}" },
	    true },
	{ "a text as input", R, { NULL, NULL },
	    { HEAD "\"input\":\"one\"}", HEAD "\"input\":\"two\"}" }, false },
};

static void
turns_of_a_conversation_belong_together(void **state)
{
	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		uint64_t a = of(rows[i].dialect, "acct", rows[i].sessions[0],
			     rows[i].bodies[0]),
			 b = of(rows[i].dialect, "acct", rows[i].sessions[1],
			     rows[i].bodies[1]),
			 c = of(rows[i].dialect, "other", rows[i].sessions[0],
			     rows[i].bodies[0]);

		if ((a == b) != rows[i].same || a == c || a == 0)
			fail_msg("%s: %llx %llx %llx", rows[i].what, (long long)a,
			    (long long)b, (long long)c);
	}
}

/* ---- the budget of second attempts ---- */

/* 2000 requests in 2 s, all of which fail and would be tried again. */
static void
an_outage_never_multiplies_the_load(void **state)
{
	static const struct {
		unsigned percent;
		int least, most;
	} rates[] = { { 0, 115, 121 }, { 20, 510, 521 }, { 100, 1990, 2000 } };

	(void)state;
	for (size_t r = 0; r < DR_N_ELEMENTS(rates); r++) {
		struct dr_retry_budget budget = { 0 };
		int again = 0;

		for (uint64_t i = 0; i < 2000; i++) {
			uint64_t now = 1000000 + i;

			dr_retry_budget_earn(&budget, rates[r].percent, now);
			if (dr_retry_budget_left(&budget, now)) {
				dr_retry_budget_spend(&budget, now);
				again++;
			}
		}
		assert_in_range(again, rates[r].least, rates[r].most);
		/* idle for a while: full again, and no fuller */
		for (again = 0; dr_retry_budget_left(&budget, 5000000); again++)
			dr_retry_budget_spend(&budget, 5000000);
		assert_int_equal(again, DR_RETRY_MOST);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(turns_of_a_conversation_belong_together),
		cmocka_unit_test(an_outage_never_multiplies_the_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
