/*
 * What ties a Responses request to an organisation: marks in bodies, answers and
 * streams, the same wherever the bytes are cut and however they are escaped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "dialects/dialect.h"

static struct dr_mark
mark(const char *text)
{
	return dr_mark_of(text, strlen(text));
}

static void
assert_mark(struct dr_mark got, const char *text)
{
	struct dr_mark want = mark(text);

	if (got.a != want.a || got.b != want.b)
		fail_msg("not the mark of \"%s\"", text);
}

static void
different_texts_have_different_marks(void **state)
{
	(void)state;
	assert_false(dr_mark_is(mark("")));
	assert_true(dr_mark_is(mark("a")));
	assert_true(mark("resp_1").a != mark("resp_2").a);
	assert_true(mark("resp_1").b != mark("resp_2").b);
	assert_true(mark("ab").b != mark("ba").b);
	assert_mark(mark("a\\/b"), "a/b"); /* the same text in JSON */
}

/* A body, and the texts whose marks it refers to, in order. */
static void
a_body_refers_to_what_counts_more_first(void **state)
{
	static const struct {
		const char *body, *refers[DR_MAX_BINDINGS + 1];
	} rows[] = {
		{ "{\"model\":\"m\",\"input\":\"hello\"}", { NULL } },
		{ "{\"model\":\"m\",\"previous_response_id\":\"resp_1\"}",
		    { "resp_1" } },
		{ "{\"model\":\"m\",\"previous_response_id\":null,\"conversation\":"
		  "null}",
		    { NULL } },
		{ "{\"model\":\"m\",\"previous_response_id\":\"\"}", { NULL } },
		{ "{\"model\":\"m\",\"previous_response_id\":7}", { NULL } },
		{ "{\"model\":\"m\",\"conversation\":\"conv_1\"}", { "conv_1" } },
		{ "{\"model\":\"m\",\"conversation\":{\"x\":1,\"id\":\"conv_2\"}}",
		    { "conv_2" } },
		{ "{\"model\":\"m\",\"conversation\":{\"id\":7}}", { NULL } },
		{ "{\"model\":\"m\",\"conversation\":\"c\",\"previous_response_id\":"
		  "\"r\"}",
		    { "r", "c" } },
		{ "{\"model\":\"m\",\"input\":[{\"type\":\"reasoning\","
		  "\"encrypted_content\":\"AA==\"},{\"encrypted_content\" : "
		  "\"B\\/B\"},{\"encrypted_content\":null}]}",
		    { "B/B", "AA==" } },
		/* the same twice in a row is one */
		{ "{\"model\":\"m\",\"input\":[{\"encrypted_content\":\"A\"},"
		  "{\"encrypted_content\":\"A\"}]}",
		    { "A" } },
		/* the last four */
		{ "{\"model\":\"m\",\"input\":[{\"encrypted_content\":\"1\"},"
		  "{\"encrypted_content\":\"2\"},{\"encrypted_content\":\"3\"},"
		  "{\"encrypted_content\":\"4\"},{\"encrypted_content\":\"5\"}]}",
		    { "5", "4", "3", "2" } },
		/* words in a text are no key, nor is a value that is cut off */
		{ "{\"model\":\"m\",\"input\":\"say "
		  "\\\"encrypted_content\\\":\\\"A\\\"\"}",
		    { NULL } },
		{ "{\"model\":\"m\",\"input\":[{\"encrypted_content\":\"\"}]}",
		    { NULL } },
		/* outside of the input it means nothing */
		{ "{\"model\":\"m\",\"metadata\":{\"encrypted_content\":\"A\"}}",
		    { NULL } },
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_mark got[DR_MAX_BINDINGS];
		struct dr_body_facts facts;
		size_t n, want = 0;

		dr_body_read(
		    DR_DIALECT_RESPONSES, rows[i].body, strlen(rows[i].body), &facts);
		assert_int_equal(facts.err, DR_OK);
		n = dr_binding_of_body(rows[i].body, &facts, got);
		while (rows[i].refers[want] != NULL)
			want++;
		if (n != want)
			fail_msg("row %zu: %zu marks", i, n);
		for (size_t j = 0; j < n; j++)
			assert_mark(got[j], rows[i].refers[j]);
	}
}

static void
sealed_pieces_do_not_depend_on_where_the_bytes_are_cut(void **state)
{
	static const char text[] =
	    "{\"a\":\"encrypted_content\",\"encrypted_content\":\"one\\\"\\\\\\/\","
	    "\"encrypted_content\":\n \"two\",\"encrypted_content\":7,"
	    "\"encrypted_content\"\"encrypted_content\":\"three\"}";
	const size_t len = sizeof text - 1;

	(void)state;
	for (size_t cut = 0; cut <= len; cut++) {
		struct dr_sealed sealed = { .n = 0 };

		dr_sealed_feed(&sealed, text, cut);
		dr_sealed_feed(&sealed, text + cut, len - cut);
		assert_int_equal(sealed.n, 3);
		assert_mark(sealed.kept[0], "one\"/");
		assert_mark(sealed.kept[1], "two");
		assert_mark(sealed.kept[2], "three");
	}
}

static void
an_answer_offers_its_id_its_conversation_and_what_is_sealed(void **state)
{
	static const char whole[] =
	    "{\"id\":\"resp_9\",\"object\":\"response\",\"conversation\":{\"id\":"
	    "\"conv_9\"},\"output\":[{\"id\":\"rs_1\",\"type\":\"reasoning\","
	    "\"encrypted_content\":\"XYZ\"},{\"id\":\"msg_1\"}],\"usage\":{}}";
	struct dr_answer_marks marks;

	(void)state;
	dr_binding_of_answer(whole, sizeof whole - 1, &marks);
	assert_mark(marks.id, "resp_9");
	assert_mark(marks.conversation, "conv_9");
	assert_int_equal(marks.sealed.n, 1);
	assert_mark(marks.sealed.kept[0], "XYZ");
	/* every beginning of it is safe to read */
	for (size_t len = 0; len < sizeof whole - 1; len++) {
		char *part = memcpy(test_malloc(len + 1), whole, len);

		dr_binding_of_answer(part, len, &marks);
		if (len > 20)
			assert_mark(marks.id, "resp_9");
		test_free(part);
	}
	dr_binding_of_answer("[]", 2, &marks);
	assert_false(dr_mark_is(marks.id));
}

static void
drop(void *arg, const char *bytes, size_t len)
{
	(void)arg;
	(void)bytes;
	(void)len;
}

static void
a_stream_offers_the_same_wherever_it_is_cut(void **state)
{
	static const char stream[] =
	    "event: response.created\ndata: {\"type\":\"response.created\","
	    "\"response\":{\"id\":\"resp_5\",\"conversation\":{\"id\":\"conv_5\"}}}\n\n"
	    "data: {\"type\":\"response.output_item.done\",\"item\":{\"id\":\"rs_1\","
	    "\"type\":\"reasoning\",\"encrypted_content\":\"SEALED\"}}\n\n"
	    "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_5\","
	    "\"output\":[{\"encrypted_content\":\"SEALED\"}],\"usage\":{"
	    "\"input_tokens\":1,\"output_tokens\":2}}}\n\n";
	const size_t len = sizeof stream - 1;

	(void)state;
	for (size_t cut = 0; cut <= len; cut++) {
		struct dr_tap *tap =
		    dr_tap_new(DR_DIALECT_RESPONSES, false, drop, NULL);
		const struct dr_tap_state *seen = dr_tap_state(tap);

		dr_tap_feed(tap, stream, cut);
		dr_tap_feed(tap, stream + cut, len - cut);
		dr_tap_end(tap);
		assert_true(seen->complete);
		assert_mark(seen->marks.id, "resp_5");
		assert_mark(seen->marks.conversation, "conv_5");
		assert_int_equal(seen->marks.sealed.n, 1);
		assert_mark(seen->marks.sealed.kept[0], "SEALED");
		assert_int_equal(seen->usage.output, 2);
		dr_tap_free(&tap);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(different_texts_have_different_marks),
		cmocka_unit_test(a_body_refers_to_what_counts_more_first),
		cmocka_unit_test(
		    sealed_pieces_do_not_depend_on_where_the_bytes_are_cut),
		cmocka_unit_test(
		    an_answer_offers_its_id_its_conversation_and_what_is_sealed),
		cmocka_unit_test(a_stream_offers_the_same_wherever_it_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
