/*
 * A node's heartbeat: its body is read strictly, and what it says is written as a whole
 * over what was said before, against a real redis-server.
 */
#include "providers_fixture.h"

#include "gateway/heartbeat.h"
#include "scripts/scripts.h"

static char why[200];

static enum dr_error
read_body(struct dr_heartbeat *beat, const char *body)
{
	return dr_heartbeat_read(beat, body, strlen(body), why, sizeof why);
}

static void
what_it_says_is_read(void **state)
{
	struct dr_heartbeat beat;

	(void)state;
	assert_int_equal(read_body(&beat, "{}"), DR_OK);
	assert_false(beat.says_models);
	assert_int_equal(beat.free, -1);
	assert_int_equal(beat.resting_at_s, 0);
	assert_string_equal(beat.version, "");
	dr_heartbeat_fini(&beat);

	assert_int_equal(
	    read_body(&beat, " {\"models\": [\"a\", \"b/c-1\"], \"free\": 0,\n"
			     "\"version\": \"1.2\", \"resting_at\": 1764150000 } "),
	    DR_OK);
	assert_true(beat.says_models);
	assert_string_equal(beat.models.data, "a,b/c-1");
	assert_int_equal(beat.free, 0);
	assert_int_equal(beat.resting_at_s, 1764150000);
	assert_string_equal(beat.version, "1.2");
	dr_heartbeat_fini(&beat);

	assert_int_equal(read_body(&beat, "{\"models\":[]}"), DR_OK);
	assert_true(beat.says_models);
	assert_string_equal(beat.models.data, "");
	dr_heartbeat_fini(&beat);
}

static void
what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *body, *said;
		enum dr_error err;
	} rows[] = {
		{ "", "empty", DR_ERR_BAD_JSON },
		{ "[]", "", DR_ERR_BAD_JSON },
		{ "null", "", DR_ERR_BAD_JSON },
		{ "{", "at byte", DR_ERR_BAD_JSON },
		{ "{} x", "at byte", DR_ERR_BAD_JSON },
		{ "{\"colour\":1}", "colour: unknown field", DR_ERR_BAD_FIELD },
		{ "{\"free\":1,\"Free\":1}", "Free: unknown field", DR_ERR_BAD_FIELD },
		{ "{\"free\":1,\"free\":1}", "free: stands there twice",
		    DR_ERR_BAD_FIELD },
		{ "{\"free\":-1}", "free: want a whole number", DR_ERR_BAD_FIELD },
		{ "{\"free\":1000001}", "free: want", DR_ERR_BAD_FIELD },
		{ "{\"free\":1.5}", "free: want", DR_ERR_BAD_FIELD },
		{ "{\"free\":\"1\"}", "free: want", DR_ERR_BAD_FIELD },
		{ "{\"free\":null}", "free: want", DR_ERR_BAD_FIELD },
		{ "{\"free\":true}", "free: want", DR_ERR_BAD_FIELD },
		{ "{\"models\":\"a\"}", "models: want a list", DR_ERR_BAD_FIELD },
		{ "{\"models\":[1]}", "models: want names", DR_ERR_BAD_FIELD },
		{ "{\"models\":[\"\"]}", "models: want names", DR_ERR_BAD_FIELD },
		{ "{\"models\":[\"a,b\"]}", "models: want names", DR_ERR_BAD_FIELD },
		{ "{\"models\":[\"a b\"]}", "models: want names", DR_ERR_BAD_FIELD },
		{ "{\"models\":[\"a\\u0000b\"]}", "models: want names",
		    DR_ERR_BAD_FIELD },
		{ "{\"models\":[null]}", "models: want names", DR_ERR_BAD_FIELD },
		{ "{\"version\":7}", "version: want", DR_ERR_BAD_FIELD },
		{ "{\"version\":\"a\\nb\"}", "version: want", DR_ERR_BAD_FIELD },
		{ "{\"resting_at\":\"now\"}", "resting_at: want", DR_ERR_BAD_FIELD },
		{ "{\"resting_at\":253402300800}", "resting_at: want",
		    DR_ERR_BAD_FIELD },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_heartbeat beat;
		enum dr_error err;

		why[0] = '\0';
		err = read_body(&beat, rows[i].body);
		if (err != rows[i].err || strstr(why, rows[i].said) == NULL)
			fail_msg("%s: %s", rows[i].body, why);
		dr_heartbeat_fini(&beat);
	}
}

static void
no_prefix_and_no_flipped_byte_is_a_crash(void **state)
{
	static const char body[] =
	    "{\"models\":[\"a\",\"b\"],\"free\":3,\"version\":\"v\",\"resting_at\":9}";
	struct dr_heartbeat beat;

	(void)state;
	for (size_t n = 0; n < sizeof body; n++) {
		char *copy = dr_strndup(body, n);
		enum dr_error err = dr_heartbeat_read(&beat, copy, n, why, sizeof why);

		assert_int_equal(err == DR_OK, n == sizeof body - 1);
		dr_heartbeat_fini(&beat);
		free(copy);
	}
	for (size_t n = 0; n < sizeof body - 1; n++)
		for (unsigned bit = 0; bit < 8; bit++) {
			char *copy = dr_strndup(body, sizeof body - 1);

			copy[n] = (char)(copy[n] ^ 1u << bit);
			(void)!dr_heartbeat_read(
			    &beat, copy, sizeof body - 1, why, sizeof why);
			dr_heartbeat_fini(&beat);
			free(copy);
		}
}

/* ---- in Redis ---- */

static int64_t
write_beat(const char *name, const char *body, int64_t ttl_ms)
{
	struct dr_heartbeat beat;
	struct answer answer;

	assert_int_equal(read_body(&beat, body), DR_OK);
	answer_init(&answer, false);
	dr_heartbeat_write(store, name, &beat, ttl_ms, &answer.call);
	dr_heartbeat_fini(&beat);
	dr_store_wait(store, &answer.call);
	assert_int_equal(answer.err, DR_OK);
	return answer.number;
}

static void
it_narrows_what_is_asked_of_its_provider(void **state)
{
	struct dr_provider *p;

	(void)state;
	p = add("p1", GOOD " liveness node max_concurrency 10");
	TURN_UNTIL(p->state.now_ms > 0);
	assert_int_equal(p->presence.err, DR_ERR_OFFLINE);
	assert_int_equal(p->presence.slots, 10);
	redis_do("ZADD {p:p1}:running 9999999999999 x");
	redis_do("ZADD {p:p1}:running 5 lapsed");
	assert_int_equal(
	    write_beat("p1", "{\"models\":[\"n\",\"other\"],\"free\":2}", 60000), 1);
	TURN_UNTIL(p->presence.err == DR_OK);
	assert_int_equal(p->presence.slots, 3); /* one runs, two more */
	assert_false(dr_provider_has(p, "m"));
	assert_true(dr_provider_has(p, "n"));
	assert_false(dr_provider_has(p, "other"));
	assert_false(dr_providers_online(providers, "m", dr_clock_ms(), 0));
	assert_true(dr_providers_online(providers, "n", dr_clock_ms(), 0));
	/* what is not said any more is forgotten */
	assert_int_equal(write_beat("p1", "{\"version\":\"2\"}", 60000), 1);
	TURN_UNTIL(p->presence.slots == 10);
	assert_true(dr_provider_has(p, "m"));
	assert_string_equal(p->state.hb_version, "2");
	assert_int_equal(logged("p1: there again"), 1);
}

static void
it_lapses(void **state)
{
	struct dr_provider *p;

	(void)state;
	p = add("p1", GOOD " liveness node");
	assert_int_equal(write_beat("p1", "{}", 150), 1);
	TURN_UNTIL(p->presence.err == DR_OK || p->state.hb_at_ms > 0);
	TURN_UNTIL(p->presence.err == DR_ERR_OFFLINE);
	assert_false(dr_providers_online(providers, "m", dr_clock_ms(), 0));
	assert_true(dr_providers_offer(providers, "m", DR_DIALECT_ANTHROPIC));
}

static void
a_notice_of_rest_is_kept_when_it_falls_silent(void **state)
{
	struct dr_provider *p;

	(void)state;
	p = add("p1", GOOD " liveness node");
	assert_int_equal(write_beat("p1", "{\"resting_at\":1}", 50), 1);
	TURN_UNTIL(p->presence.err == DR_ERR_OFFLINE); /* in 1970: long over */
	ask(store, "DEL {p:p1}:state");
	redis_do("HSET {p:p1}:state hb.until 1 hb.resting_at %lld",
	    (long long)p->state.now_ms - 10);
	TURN_UNTIL(p->presence.err == DR_ERR_RESTING);
	assert_int_equal(logged("p1: out of rotation: its node goes to rest"), 1);
}

static void
nobody_is_kept_who_is_not_in_the_directory(void **state)
{
	(void)state;
	assert_int_equal(write_beat("ghost", "{}", 1000), 0);
	assert_int_equal(ask(store, "EXISTS {p:ghost}:state").number, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says_is_read),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(no_prefix_and_no_flipped_byte_is_a_crash),
		TEST(it_narrows_what_is_asked_of_its_provider),
		TEST(it_lapses),
		TEST(a_notice_of_rest_is_kept_when_it_falls_silent),
		TEST(nobody_is_kept_who_is_not_in_the_directory),
	};

	return cmocka_run_group_tests(tests, redis_setup, redis_teardown);
}
