/*
 * What a request asks for that costs more than its tokens: found wherever it stands,
 * and never where only a text speaks of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dialects/dialect.h"

#define A DR_DIALECT_ANTHROPIC
#define C DR_DIALECT_CHAT
#define R DR_DIALECT_RESPONSES

/* arg: the one tool that has a price, or NULL. */
static bool
offers(void *arg, const char *tool)
{
	return arg != NULL && strcmp(arg, tool) == 0;
}

/* "field value" of what is not offered; "" where all is. */
static void
look(enum dr_dialect_id dialect, const char *fields, const char *priced, char out[128])
{
	struct dr_body_facts facts;
	struct dr_extra extra = { "", "" };
	char body[2048];

	snprintf(body, sizeof body, "{\"model\":\"m\",%s}", fields);
	dr_body_read(dialect, body, strlen(body), &facts);
	assert_int_equal(facts.err, DR_OK);
	out[0] = '\0';
	if (dr_body_extra(
		dialect, body, &facts, offers, (void *)(uintptr_t)priced, &extra))
		snprintf(out, 128, "%s %s", extra.field, extra.value);
}

#define TOOL(type) "\"tools\":[{\"type\":\"" type "\",\"name\":\"n\"}]"

static void
what_has_no_price_is_named(void **unused)
{
	static const struct {
		enum dr_dialect_id dialect;
		const char *fields, *priced, *want;
	} rows[] = {
		/* the caller's own */
		{ A,
		    "\"tools\":[{\"name\":\"x\",\"input_schema\":{\"type\":\"object\"}}]",
		    NULL, "" },
		{ A, TOOL("custom"), NULL, "" },
		{ A, TOOL("bash_20250124"), NULL, "" },
		{ A, TOOL("text_editor_20250728"), NULL, "" },
		{ A, TOOL("computer_20251124"), NULL, "" },
		{ A, TOOL("memory_20250818"), NULL, "" },
		{ A, "\"tools\":[]", NULL, "" },
		{ A, "\"tools\":null", NULL, "" },
		{ A, "\"tools\":{\"type\":\"web_search\"}", NULL, "" },
		{ A, "\"tools\":[{\"type\":null},{\"type\":7},\"web_search\",[]]", NULL,
		    "" },
		{ C, TOOL("function"), NULL, "" },
		{ C,
		    "\"tools\":[{\"type\":\"function\",\"function\":{\"parameters\":"
		    "{\"type\":\"web_search\"}}}]",
		    NULL, "" },
		{ R, TOOL("function") ",\"tool_choice\":\"auto\"", NULL, "" },
		{ R, TOOL("custom"), NULL, "" },
		{ R, TOOL("local_shell"), NULL, "" },
		{ R, TOOL("mcp"), NULL, "" },
		/* the vendor's */
		{ A, TOOL("web_search_20250305"), NULL,
		    "tools[0].type web_search_20250305" },
		{ A, TOOL("web_search_20260318"), "web_search", "" },
		{ A, TOOL("web_fetch_20260318"), "web_search",
		    "tools[0].type web_fetch_20260318" },
		{ A, TOOL("web_fetch_20260318"), "web_fetch", "" },
		{ A, TOOL("code_execution_20260521"), "web_search",
		    "tools[0].type code_execution_20260521" },
		{ A, TOOL("invented_tomorrow"), NULL,
		    "tools[0].type invented_tomorrow" },
		{ A, TOOL("advisor_2026030"), "advisor",
		    "tools[0].type advisor_2026030" },
		{ A,
		    "\"tools\":[{\"name\":\"a\"},{\"name\":\"b\",\"x\":[{}],\"typ\\u0065\" : "
		    "\"web_se\\u0061rch_20250305\"}]",
		    NULL, "tools[1].type web_search_20250305" },
		{ A,
		    "\"tools\":[{\"type\":\"custom\",\"type\":\"web_search_20250305\"}]",
		    NULL, "tools[0].type web_search_20250305" },
		{ R, TOOL("web_search"), "web_search", "" },
		{ R, TOOL("web_search_2025_08_26"), "web_search", "" },
		{ R, TOOL("web_search_preview_2025_03_11"), "web_search",
		    "tools[0].type web_search_preview_2025_03_11" },
		{ R, TOOL("web_search_preview_2025_03_11"), "web_search_preview", "" },
		{ R, TOOL("file_search"), NULL, "tools[0].type file_search" },
		{ R, TOOL("code_interpreter"), NULL, "tools[0].type code_interpreter" },
		{ R, TOOL("image_generation"), NULL, "tools[0].type image_generation" },
		{ R, TOOL("computer_use_preview"), NULL,
		    "tools[0].type computer_use_preview" },
		{ R, TOOL("shell"), NULL, "tools[0].type shell" },
		{ C, TOOL("web_search"), NULL, "tools[0].type web_search" },
		{ C, "\"web_search_options\":{}", NULL, "web_search_options " },
		{ C, "\"web_search_options\":{}", "web_search", "" },
		{ C, "\"web_search_options\":null", NULL, "" },
		{ R, "\"web_search_options\":{}", NULL, "" }, /* not of this API */
		/* a name longer than any */
		{ R,
		    TOOL(
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			"aaaa"),
		    NULL,
		    "tools[0].type aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaaaa" },
		/* sound */
		{ C, "\"modalities\":[\"text\"]", NULL, "" },
		{ C, "\"modalities\":[\"text\",\"audio\"]", NULL, "modalities audio" },
		{ C, "\"modalities\":[\"\\u0061udio\"]", NULL, "modalities audio" },
		{ C, "\"audio\":{\"voice\":\"alloy\"}", NULL, "audio " },
		{ C, "\"audio\":null", NULL, "" },
		{ A, "\"audio\":{}", NULL, "" },
		{ C,
		    "\"messages\":[{\"role\":\"user\",\"content\":\"input_audio\"},"
		    "{\"content\":[{\"type\":\"text\",\"text\":\"\\\"type\\\":"
		    "\\\"input_audio\\\"\"}]}]",
		    NULL, "" },
		{ C,
		    "\"messages\":[{\"content\":\"x\"},{\"content\":[{\"type\":\"text\"},"
		    "{\"input_audio\":{\"data\":\"\"},\"type\":\"input_audio\"}]}]",
		    NULL, "messages[].content[].type input_audio" },
		{ R, "\"input\":[{\"content\":[{\"type\":\"input_audio\"}]}]", NULL,
		    "messages[].content[].type input_audio" },
		{ R, "\"input\":\"input_audio\"", NULL, "" },
		{ A, "\"messages\":[{\"content\":[{\"type\":\"input_audio\"}]}]", NULL,
		    "" },
	};
	char got[128];

	(void)unused;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		look(rows[i].dialect, rows[i].fields, rows[i].priced, got);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got \"%s\", want \"%s\"", rows[i].fields, got,
			    rows[i].want);
	}
}

/* Cut anywhere, the look at the tools stays within the body's bytes. */
static void
tools_of_a_cut_body_are_read_within_it(void **unused)
{
	static const char body[] =
	    "{\"tools\":[{\"type\" : \"a\",\"x\":{\"type\":[{}]}},"
	    "{\"type\":\"\\u0061\\\"b\"},3,[\"type\",{\"type\":\"c\"}],{\"type\":"
	    "{\"type\":\"d\"}},{\"type\":tru,\"y\":1},{\"type\":\"type\"}],\"model\":\"m\"}";
	struct dr_body_facts facts;

	(void)unused;
	for (size_t n = 1; n <= sizeof body - 1; n++) {
		char *copy = malloc(n);

		memcpy(copy, body, n);
		dr_body_read(A, copy, n, &facts);
		assert_int_equal(
		    facts.err, n < sizeof body - 1 ? DR_ERR_BAD_JSON : DR_OK);
		free(copy);
	}
	assert_int_equal(facts.n_vendor_tools, 3);
	assert_int_equal(facts.vendor_tools[1].element, 1);
	assert_int_equal(facts.vendor_tools[2].element, 5);
}

static void
more_tools_than_a_vendor_has_are_refused(void **unused)
{
	struct dr_strbuf body;
	struct dr_body_facts facts;

	(void)unused;
	dr_strbuf_init(&body, 4096);
	dr_strbuf_adds(&body, "{\"model\":\"m\",\"tools\":[");
	for (int i = 0; i <= DR_MAX_VENDOR_TOOLS; i++)
		dr_strbuf_adds(&body, i > 0 ? ",{\"type\":\"x\"}" : "{\"type\":\"x\"}");
	dr_strbuf_adds(&body, "]}");
	dr_body_read(A, body.data, body.len, &facts);
	assert_int_equal(facts.err, DR_ERR_BAD_FIELD);
	assert_string_equal(
	    facts.problem, "tools names more of the vendor's own tools than there are");
	dr_strbuf_fini(&body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_no_price_is_named),
		cmocka_unit_test(tools_of_a_cut_body_are_read_within_it),
		cmocka_unit_test(more_tools_than_a_vendor_has_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
