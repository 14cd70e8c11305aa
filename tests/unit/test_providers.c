/*
 * The directory against a real redis-server: what an operator changes is seen within a
 * poll, what is damaged is left out by name, and a record is only written over what was
 * read.
 */
#include "providers_fixture.h"

#include "scripts/scripts.h"

/* ---- the directory ---- */

static void
it_is_ready_after_the_first_poll(void **state)
{
	size_t n;

	(void)state;
	reopen(1000, 30000);
	assert_false(dr_providers_ready(providers));
	TURN_UNTIL(dr_providers_ready(providers));
	dr_providers_list(providers, &n);
	assert_int_equal(n, 0);
}

static void
what_is_added_disabled_and_removed_is_seen(void **state)
{
	struct dr_provider *p;
	char url[1024];

	(void)state;
	p = add("p1", GOOD " enabled on");
	assert_string_equal(dr_provider_model(p, "n"), "x");
	assert_string_equal(dr_provider_model(p, "other"), "other");
	dr_provider_url(p, "/v1/messages", url, sizeof url);
	assert_string_equal(url, "https://h/v1/messages");
	assert_string_equal(
	    dr_provider_record_credential(p->record, DR_DIALECT_ANTHROPIC),
	    "x-api-key: ");
	assert_string_equal(dr_provider_record_credential(p->record, DR_DIALECT_CHAT),
	    "authorization: Bearer ");
	assert_null(p->credential);
	add("p2", GOOD);
	assert_true(dr_providers_offer(providers, "m", DR_DIALECT_ANTHROPIC));
	assert_false(dr_providers_offer(providers, "m", DR_DIALECT_CHAT));
	assert_false(dr_providers_offer(providers, "z", DR_DIALECT_ANTHROPIC));

	redis_do("HDEL providers p2");
	TURN_UNTIL(find("p2") == NULL);
	assert_non_null(find("p1"));
	put("p1", 2, GOOD " enabled off header bearer");
	TURN_UNTIL(!dr_providers_offer(providers, "m", DR_DIALECT_ANTHROPIC));
	assert_non_null(find("p1")); /* there, though disabled */
	assert_string_equal(
	    dr_provider_record_credential(find("p1")->record, DR_DIALECT_ANTHROPIC),
	    "authorization: Bearer ");
	assert_int_equal(logged("p1: read, generation 2, disabled"), 1);
	assert_int_equal(logged("p2: removed"), 1);
}

static void
a_new_generation_is_a_new_provider(void **state)
{
	struct dr_provider *old, *now;

	(void)state;
	old = dr_provider_ref(add("p1", GOOD " weight 1"));
	dr_providers_outcome(providers, old, DR_OUTCOME_AUTH, -1, dr_clock_ms());
	put("p1", 2, GOOD " weight 2");
	TURN_UNTIL(find("p1") != old);
	now = find("p1");
	assert_int_equal(now->record->weight, 2);
	assert_false(now->breaker.flagged);
	assert_int_equal(old->record->weight, 1); /* still whole for who runs on it */
	assert_true(old->breaker.flagged);
	dr_provider_unref(&old);
	/* the same generation: the same struct, however it is written */
	redis_do("HSET {p:p1}:provider generation 002 weight 3");
	redis_do("ZADD {p:p1}:running 9999999999999 x");
	TURN_UNTIL(find("p1")->running == 1);
	assert_ptr_equal(find("p1"), now);
	assert_int_equal(now->record->weight, 2);
}

static void
a_credential_is_opened_and_not_logged(void **state)
{
	char err[200];
	struct dr_provider_record *record =
	    dr_provider_record_new("p1", err, sizeof err);
	struct dr_strbuf fields;

	(void)state;
	dr_provider_record_seal(record, &key, "sk-very-secret");
	dr_strbuf_init(&fields, 1000);
	dr_strbuf_addf(&fields, GOOD " credential %s", record->credential);
	assert_string_equal(add("p1", fields.data)->credential, "sk-very-secret");
	assert_int_equal(logged("secret"), 0);
	dr_strbuf_fini(&fields);
	dr_provider_record_free(&record);
}

static void
a_damaged_record_is_left_out_by_name_and_said_once(void **state)
{
	static const struct {
		const char *how[2]; /* commands */
		const char *said;
	} rows[] = {
		{ { "HSET {p:bad}:provider generation 5 weight x" }, "weight: want" },
		{ { "HSET {p:bad}:provider generation 5 colour red" },
		    "colour: unknown" },
		{ { "HSET {p:bad}:provider generation 5 base_url http://h" },
		    "base_url: plain" },
		{ { "HSET {p:bad}:provider generation 5 name other" },
		    "name: differs" },
		{ { "HDEL {p:bad}:provider generation" }, "generation: is missing" },
		{ { "HSET {p:bad}:provider generation x" }, "generation: want" },
		{ { "DEL {p:bad}:provider" }, "it has no record" },
		{ { "DEL {p:bad}:provider", "SET {p:bad}:provider x" },
		    "cannot be read" },
		{ { "SET {p:bad}:running x" }, "cannot be read" },
	};

	(void)state;
	add("good", GOOD);
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		redis_do("DEL {p:bad}:provider {p:bad}:running");
		put("bad", 1000 + (unsigned)i, GOOD);
		TURN_UNTIL(find("bad") != NULL);
		log_forget();
		redis_do("%s", rows[i].how[0]);
		if (rows[i].how[1] != NULL)
			redis_do("%s", rows[i].how[1]);
		TURN_UNTIL(find("bad") == NULL);
		assert_non_null(find("good"));
		/* some more polls: good is counted anew each time */
		for (unsigned n = 1; n < 4; n++) {
			redis_do("ZADD {p:good}:running 9999999999999 id%zu.%u", i, n);
			TURN_UNTIL(find("good")->running == n);
		}
		redis_do("DEL {p:good}:running");
		assert_int_equal(logged("bad: left out: "), 1);
		assert_int_equal(logged(rows[i].said), 1);
	}
}

/* It is there, since its models are: callers are told of our trouble, not of theirs. */
static void
one_whose_credential_does_not_open_is_flagged_until_it_does(void **state)
{
	struct dr_provider *p;
	int64_t generation = 1;

	(void)state;
	p = add("p1", GOOD " credential v1.AAAA");
	TURN_UNTIL(p->state.now_ms > 0);
	assert_true(p->locked);
	assert_null(p->credential);
	assert_int_equal(p->presence.err, DR_ERR_PROVIDER_AUTH);
	assert_true(dr_providers_offer(providers, "m", DR_DIALECT_ANTHROPIC));
	assert_string_equal(
	    dr_provider_standing(p, dr_clock_ms(), dr_clock_wall_ms()), "flagged");
	for (unsigned n = 1; n < 4; n++) { /* some more polls: it is the same one */
		redis_do("ZADD {p:p1}:running 9999999999999 id%u", n);
		TURN_UNTIL(find("p1")->running == n);
		assert_ptr_equal(find("p1"), p);
	}
	assert_int_equal(logged("p1: flagged: credential: does not open"), 1);
	/* the same generation: what has changed is that it can be opened */
	redis_do("HDEL {p:p1}:provider credential");
	TURN_UNTIL(!find("p1")->locked);
	assert_int_equal(find("p1")->record->generation, generation);
	TURN_UNTIL(find("p1")->presence.err == DR_OK);
}

static void
a_zero_byte_in_a_record_is_damage(void **state)
{
	const struct dr_arg argv[] = { { "HSET", 4 }, { "{p:bad}:provider", 16 },
		{ "org", 3 }, { "a\0b", 3 }, { "generation", 10 }, { "2", 1 } };
	struct answer answer;

	(void)state;
	add("bad", GOOD);
	answer_init(&answer, false);
	dr_store_command(store, "{p:bad}", argv, DR_N_ELEMENTS(argv), &answer.call);
	TURN_UNTIL(find("bad") == NULL);
	assert_int_equal(logged("bad: left out: a field holds a zero byte"), 1);
	TURN_UNTIL(answer.n_done == 1);
}

static void
a_state_that_cannot_be_read_is_said_once_and_the_rest_of_it_counts(void **state)
{
	(void)state;
	add("p1", GOOD);
	redis_do("HSET {p:p1}:state hb.free 7 hb.at x colour red");
	TURN_UNTIL(find("p1")->state.hb_free == 7);
	assert_true(find("p1")->state.now_ms > 1000000000000);
	for (unsigned n = 1; n < 4; n++) {
		redis_do("HSET {p:p1}:state hb.free %u", n);
		TURN_UNTIL(find("p1")->state.hb_free == n);
	}
	assert_int_equal(logged("p1: of its state: hb.at: want a whole number"), 1);
	redis_do("HSET {p:p1}:state hb.at 5");
	TURN_UNTIL(find("p1")->state.hb_at_ms == 5);
	redis_do("HSET {p:p1}:state hb.at x");
	TURN_UNTIL(find("p1")->state.hb_at_ms == 0);
	assert_int_equal(logged("p1: of its state: hb.at: want a whole number"), 2);
}

static void
an_impossible_name_is_said_once_and_left_out(void **state)
{
	size_t n;

	(void)state;
	redis_do("HSET providers Bad}Name 1");
	add("p1", GOOD);
	add("p2", GOOD);
	dr_providers_list(providers, &n);
	assert_int_equal(n, 2);
	assert_int_equal(logged("names that are none of a provider"), 1);
}

static void
a_model_is_online_while_somebody_could_answer(void **state)
{
	struct dr_provider *p;
	uint64_t now;

	(void)state;
	p = add("p1", GOOD " rest 01:00-02:00");
	now = dr_clock_ms();
	assert_true(dr_providers_online(providers, "m", now, 0));
	assert_false(dr_providers_online(providers, "z", now, 0));
	assert_false(dr_providers_online(providers, "m", now, 90 * 60000));
	dr_providers_outcome(providers, p, DR_OUTCOME_OVERLOADED, 500, dr_clock_ms());
	assert_true(dr_providers_online(providers, "m", now, 0));
	dr_providers_outcome(providers, p, DR_OUTCOME_REFUSED, -1, dr_clock_ms());
	dr_providers_outcome(providers, p, DR_OUTCOME_REFUSED, -1, dr_clock_ms());
	assert_false(dr_providers_online(providers, "m", now, 0));
	assert_true(dr_providers_online(providers, "m", p->breaker.turn_ms, 0));
	dr_providers_outcome(providers, p, DR_OUTCOME_AUTH, -1, dr_clock_ms());
	assert_false(dr_providers_online(providers, "m", p->breaker.turn_ms, 0));
	assert_int_equal(
	    logged("p1: circuit opened: failures seen by this process"), 1);
	assert_int_equal(logged("p1: overloaded, rests for 500 ms"), 1);
	assert_int_equal(logged("p1: credential or account refused"), 1);
}

/* ---- what probes say ---- */

static void
a_probe_after_the_flag_lifts_it_and_one_before_does_not(void **state)
{
	struct dr_provider *p;
	int64_t now;

	(void)state;
	p = add("p1", GOOD " liveness probe");
	TURN_UNTIL(p->state.now_ms > 0);
	now = p->state.now_ms;
	dr_providers_outcome(providers, p, DR_OUTCOME_AUTH, -1, dr_clock_ms());
	/* a minute ago, and of another record: old news both */
	redis_do("HSET {p:p1}:state probe.ok 1 probe.generation 1 probe.at %lld",
	    (long long)now - 60000);
	TURN_UNTIL(p->state.probe_at_ms == now - 60000);
	assert_true(p->breaker.flagged);
	redis_do("HSET {p:p1}:state probe.generation 9 probe.at %lld",
	    (long long)now + 60000);
	TURN_UNTIL(p->state.probe_at_ms == now + 60000);
	assert_true(p->breaker.flagged);
	assert_string_equal(
	    dr_provider_standing(p, dr_clock_ms(), dr_clock_wall_ms()), "flagged");
	redis_do("HSET {p:p1}:state probe.generation 1");
	TURN_UNTIL(!p->breaker.flagged);
	assert_int_equal(logged("p1: a probe went well: in rotation again"), 1);
	assert_string_equal(
	    dr_provider_standing(p, dr_clock_ms(), dr_clock_wall_ms()), "alive");
}

static void
failed_probes_count_while_the_watcher_lives(void **state)
{
	struct dr_provider *p;

	(void)state;
	p = add("p1", GOOD " liveness probe");
	redis_do("HSET {p:p1}:state probe.at 1 probe.ok 0 probe.failures 2 "
		 "probe.generation 1");
	TURN_UNTIL(p->state.probe_failures == 2);
	assert_int_equal(p->presence.err, DR_OK);
	redis_do("SET watcher x");
	TURN_UNTIL(p->presence.err == DR_ERR_OFFLINE);
	assert_false(dr_providers_online(providers, "m", dr_clock_ms(), 0));
	assert_string_equal(
	    dr_provider_standing(p, dr_clock_ms(), dr_clock_wall_ms()), "offline");
	redis_do("DEL watcher");
	TURN_UNTIL(p->presence.err == DR_OK);
	assert_int_equal(logged("the watcher gives no sign of life"), 1);
}

static void
automatic_rests_are_dealt_out_by_name(void **state)
{
	(void)state;
	add("c", GOOD " rest auto");
	add("a", GOOD " rest auto");
	add("b", GOOD " rest auto");
	TURN_UNTIL(find("c")->rest.windows[0].from == 960);
	assert_int_equal(find("a")->rest.windows[0].from, 0);
	assert_int_equal(find("b")->rest.windows[0].from, 480);
	redis_do("HDEL providers a");
	TURN_UNTIL(find("a") == NULL);
	TURN_UNTIL(find("c")->rest.windows[0].from == 480);
	assert_int_equal(find("b")->rest.windows[0].from, 0);
	assert_true(dr_providers_online(providers, "m", dr_clock_ms(), 0));
}

/* ---- writing ---- */

static int64_t
written(const char *expected, const char *weight)
{
	struct dr_arg args[] = { { "{p:p1}:provider", 15 },
		{ expected, strlen(expected) }, { "weight", 6 },
		{ weight, strlen(weight) } };
	struct answer answer;

	answer_init(&answer, false);
	dr_store_eval(
	    store, "{p:p1}", &dr_script_provider_write, 1, args, 4, &answer.call);
	dr_store_wait(store, &answer.call);
	assert_int_equal(answer.err, DR_OK);
	return answer.number;
}

static void
a_record_is_only_written_over_what_was_read(void **state)
{
	int64_t first, second;
	char text[32];

	(void)state;
	first = written("0", "1");
	assert_true(first > 1000000000000); /* the time: never used before */
	assert_int_equal(written("0", "2"), 0);
	assert_string_equal(ask(store, "HGET {p:p1}:provider weight").text, "1");
	redis_do("HSET {p:p1}:provider generation 9007199254740000 stale x");
	second = written("9007199254740000", "3");
	assert_int_equal(second, 9007199254740001);
	snprintf(text, sizeof text, "%lld", (long long)second);
	assert_string_equal(ask(store, "HGET {p:p1}:provider generation").text, text);
	assert_string_equal(ask(store, "HGET {p:p1}:provider weight").text, "3");
	assert_int_equal(ask(store, "HEXISTS {p:p1}:provider stale").number, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_ready_after_the_first_poll),
		TEST(what_is_added_disabled_and_removed_is_seen),
		TEST(a_new_generation_is_a_new_provider),
		TEST(a_credential_is_opened_and_not_logged),
		TEST(a_damaged_record_is_left_out_by_name_and_said_once),
		TEST(one_whose_credential_does_not_open_is_flagged_until_it_does),
		TEST(a_zero_byte_in_a_record_is_damage),
		TEST(
		    a_state_that_cannot_be_read_is_said_once_and_the_rest_of_it_counts),
		TEST(an_impossible_name_is_said_once_and_left_out),
		TEST(a_model_is_online_while_somebody_could_answer),
		TEST(a_probe_after_the_flag_lifts_it_and_one_before_does_not),
		TEST(failed_probes_count_while_the_watcher_lives),
		TEST(automatic_rests_are_dealt_out_by_name),
		TEST(a_record_is_only_written_over_what_was_read),
	};

	return cmocka_run_group_tests(tests, redis_setup, redis_teardown);
}
