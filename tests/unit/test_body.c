/*
 * A request's body: what is read of its top level, and the edits on its way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "dialects/dialect.h"

#define A DR_DIALECT_ANTHROPIC
#define C DR_DIALECT_CHAT
#define R DR_DIALECT_RESPONSES

static void
read_text(enum dr_dialect_id dialect, const char *text, struct dr_body_facts *facts)
{
	dr_body_read(dialect, text, strlen(text), facts);
}

static void
span_is(const char *body, struct dr_span span, const char *want)
{
	assert_int_equal(span.len, strlen(want));
	if (span.len > 0)
		assert_memory_equal(body + span.at, want, span.len);
}

static void
the_fields_that_matter_are_found(void **unused)
{
	static const char messages[] =
	    "{\"model\":\"claude-sonnet-4-6\",\"max_tokens\":1024,\"stream\":true,"
	    "\"system\":[{\"type\":\"text\"}],\"messages\":[{\"model\":\"no\"}],"
	    "\"service_tier\":\"auto\",\"speed\":\"fast\",\"inference_geo\":\"us\","
	    "\"metadata\":{\"user_id\":\"u\"}}";
	static const char chat[] =
	    "{\"messages\":[],\"n\":3,\"max_completion_tokens\":7,\"stream_options\":"
	    "{\"include_usage\":true},\"prompt_cache_key\":\"k\",\"model\":\"gpt-5.1\"}";
	static const char responses[] =
	    "{\"model\":\"m\",\"input\":\"hi\",\"instructions\":\"be\",\"max_output_tokens\":null,"
	    "\"previous_response_id\":\"resp_1\",\"conversation\":{\"id\":\"c\"},"
	    "\"background\":false,\"stream\":false}";
	struct dr_body_facts facts;

	(void)unused;
	read_text(A, messages, &facts);
	assert_int_equal(facts.err, DR_OK);
	assert_string_equal(facts.model, "claude-sonnet-4-6");
	span_is(messages, facts.model_at, "\"claude-sonnet-4-6\"");
	assert_true(facts.stream);
	assert_int_equal(facts.max_tokens, 1024);
	assert_int_equal(facts.choices, 1);
	assert_int_equal(facts.include_usage, -1);
	span_is(messages, facts.system, "[{\"type\":\"text\"}]");
	span_is(messages, facts.messages, "[{\"model\":\"no\"}]");
	span_is(messages, facts.service_tier, "\"auto\"");
	span_is(messages, facts.speed, "\"fast\"");
	span_is(messages, facts.inference_geo, "\"us\"");
	span_is(messages, facts.metadata, "{\"user_id\":\"u\"}");

	read_text(C, chat, &facts);
	assert_int_equal(facts.err, DR_OK);
	assert_int_equal(facts.max_tokens, 7);
	assert_int_equal(facts.choices, 3);
	assert_int_equal(facts.include_usage, 1);
	assert_false(facts.stream);
	span_is(chat, facts.stream_options, "{\"include_usage\":true}");
	span_is(chat, facts.prompt_cache_key, "\"k\"");

	read_text(R, responses, &facts);
	assert_int_equal(facts.err, DR_OK);
	assert_int_equal(facts.max_tokens, -1);
	span_is(responses, facts.messages, "\"hi\"");
	span_is(responses, facts.system, "\"be\"");
	span_is(responses, facts.previous_response_id, "\"resp_1\"");
	span_is(responses, facts.conversation, "{\"id\":\"c\"}");
	span_is(responses, facts.metadata, "");
}

static void
a_bad_body_says_what_is_wrong(void **unused)
{
	static const struct {
		enum dr_dialect_id dialect;
		const char *body;
		enum dr_error err;
		const char *problem;
	} cases[] = {
		{ A, "", DR_ERR_BAD_JSON,
		    "The request body is not a JSON object: unexpected end at byte 0" },
		{ A, "[]", DR_ERR_BAD_JSON,
		    "The request body is not a JSON object: expected '{' at byte 0" },
		{ A, "{\"model\":\"m\"", DR_ERR_BAD_JSON,
		    "The request body is not a JSON object: unexpected end at byte 12" },
		{ A, "{}", DR_ERR_NO_MODEL, "model is required" },
		{ A, "{\"model\":null}", DR_ERR_NO_MODEL, "model is required" },
		{ A, "{\"model\":\"\"}", DR_ERR_NO_MODEL, "model is required" },
		{ A, "{\"stream\":1}", DR_ERR_NO_MODEL, "model is required" },
		{ A, "{\"model\":3}", DR_ERR_BAD_FIELD, "model must be a string" },
		{ A, "{\"model\":\"a\\u0000\"}", DR_ERR_BAD_FIELD,
		    "model is too long or not valid text" },
		{ A, "{\"model\":\"\xff\"}", DR_ERR_BAD_FIELD,
		    "model is too long or not valid text" },
		{ A, "{\"model\":\"m\",\"stream\":\"true\"}", DR_ERR_BAD_FIELD,
		    "stream must be true or false" },
		{ A, "{\"model\":\"m\",\"max_tokens\":-1}", DR_ERR_BAD_FIELD,
		    "max_tokens must be a whole number, 0 or more" },
		{ A, "{\"model\":\"m\",\"max_tokens\":1.5}", DR_ERR_BAD_FIELD,
		    "max_tokens must be a whole number, 0 or more" },
		{ A, "{\"model\":\"m\",\"max_tokens\":\"5\"}", DR_ERR_BAD_FIELD,
		    "max_tokens must be a whole number, 0 or more" },
		{ A, "{\"model\":\"m\",\"max_tokens\":1e40}", DR_ERR_BAD_FIELD,
		    "max_tokens must be a whole number, 0 or more" },
		{ C, "{\"model\":\"m\",\"max_completion_tokens\":[]}", DR_ERR_BAD_FIELD,
		    "max_completion_tokens must be a whole number, 0 or more" },
		{ C, "{\"model\":\"m\",\"n\":true}", DR_ERR_BAD_FIELD,
		    "n must be a whole number, 0 or more" },
		{ C, "{\"model\":\"m\",\"stream_options\":[]}", DR_ERR_BAD_FIELD,
		    "stream_options must be an object" },
		{ C, "{\"model\":\"m\",\"stream_options\":{\"include_usage\":1}}",
		    DR_ERR_BAD_FIELD,
		    "stream_options.include_usage must be true or false" },
		{ C, "{\"model\":\"m\",\"stream_options\":{a}}", DR_ERR_BAD_JSON,
		    "stream_options: expected a field name at byte 1" },
		{ C,
		    "{\"stream_options\":{\"include_usage\":false,\"include_usage\":true}}",
		    DR_ERR_BAD_JSON,
		    "duplicate field \"stream_options.include_usage\"" },
		{ R, "{\"model\":\"m\",\"background\":true}", DR_ERR_BAD_FIELD,
		    "background is not supported: its usage would not be known" },
		/* provider and gateway might read different ones */
		{ A, "{\"model\":\"m\",\"model\":\"m\"}", DR_ERR_BAD_JSON,
		    "duplicate field \"model\" at byte 13" },
		{ A, "{\"model\":\"m\",\"mod\\u0065l\":\"n\"}", DR_ERR_BAD_JSON,
		    "duplicate field \"model\" at byte 13" },
		{ A, "{\"model\":null, \"model\":\"n\"}", DR_ERR_BAD_JSON,
		    "duplicate field \"model\" at byte 15" },
		{ R, "{\"max_output_tokens\":1,\"max_output_tokens\":1}",
		    DR_ERR_BAD_JSON,
		    "duplicate field \"max_output_tokens\" at byte 23" },
		/* the first of two problems */
		{ A, "{\"model\":1,\"stream\":1}", DR_ERR_BAD_FIELD,
		    "model must be a string" },
	};
	struct dr_body_facts facts;

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		read_text(cases[i].dialect, cases[i].body, &facts);
		assert_string_equal(facts.problem, cases[i].problem);
		assert_int_equal(facts.err, cases[i].err);
	}
}

static void
what_does_not_matter_may_be_anything(void **unused)
{
	static const struct {
		enum dr_dialect_id dialect;
		const char *body;
	} cases[] = {
		{ A, "{\"x\":1,\"x\":2,\"model\":\"m\"}" },
		{ A,
		    "{\"background\":true,\"model\":\"m\",\"n\":\"x\",\"stream_options\":7}" },
		{ R, "{\"model\":\"m\",\"max_tokens\":\"x\",\"background\":null}" },
		{ C,
		    "{\"model\":\"m\",\"stream\":null,\"n\":null,\"stream_options\":{\"include_usage\":null}}" },
		{ C, "{\"model\":\"m\",\"max_tokens\":4096.0}" },
		{ A, "{\"messages\":\"\xff\xfe\",\"model\":\"m\"}" },
	};
	struct dr_body_facts facts;

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		read_text(cases[i].dialect, cases[i].body, &facts);
		assert_int_equal(facts.err, DR_OK);
		assert_string_equal(facts.model, "m");
	}
}

static void
the_larger_of_two_token_limits_counts(void **unused)
{
	static const struct {
		const char *body;
		int64_t want;
	} cases[] = {
		{ "{\"model\":\"m\",\"max_tokens\":5}", 5 },
		{ "{\"model\":\"m\",\"max_tokens\":5,\"max_completion_tokens\":9}", 9 },
		{ "{\"model\":\"m\",\"max_completion_tokens\":5,\"max_tokens\":9}", 9 },
		{ "{\"model\":\"m\",\"max_completion_tokens\":null,\"max_tokens\":0}",
		    0 },
		{ "{\"model\":\"m\"}", -1 },
	};
	struct dr_body_facts facts;

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		read_text(C, cases[i].body, &facts);
		assert_int_equal(facts.max_tokens, cases[i].want);
	}
}

static void
a_name_of_the_longest_length_fits(void **unused)
{
	char body[400], name[200];
	struct dr_body_facts facts;

	(void)unused;
	for (int n = DR_MAX_MODEL_NAME; n <= DR_MAX_MODEL_NAME + 1; n++) {
		memset(name, 'm', sizeof name);
		name[n] = '\0';
		snprintf(body, sizeof body, "{\"model\":\"%s\"}", name);
		read_text(A, body, &facts);
		assert_int_equal(
		    facts.err, n <= DR_MAX_MODEL_NAME ? DR_OK : DR_ERR_BAD_FIELD);
	}
}

/* ---- edits ---- */

static void
apply(const char *body, const struct dr_edit *edits, unsigned n, struct dr_strbuf *out)
{
	size_t at = 0;

	dr_strbuf_clear(out);
	for (unsigned i = 0; i < n; i++) {
		assert_true(edits[i].at >= at);
		dr_strbuf_add(out, body + at, edits[i].at - at);
		dr_strbuf_adds(out, edits[i].text);
		at = edits[i].at + edits[i].drop;
	}
	assert_true(at <= strlen(body));
	dr_strbuf_adds(out, body + at);
}

static void
only_what_must_change_is_spliced_in(void **unused)
{
#define ASKED "{\"include_usage\":true}"
	static const struct {
		enum dr_dialect_id dialect;
		const char *there, *body, *want;
	} cases[] = {
		{ A, NULL, "{\"model\":\"m\",\"stream\":true}",
		    "{\"model\":\"m\",\"stream\":true}" },
		{ A, "m", "{\"model\":\"\\u006d\"}", "{\"model\":\"\\u006d\"}" },
		{ A, "x-1", "{\"a\":1, \"model\" : \"m\" ,\"b\":2}",
		    "{\"a\":1, \"model\" : \"x-1\" ,\"b\":2}" },
		{ A, "q\"\\\n", "{\"model\":\"m\"}", "{\"model\":\"q\\\"\\\\\\n\"}" },
		{ R, "x", "{\"model\":\"m\",\"stream\":true,\"stream_options\":{}}",
		    "{\"model\":\"x\",\"stream\":true,\"stream_options\":{}}" },
		/* chat: usage is asked for in every stream, and only there */
		{ C, NULL, "{\"model\":\"m\"}", "{\"model\":\"m\"}" },
		{ C, NULL, "{\"model\":\"m\",\"stream\":true}",
		    "{\"model\":\"m\",\"stream_options\":" ASKED ",\"stream\":true}" },
		{ C, "x", "{\"stream\":true,\"model\":\"m\"}",
		    "{\"stream\":true,\"model\":\"x\",\"stream_options\":" ASKED "}" },
		{ C, NULL,
		    "{\"stream\":true,\"model\":\"m\",\"stream_options\": null }",
		    "{\"stream\":true,\"model\":\"m\",\"stream_options\": " ASKED
		    " }" },
		{ C, NULL, "{\"stream\":true,\"model\":\"m\",\"stream_options\":{ }}",
		    "{\"stream\":true,\"model\":\"m\",\"stream_options\":{\"include_usage\":true }}" },
		{ C, NULL,
		    "{\"stream\":true,\"model\":\"m\",\"stream_options\":{\"x\":[]}}",
		    "{\"stream\":true,\"model\":\"m\",\"stream_options\":{\"include_usage\":true,\"x\":[]}}" },
		{ C, NULL,
		    "{\"stream\":true,\"model\":\"m\",\"stream_options\":{\"include_usage\": false}}",
		    "{\"stream\":true,\"model\":\"m\",\"stream_options\":{\"include_usage\": true}}" },
		{ C, NULL,
		    "{\"stream\":true,\"model\":\"m\",\"stream_options\":{\"x\":1,\"include_usage\":null}}",
		    "{\"stream\":true,\"model\":\"m\",\"stream_options\":{\"x\":1,\"include_usage\":true}}" },
		{ C, NULL,
		    "{\"stream\":true,\"model\":\"m\",\"stream_options\":" ASKED "}",
		    "{\"stream\":true,\"model\":\"m\",\"stream_options\":" ASKED "}" },
		/* in the order of the body, wherever the two stand */
		{ C, "x", "{\"stream_options\":{},\"stream\":true,\"model\":\"m\"}",
		    "{\"stream_options\":" ASKED ",\"stream\":true,\"model\":\"x\"}" },
	};
	struct dr_strbuf out;
	char err[100];

	(void)unused;
	dr_strbuf_init(&out, 4096);
	for (size_t i = 0; i < DR_N_ELEMENTS(cases); i++) {
		struct dr_edit edits[DR_MAX_EDITS];
		struct dr_body_facts facts;
		struct json_object *whole;

		read_text(cases[i].dialect, cases[i].body, &facts);
		assert_int_equal(facts.err, DR_OK);
		apply(cases[i].body, edits,
		    dr_body_edits(
			cases[i].dialect, cases[i].body, &facts, cases[i].there, edits),
		    &out);
		assert_string_equal(out.data, cases[i].want);
		whole = dr_json_parse(out.data, out.len, err, sizeof err);
		assert_non_null(whole);
		json_object_put(whole);
		read_text(cases[i].dialect, out.data, &facts);
		assert_int_equal(facts.err, DR_OK);
	}
	dr_strbuf_fini(&out);
}

/* The longest name, each of its bytes escaped to six. */
static void
any_name_of_a_provider_fits_an_edit(void **unused)
{
	char name[DR_MAX_MODEL_NAME + 1];
	struct dr_edit edits[DR_MAX_EDITS];
	struct dr_body_facts facts;

	(void)unused;
	memset(name, '\x01', DR_MAX_MODEL_NAME);
	name[DR_MAX_MODEL_NAME] = '\0';
	read_text(A, "{\"model\":\"m\"}", &facts);
	assert_int_equal(dr_body_edits(A, "{\"model\":\"m\"}", &facts, name, edits), 1);
	assert_int_equal(strlen(edits[0].text), DR_MAX_MODEL_NAME * 6 + 2);
}

static void
a_body_of_megabytes_is_read_without_memory(void **unused)
{
	const size_t size = 32 << 20;
	char *body = dr_malloc(size);
	static const char before[] = "{\"messages\":[\"",
			  after[] = "\"],\"model\":\"m\"}";
	struct dr_body_facts facts;

	(void)unused;
	memset(body, 'x', size);
	memcpy(body, before, sizeof before - 1);
	memcpy(body + size - (sizeof after - 1), after, sizeof after - 1);
	dr_body_read(A, body, size, &facts);
	assert_int_equal(facts.err, DR_OK);
	assert_string_equal(facts.model, "m");
	free(body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fields_that_matter_are_found),
		cmocka_unit_test(a_bad_body_says_what_is_wrong),
		cmocka_unit_test(what_does_not_matter_may_be_anything),
		cmocka_unit_test(the_larger_of_two_token_limits_counts),
		cmocka_unit_test(a_name_of_the_longest_length_fits),
		cmocka_unit_test(only_what_must_change_is_spliced_in),
		cmocka_unit_test(any_name_of_a_provider_fits_an_edit),
		cmocka_unit_test(a_body_of_megabytes_is_read_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
