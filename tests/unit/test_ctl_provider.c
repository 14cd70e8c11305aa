/*
 * derouterctl provider: records, credentials, generations, against a real redis-server.
 */
#include "ctl_fixture.h"
#include "gateway/provider_record.h"

/* ---- providers ---- */

#define ADD(name)                                                                      \
	"provider add " name                                                           \
	" --dialect anthropic --base-url https://api.example.com "                     \
	"--model claude-opus-4-8 --max-concurrency 3 --credential-file - "

static void
a_provider_is_added_shown_switched_and_removed(void **state)
{
	(void)state;
	assert_int_equal(
	    ctl_input(
		ADD("first") "--dialect openai --model gpt-5.5=their-gpt "
			     "--rest 22:00-06:00 --weight 7 --priority 2 --org acme",
		"sk-upstream-secret\n"),
	    0);
	assert_null(strstr(out, "sk-upstream-secret"));
	CTL_STATUS(0, "--json provider show first");
	assert_string_equal(json_at("name"), "first");
	assert_string_equal(json_at("enabled"), "on");
	assert_string_equal(
	    json_at("dialects"), "anthropic,openai-chat,openai-responses");
	assert_string_equal(json_at("models"), "claude-opus-4-8,gpt-5.5=their-gpt");
	assert_string_equal(json_at("max_concurrency"), "3");
	assert_string_equal(json_at("rest"), "22:00-06:00");
	assert_string_equal(json_at("weight"), "7");
	assert_string_equal(json_at("org"), "acme");
	assert_string_equal(json_at("running"), "0");
	assert_string_equal(json_at("header"), "x-api-key");
	assert_string_equal(json_at("api_path"), "/v1");
	assert_string_equal(json_at("query"), "");
	assert_string_equal(json_at("allow_http"), "off");
	assert_string_equal(json_at("credential"), "set");
	assert_string_equal(json_at("token"), "none");
	assert_memory_equal(json_at("changed"), "20", 2);
	CTL_STATUS(
	    0, "provider set first --allow-http --query a=b --extra-header X-A:~1");
	CTL_STATUS(0, "provider token first");
	CTL_STATUS(0, "--json provider show first");
	assert_string_equal(json_at("query"), "a=b");
	assert_string_equal(json_at("extra_headers"), "X-A: 1");
	assert_string_equal(json_at("allow_http"), "on");
	assert_string_equal(json_at("token"), "set");
	CTL_STATUS(0, "provider set first --no-allow-http");
	CTL_STATUS(0, "--json provider show first");
	assert_string_equal(json_at("allow_http"), "off");
	CTL_STATUS(2, "provider set first --base-url http://h");
	CTL_STATUS(0, "provider disable first");
	CTL_STATUS(0, "--json provider list");
	assert_string_equal(json_at("0.enabled"), "off");
	CTL_STATUS(0, "provider enable first");
	CTL_STATUS(0, "--json provider list");
	assert_string_equal(json_at("0.enabled"), "on");
	CTL_STATUS(0, "provider remove first");
	CTL_STATUS(0, "--json provider list");
	assert_string_equal(json_at("0.name"), "");
	CTL_STATUS(1, "provider show first");
}

static void
the_credential_is_sealed_and_can_be_changed(void **state)
{
	static const char hgetall[] = "HGET {p:sealed}:provider credential";
	char first[64];

	(void)state;
	assert_int_equal(
	    ctl_input(ADD("sealed"), "sk-upstream-secret\nsecond line\n"), 0);
	snprintf(first, sizeof first, "%s", ask(store, hgetall).text);
	assert_memory_equal(first, "v1.", 3);
	assert_null(strstr(first, "upstream"));
	write_file("credential", "another", 0600);
	CTL_STATUS(
	    0, "provider credential sealed --credential-file %s", in_dir("credential"));
	assert_string_not_equal(ask(store, hgetall).text, first);
	CTL_STATUS(0, "provider show sealed");
	assert_null(strstr(out, "another"));
	CTL_STATUS(0, "provider remove sealed");
}

static void
a_change_of_a_provider_makes_a_new_generation_in_the_directory(void **state)
{
	int64_t first, second;

	(void)state;
	assert_int_equal(ctl_input(ADD("gen"), "x"), 0);
	first = ask(store, "HGET providers gen").number;
	assert_int_equal(ask(store, "HGET {p:gen}:provider generation").number, first);
	CTL_STATUS(0, "provider disable gen");
	second = ask(store, "HGET providers gen").number;
	assert_true(second > first);
	CTL_STATUS(0, "provider remove gen");
}

static void
a_bad_provider_is_refused_by_the_arguments_name_and_not_stored(void **state)
{
	static const struct {
		const char *words, *input, *said;
	} rows[] = {
		{ "--base-url ftp://x", "k", "--base-url" },
		{ "--base-url https://x --dialect french", "k", "--dialect" },
		{ "--base-url http://x", "k", "allow" },
		{ "--base-url https://x --model no-such-model", "k", "--model" },
		{ "--base-url https://x --rest 25:00-26:00", "k", "--rest" },
		{ "--base-url https://x --weight 0", "k", "--weight" },
		{ "--base-url https://x --priority -1", "k", "--priority" },
		{ "--base-url https://x --max-concurrency 0", "k",
		    "--max-concurrency" },
		{ "--base-url https://x --header cookie", "k", "--header" },
		{ "--base-url https://x", "", "--credential-file" },
		{ "--base-url https://x", "\n", "--credential-file" },
		{ "--base-url https://x", "two words\n", "--credential-file" },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		char words[1024];
		int status;

		snprintf(words, sizeof words,
		    "provider add bad --credential-file - %s%s%s %s",
		    strstr(rows[i].words, "--dialect") == NULL ? " --dialect anthropic"
							       : "",
		    strstr(rows[i].words, "--model ") == NULL
			? " --model claude-opus-4-8"
			: "",
		    strstr(rows[i].words, "--max") == NULL ? " --max-concurrency 1"
							   : "",
		    rows[i].words);
		for (char *p = words; (p = strstr(p, "  ")) != NULL;)
			memmove(p, p + 1, strlen(p));
		status = ctl_input(words, rows[i].input);
		if ((status != 1 && status != 2) || strstr(err, rows[i].said) == NULL)
			fail_msg("%s: status %d: %s", words, status, err);
		assert_int_equal(ask(store, "EXISTS {p:bad}:provider").number, 0);
		assert_int_equal(ask(store, "HEXISTS providers bad").number, 0);
	}
}

static void
a_credential_above_its_ceiling_is_refused(void **state)
{
	char *huge = malloc(DR_MAX_CREDENTIAL + 16);

	(void)state;
	for (size_t n = DR_MAX_CREDENTIAL; n <= DR_MAX_CREDENTIAL + 2; n++) {
		memset(huge, 'k', n);
		huge[n] = '\0';
		assert_int_equal(
		    ctl_input(ADD("huge"), huge) == 0, n == DR_MAX_CREDENTIAL);
		if (n == DR_MAX_CREDENTIAL)
			CTL_STATUS(0, "provider remove huge");
		else
			CTL_SAID("--credential-file", err);
	}
	free(huge);
}

static void
a_provider_is_added_once(void **state)
{
	(void)state;
	assert_int_equal(ctl_input(ADD("once"), "k"), 0);
	assert_int_equal(ctl_input(ADD("once"), "k"), 1);
	CTL_SAID("NAME", err);
	CTL_STATUS(0, "provider remove once");
}

static void
a_provider_is_changed_field_by_field(void **state)
{
	char generation[32];

	(void)state;
	assert_int_equal(ctl_input(ADD("set") "--weight 7 --rest 01:00-02:00", "k"), 0);
	snprintf(
	    generation, sizeof generation, "%s", ask(store, "HGET providers set").text);
	CTL_STATUS(0,
	    "provider set set --liveness probe --rest auto --max-concurrency 9 "
	    "--model gpt-5.5=x --model claude-opus-4-8 --dialect openai");
	assert_string_not_equal(ask(store, "HGET providers set").text, generation);
	CTL_STATUS(0, "--json provider show set");
	assert_string_equal(json_at("liveness"), "probe");
	assert_string_equal(json_at("rest"), "auto");
	assert_string_equal(json_at("weight"), "7");
	assert_string_equal(json_at("max_concurrency"), "9");
	assert_string_equal(json_at("models"), "claude-opus-4-8,gpt-5.5=x");
	assert_string_equal(json_at("dialects"), "openai-chat,openai-responses");
	CTL_STATUS(2, "provider set set");
	CTL_SAID("nothing to set", err);
	CTL_STATUS(2, "provider set set --liveness sometimes");
	CTL_SAID("--liveness: liveness: want node, probe or always", err);
	CTL_STATUS(2, "provider set set --model moon");
	CTL_STATUS(1, "provider set nobody --weight 1");
	CTL_STATUS(0, "provider remove set");
}

static void
a_token_is_shown_once_and_only_its_digest_is_kept(void **state)
{
	static const char kept[] = "HGET {p:node}:provider token_sha";
	char token[128], first[80];

	(void)state;
	assert_int_equal(ctl_input(ADD("node") "--liveness node", "k"), 0);
	assert_string_equal(ask(store, kept).text, "");
	CTL_STATUS(0, "provider token node");
	take_line(token, sizeof token);
	assert_memory_equal(token, "drp_", 4);
	assert_string_equal(dr_provider_token_name(token), "node");
	snprintf(first, sizeof first, "%s", ask(store, kept).text);
	dr_sha256_hex(token, strlen(token), token);
	assert_memory_equal(first, token, 60); /* what ask() keeps of it */
	CTL_STATUS(0, "provider show node");
	assert_null(strstr(out, first));
	CTL_STATUS(0, "--json provider token node");
	assert_memory_equal(json_at("token"), "drp_", 4);
	assert_string_not_equal(ask(store, kept).text, first);
	CTL_STATUS(1, "provider token nobody");
	CTL_STATUS(0, "provider remove node");
}

/* What responders wrote into its state, as if they had met it. */
static void
trouble_that_responders_met_is_shown_with_its_end(void **state)
{
	static const struct {
		const char *fields; /* %s: the record's generation */
		const char *word, *why;
	} rows[] = {
		{ "cool.generation %s cool.until 4102444800000 cool.steps 1", "cooling",
		    "overloaded, rests until 2100-01-01T00:00:00Z" },
		{ "open.generation %s open.until 4102444800000", "open",
		    "failed, its circuit is open until 2100-01-01T00:00:00Z" },
		{ "open.generation %s open.until 1", "open",
		    "failed, its circuit is half open: the next request tries it" },
		{ "open.generation %s open.until 4102444800000 open.doubt 1", "doubted",
		    "failed, others are asked first; a request tries it at "
		    "2100-01-01T00:00:00Z" },
		{ "open.generation %s open.until 1 open.doubt 1", "doubted",
		    "failed, others are asked first: the next request tries it" },
		{ "open.generation %s open.failures 2 open.window 4102444800000",
		    "alive", "" },
		{ "open.generation 5 open.until 4102444800000", "alive", "" },
		{ "flag.generation %s flag.at 4102444800000", "flagged",
		    "refused its credential or account 0 s ago: until it is changed or "
		    "a probe goes well" },
	};
	char generation[32], line[256];

	(void)state;
	assert_int_equal(ctl_input(ADD("ill"), "k"), 0);
	snprintf(
	    generation, sizeof generation, "%s", ask(store, "HGET providers ill").text);
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		const char *at = strstr(rows[i].fields, "%s");

		snprintf(line, sizeof line, "HSET {p:ill}:state %.*s%s%s",
		    at != NULL ? (int)(at - rows[i].fields) : 200, rows[i].fields,
		    at != NULL ? generation : "", at != NULL ? at + 2 : "");
		ask(store, "DEL {p:ill}:state");
		assert_int_equal(ask(store, line).err, DR_OK);
		CTL_STATUS(0, "--json provider show ill");
		assert_string_equal(json_at("state"), rows[i].word);
		assert_string_equal(json_at("why"), rows[i].why);
	}
	CTL_STATUS(0, "provider remove ill");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_provider_is_added_shown_switched_and_removed),
		cmocka_unit_test(the_credential_is_sealed_and_can_be_changed),
		cmocka_unit_test(
		    a_change_of_a_provider_makes_a_new_generation_in_the_directory),
		cmocka_unit_test(
		    a_bad_provider_is_refused_by_the_arguments_name_and_not_stored),
		cmocka_unit_test(a_credential_above_its_ceiling_is_refused),
		cmocka_unit_test(a_provider_is_added_once),
		cmocka_unit_test(a_provider_is_changed_field_by_field),
		cmocka_unit_test(trouble_that_responders_met_is_shown_with_its_end),
		cmocka_unit_test(a_token_is_shown_once_and_only_its_digest_is_kept),
	};

	return cmocka_run_group_tests(tests, ctl_setup, ctl_teardown);
}
