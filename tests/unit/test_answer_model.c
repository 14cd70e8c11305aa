/*
 * answer_model: the model's name goes back to what the caller called it, and nothing
 * else changes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "dialects/dialect.h"

#define LONG_NAME                                                                      \
	"accounts/somebody/deployments/a-name-that-is-longer-than-what-the-reader-keeps-of-it"

static const struct {
	const char *there, *answer, *want; /* NULL: unchanged */
} answers[] = {
	{ "there", "{\"id\":\"x\",\"model\":\"there\",\"content\":[]}",
	    "{\"id\":\"x\",\"model\":\"here\",\"content\":[]}" },
	{ "there", "{ \"model\" :\n\"there\" }", "{ \"model\" :\n\"here\" }" },
	{ LONG_NAME, "{\"model\":\"" LONG_NAME "\",\"a\":1}",
	    "{\"model\":\"here\",\"a\":1}" },
	{ "there",
	    "{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"there\"}}",
	    "{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"here\"}}" },
	{ "there",
	    "{\"type\":\"response.created\",\"response\":{\"model\":\"there\",\"output\":[",
	    "{\"type\":\"response.created\",\"response\":{\"model\":\"here\",\"output\":[" },
	/* another model, a longer name, another place, a text that only looks like it
	 */
	{ "there", "{\"model\":\"there-2\"}", NULL },
	{ "there", "{\"model\":\"ther\"}", NULL },
	{ "there", "{\"model\":[\"there\"]}", NULL },
	{ "there", "{\"content\":[{\"input\":{\"model\":\"there\"}}]}", NULL },
	{ "there",
	    "{\"metadata\":{\"model\":\"there\"},\"response\":{\"metadata\":{\"model\":\"there\"}}}",
	    NULL },
	{ "there", "{\"text\":\"\\\"model\\\":\\\"there\\\"\"}", NULL },
	{ "there", "{\"model\":\"there", NULL },
	{ "there", "not JSON", NULL },
	{ "there", "", NULL },
};

static void
only_the_name_of_the_answers_model_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(answers); i++) {
		const char *answer = answers[i].answer;
		const char *want = answers[i].want != NULL ? answers[i].want : answer;
		struct dr_strbuf out;

		dr_strbuf_init(&out, 10000);
		dr_rename_answer(
		    answer, strlen(answer), answers[i].there, "here", &out);
		assert_string_equal(out.data, want);
		dr_strbuf_fini(&out);
	}
}

static const char *const ends[] = { "\n", "\r\n", "\r" };

/* Each line end, the optional space, comments, data over several lines, [DONE]. */
static void
events_keep_every_other_byte(void **state)
{
	static const char shape[] =
	    ": model|event: message_start|data: {\"message\":{\"model\":\"%s\"}}||"
	    "data:{\"model\":\"%s\",\"choices\":[]}||"
	    "data: {\"response\":|data: {\"model\":\"%s\"}}||"
	    "data: {\"delta\":\"there\"}||data: [DONE]||";

	(void)state;
	for (size_t e = 0; e < DR_N_ELEMENTS(ends); e++) {
		struct dr_strbuf in, want, out;

		dr_strbuf_init(&in, 10000);
		dr_strbuf_init(&want, 10000);
		dr_strbuf_init(&out, 10000);
		for (const char *p = shape; *p != '\0'; p++) {
			bool name = p[0] == '%' && p[1] == 's';

			dr_strbuf_adds(&in, *p == '|' ? ends[e] : name ? "there" : "");
			dr_strbuf_adds(&want, *p == '|' ? ends[e] : name ? "here" : "");
			if (name)
				p++;
			else if (*p != '|') {
				dr_strbuf_addc(&in, *p);
				dr_strbuf_addc(&want, *p);
			}
		}
		dr_rename_events(in.data, in.len, "there", "here", &out);
		assert_string_equal(out.data, want.data);
		dr_strbuf_fini(&in);
		dr_strbuf_fini(&want);
		dr_strbuf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_name_of_the_answers_model_changes),
		cmocka_unit_test(events_keep_every_other_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
