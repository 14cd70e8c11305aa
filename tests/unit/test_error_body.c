/*
 * Errors and usage in the API's own shape: written so that clients understand them,
 * read so that the right one is blamed and billed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json.h>
#include <string.h>

#include "base/json.h"
#include "dialects/dialect.h"
#include "fixture.h"

#define A DR_DIALECT_ANTHROPIC
#define C DR_DIALECT_CHAT
#define R DR_DIALECT_RESPONSES

static void
an_error_body_has_the_shape_of_its_api(void **unused)
{
	static const struct {
		enum dr_dialect_id dialect;
		enum dr_error err;
		const char *message, *want;
	} cases[] = {
		{ A, DR_ERR_BAD_KEY, "Invalid API key",
		    "{\"type\":\"error\",\"error\":{\"type\":\"authentication_error\",\"message\":"
		    "\"Invalid API key\"},\"request_id\":\"req_1\"}" },
		{ C, DR_ERR_BAD_KEY, "Invalid API key",
		    "{\"error\":{\"message\":\"Invalid API key\",\"type\":\"invalid_request_error\","
		    "\"param\":null,\"code\":\"invalid_api_key\"}}" },
		{ R, DR_ERR_OFFLINE, "No providers are currently online",
		    "{\"error\":{\"message\":\"No providers are currently online\","
		    "\"type\":\"server_error\",\"param\":null,\"code\":null}}" },
		{ A, DR_ERR_MODEL_UNAVAILABLE, "Model \"x\n\" \xff",
		    "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":"
		    "\"Model \\\"x\\n\\\" \xef\xbf\xbd\"},\"request_id\":\"req_1\"}" },
	};
	struct dr_strbuf out;

	(void)unused;
	dr_strbuf_init(&out, 4096);
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		dr_strbuf_clear(&out);
		dr_error_body(
		    cases[i].dialect, cases[i].err, cases[i].message, "req_1", &out);
		assert_string_equal(out.data, cases[i].want);
	}
	dr_strbuf_fini(&out);
}

static void
nothing(void *arg, const char *bytes, size_t len)
{
	(void)arg, (void)bytes, (void)len;
}

/* Each error, in each dialect: JSON, and understood by our own reader. */
static void
every_error_written_can_be_read(void **unused)
{
	struct dr_strbuf out;
	char err[100];

	(void)unused;
	dr_strbuf_init(&out, 4096);
	for (enum dr_dialect_id d = 0; d < DR_N_DIALECTS; d++) {
		for (enum dr_error e = DR_OK + 1; e < DR_N_ERRORS; e++) {
			struct dr_provider_error error;
			struct json_object *whole;
			struct dr_tap *tap = dr_tap_new(d, false, nothing, NULL);

			dr_strbuf_clear(&out);
			dr_error_body(d, e, "a \"message\"\n", "req_1", &out);
			whole = dr_json_parse(out.data, out.len, err, sizeof err);
			assert_non_null(whole);
			json_object_put(whole);
			assert_true(dr_read_provider_error(
			    d, dr_error_info(e)->status, out.data, out.len, &error));
			assert_string_equal(error.message, "a \"message\"\n");

			dr_strbuf_clear(&out);
			dr_error_event(d, e, "a \"message\"\n", "req_1", 7, &out);
			dr_tap_feed(tap, out.data, out.len);
			assert_int_equal(dr_tap_state(tap)->events, 1);
			assert_true(dr_tap_state(tap)->error_first);
			assert_false(dr_tap_state(tap)->complete);
			assert_string_equal(
			    dr_tap_state(tap)->error.message, "a \"message\"\n");
			dr_tap_free(&tap);
		}
	}
	dr_strbuf_fini(&out);
}

static void
a_broken_stream_is_told_in_the_dialects_own_event(void **unused)
{
	struct dr_strbuf out;
	struct json_object *event, *response, *value;
	char err[100];

	(void)unused;
	dr_strbuf_init(&out, 4096);
	dr_error_event(
	    A, DR_ERR_PROVIDER_TIMEOUT, "Provider timed out", "req_1", 0, &out);
	assert_string_equal(out.data,
	    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"timeout_error\","
	    "\"message\":\"Provider timed out\"},\"request_id\":\"req_1\"}\n\n");
	dr_strbuf_clear(&out);
	dr_error_event(C, DR_ERR_PROVIDER_ERROR, "cut", "req_1", 0, &out);
	assert_string_equal(out.data,
	    "data: {\"error\":{\"message\":\"cut\",\"type\":"
	    "\"server_error\",\"param\":null,\"code\":null}}\n\n");
	dr_strbuf_clear(&out);
	dr_error_event(R, DR_ERR_PROVIDER_ERROR, "cut", "req_1", 12, &out);
	assert_memory_equal(out.data, "event: response.failed\ndata: {", 30);
	event = dr_json_parse(out.data + 29, out.len - 29, err, sizeof err);
	assert_non_null(event);
	assert_true(json_object_object_get_ex(event, "type", &value));
	assert_string_equal(json_object_get_string(value), "response.failed");
	assert_true(json_object_object_get_ex(event, "sequence_number", &value));
	assert_int_equal(json_object_get_int(value), 12);
	assert_true(json_object_object_get_ex(event, "response", &response));
	assert_true(json_object_object_get_ex(response, "status", &value));
	assert_string_equal(json_object_get_string(value), "failed");
	assert_true(json_object_object_get_ex(response, "output", &value));
	assert_true(json_object_is_type(value, json_type_array));
	assert_true(json_object_object_get_ex(response, "error", &response));
	assert_true(json_object_object_get_ex(response, "code", &value));
	assert_string_equal(json_object_get_string(value), "server_error");
	json_object_put(event);
	dr_strbuf_fini(&out);
}

#define ANTHROPIC(type, message)                                                       \
	"{\"type\":\"error\",\"error\":{\"type\":\"" type "\",\"message\":\"" message  \
	"\"}}"
#define OPENAI(type, code)                                                             \
	"{\"error\":{\"message\":\"m\",\"type\":\"" type                               \
	"\",\"param\":null,\"code\":" code "}}"

static void
the_right_one_is_blamed(void **unused)
{
	static const struct {
		enum dr_dialect_id dialect;
		int status;
		const char *body;
		enum dr_fault want;
		bool in_shape;
	} cases[] = {
		{ A, 400, ANTHROPIC("invalid_request_error", "prompt is too long"),
		    DR_FAULT_CALLER, true },
		{ A, 400,
		    ANTHROPIC(
			"invalid_request_error", "Your credit balance is too low to"),
		    DR_FAULT_ACCOUNT, true },
		{ A, 401, ANTHROPIC("authentication_error", "invalid x-api-key"),
		    DR_FAULT_ACCOUNT, true },
		{ A, 401, "", DR_FAULT_ACCOUNT, false },
		{ A, 402, ANTHROPIC("billing_error", "m"), DR_FAULT_ACCOUNT, true },
		{ A, 403, "<html>", DR_FAULT_ACCOUNT, false },
		{ A, 404, ANTHROPIC("not_found_error", "model: x"), DR_FAULT_CALLER,
		    true },
		{ A, 404, "<html>", DR_FAULT_NONE, false },
		{ A, 404, "{\"detail\":\"Not Found\"}", DR_FAULT_NONE, false },
		{ A, 404, OPENAI("invalid_request_error", "null"), DR_FAULT_NONE,
		    false },
		{ A, 413, ANTHROPIC("request_too_large", "m"), DR_FAULT_CALLER, true },
		{ A, 422, ANTHROPIC("invalid_request_error", "m"), DR_FAULT_CALLER,
		    true },
		{ A, 429, ANTHROPIC("rate_limit_error", "m"), DR_FAULT_OVERLOADED,
		    true },
		{ A, 429, "", DR_FAULT_OVERLOADED, false },
		{ A, 408, ANTHROPIC("api_error", "m"), DR_FAULT_SERVER, true },
		{ A, 500, ANTHROPIC("api_error", "m"), DR_FAULT_SERVER, true },
		{ A, 500, ANTHROPIC("overloaded_error", "m"), DR_FAULT_OVERLOADED,
		    true },
		{ A, 502, "bad gateway", DR_FAULT_SERVER, false },
		{ A, 503, "", DR_FAULT_OVERLOADED, false },
		{ A, 529, ANTHROPIC("overloaded_error", "m"), DR_FAULT_OVERLOADED,
		    true },
		{ A, 302, "", DR_FAULT_SERVER, false },
		{ A, 0, ANTHROPIC("overloaded_error", "m"), DR_FAULT_OVERLOADED, true },
		{ A, 0, ANTHROPIC("api_error", "m"), DR_FAULT_SERVER, true },
		{ A, 0, ANTHROPIC("invalid_request_error", "m"), DR_FAULT_CALLER,
		    true },
		{ A, 0, "{}", DR_FAULT_NONE, false },
		{ A, 200, "{\"type\":\"message\"}", DR_FAULT_NONE, false },
		{ C, 400,
		    OPENAI("invalid_request_error", "\"context_length_exceeded\""),
		    DR_FAULT_CALLER, true },
		{ C, 400,
		    OPENAI("invalid_request_error", "\"billing_hard_limit_reached\""),
		    DR_FAULT_ACCOUNT, true },
		{ C, 400, "{\"error\":\"no\"}", DR_FAULT_NONE, false },
		{ C, 400, "{\"error\":{\"message\":null}}", DR_FAULT_NONE, false },
		{ C, 400, "{\"error\":{\"message\":\"m\"}}", DR_FAULT_CALLER, true },
		{ C, 400, "{\"error\":{\"message\":\"m\"}} x", DR_FAULT_NONE, false },
		{ C, 401, OPENAI("invalid_request_error", "\"invalid_api_key\""),
		    DR_FAULT_ACCOUNT, true },
		{ C, 404, OPENAI("invalid_request_error", "\"model_not_found\""),
		    DR_FAULT_CALLER, true },
		{ C, 429, OPENAI("insufficient_quota", "\"insufficient_quota\""),
		    DR_FAULT_ACCOUNT, true },
		{ C, 429, OPENAI("x", "\"project_spend_limit_exceeded\""),
		    DR_FAULT_ACCOUNT, true },
		{ C, 429, OPENAI("requests", "\"rate_limit_exceeded\""),
		    DR_FAULT_OVERLOADED, true },
		{ C, 429, OPENAI("invalid_request_error", "null"), DR_FAULT_OVERLOADED,
		    true },
		{ R, 503,
		    OPENAI("service_unavailable_error", "\"server_is_overloaded\""),
		    DR_FAULT_OVERLOADED, true },
		{ R, 500, OPENAI("invalid_request_error", "null"), DR_FAULT_SERVER,
		    true },
		{ R, 0, OPENAI("server_error", "null"), DR_FAULT_SERVER, true },
		{ R, 0, OPENAI("x", "\"rate_limit_exceeded\""), DR_FAULT_OVERLOADED,
		    true },
	};
	struct dr_provider_error error;

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		bool in_shape = dr_read_provider_error(cases[i].dialect,
		    cases[i].status, cases[i].body, strlen(cases[i].body), &error);

		if (error.fault != cases[i].want || in_shape != cases[i].in_shape)
			fail_msg(
			    "row %zu: fault %d, in_shape %d", i, error.fault, in_shape);
	}
}

static void
an_error_is_read_as_it_was_sent(void **unused)
{
	struct fixture credit = fixture_read("anthropic_credit.json");
	struct fixture quota = fixture_read("openai_quota.json");
	static const char odd[] =
	    "{\"error\":{\"code\":400,\"type\":null,\"message\":\"\\u00fc\"}}";
	struct dr_provider_error error;

	(void)unused;
	assert_true(dr_read_provider_error(A, 400, credit.bytes, credit.len, &error));
	assert_int_equal(error.fault, DR_FAULT_ACCOUNT);
	assert_string_equal(error.type, "invalid_request_error");
	assert_memory_equal(error.message, "Your credit balance", 19);
	assert_true(dr_read_provider_error(C, 429, quota.bytes, quota.len, &error));
	assert_int_equal(error.fault, DR_FAULT_ACCOUNT);
	assert_string_equal(error.code, "insufficient_quota");
	assert_true(dr_read_provider_error(C, 400, odd, sizeof odd - 1, &error));
	assert_string_equal(error.code, "400");
	assert_string_equal(error.type, "");
	assert_string_equal(error.message, "\xc3\xbc");
	free(credit.bytes);
	free(quota.bytes);
}

static void
a_long_message_is_cut_at_a_whole_character(void **unused)
{
	struct dr_provider_error error;
	struct dr_strbuf body;

	(void)unused;
	dr_strbuf_init(&body, 1 << 16);
	dr_strbuf_adds(&body, "{\"error\":{\"message\":\"");
	for (int i = 0; i < 1000; i++)
		dr_strbuf_adds(&body, "\xe4\xb8\x96");
	dr_strbuf_adds(&body, "\"}}");
	assert_true(dr_read_provider_error(C, 400, body.data, body.len, &error));
	assert_int_equal(strlen(error.message), 510);
	dr_strbuf_fini(&body);
}

/* ---- usage of unary answers ---- */

static void
a_unary_answer_tells_its_usage(void **unused)
{
	static const struct {
		enum dr_dialect_id dialect;
		const char *file;
		struct dr_usage want;
	} cases[] = {
		{ A, "anthropic_answer.json",
		    { 2095, 1100, 400, 10240, 12, 1, true, true } },
		{ C, "chat_answer.json", { 22, 64, 0, 1920, 300, 0, true, true } },
		{ R, "responses_answer.json", { 138, 0, 0, 3072, 187, 0, true, true } },
	};

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		struct fixture fixture = fixture_read(cases[i].file);
		struct dr_usage usage;
		struct dr_strbuf raw;
		struct json_object *block;
		char err[100];

		dr_strbuf_init(&raw, DR_MAX_RAW_USAGE);
		assert_true(dr_usage_of_answer(
		    cases[i].dialect, fixture.bytes, fixture.len, &usage, &raw));
		assert_memory_equal(&usage, &cases[i].want, sizeof usage);
		block = dr_json_parse(raw.data, raw.len, err, sizeof err);
		assert_true(json_object_is_type(block, json_type_object));
		json_object_put(block);
		assert_true(dr_usage_of_answer(
		    cases[i].dialect, fixture.bytes, fixture.len, &usage, NULL));
		dr_strbuf_fini(&raw);
		free(fixture.bytes);
	}
}

static void
absent_usage_is_not_zero(void **unused)
{
	static const struct {
		enum dr_dialect_id dialect;
		const char *body;
		bool told;
	} cases[] = {
		{ A, "{}", false },
		{ A, "{\"usage\":null}", false },
		{ C, "{\"usage\":{}}", false },
		{ C, "{\"usage\":{\"prompt_tokens\":null}}", false },
		{ C, "{\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0}}",
		    true },
		{ R, "{\"response\":{\"usage\":{\"input_tokens\":1}}}", false },
		{ R, "not json {\"usage\":{\"input_tokens\":1}}", false },
		{ R, "", false },
	};
	struct dr_usage usage;
	struct dr_strbuf raw;

	(void)unused;
	dr_strbuf_init(&raw, DR_MAX_RAW_USAGE);
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		assert_int_equal(dr_usage_of_answer(cases[i].dialect, cases[i].body,
				     strlen(cases[i].body), &usage, &raw),
		    cases[i].told);
		assert_int_equal(usage.input_seen, cases[i].told);
		assert_int_equal(usage.output_seen, cases[i].told);
	}
	dr_strbuf_fini(&raw);
}

/* The numbers are read also where the block is too long to be kept. */
static void
a_usage_block_above_the_limit_is_read_but_not_kept(void **unused)
{
	struct dr_strbuf body, raw;
	struct dr_usage usage;

	(void)unused;
	dr_strbuf_init(&body, 1 << 16);
	dr_strbuf_init(&raw, DR_MAX_RAW_USAGE);
	dr_strbuf_adds(&body, "{\"usage\":{\"x\":\"");
	for (int i = 0; i < 5000; i++)
		dr_strbuf_addc(&body, 'x');
	dr_strbuf_adds(&body, "\",\"input_tokens\":3,\"output_tokens\":4}}");
	assert_true(dr_usage_of_answer(A, body.data, body.len, &usage, &raw));
	assert_int_equal(usage.output, 4);
	assert_int_equal(raw.len, 0);
	dr_strbuf_fini(&body);
	dr_strbuf_fini(&raw);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_body_has_the_shape_of_its_api),
		cmocka_unit_test(every_error_written_can_be_read),
		cmocka_unit_test(a_broken_stream_is_told_in_the_dialects_own_event),
		cmocka_unit_test(the_right_one_is_blamed),
		cmocka_unit_test(an_error_is_read_as_it_was_sent),
		cmocka_unit_test(a_long_message_is_cut_at_a_whole_character),
		cmocka_unit_test(a_unary_answer_tells_its_usage),
		cmocka_unit_test(absent_usage_is_not_zero),
		cmocka_unit_test(a_usage_block_above_the_limit_is_read_but_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
