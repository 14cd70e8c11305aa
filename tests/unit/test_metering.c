/*
 * Metering: the shapes in which the vendors report usage, unary and as a stream, and
 * the counts that a bill is made of. Each row is one shape; a stream is cut at every
 * byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "dialects/dialect.h"
#include "tap_seen.h"

#define A DR_DIALECT_ANTHROPIC
#define C DR_DIALECT_CHAT
#define R DR_DIALECT_RESPONSES

struct shape {
	const char *what;
	enum dr_dialect_id dialect;
	const char *text;
	/* input, 5 min, 1 h, read, output, searches, input seen, output seen */
	struct dr_usage want;
	const char *raw; /* kept as it came; "": none */
};

/* ---- unary ---- */

static const struct shape answers[] = {
	{ "Messages: all that can stand there", A,
	    "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":"
	    "[{\"type\":\"text\",\"text\":\"\\\"usage\\\":{\\\"input_tokens\\\":9}\"}],"
	    "\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":2095,"
	    "\"cache_creation_input_tokens\":2051,\"cache_read_input_tokens\":7,"
	    "\"cache_creation\":{\"ephemeral_5m_input_tokens\":1051,"
	    "\"ephemeral_1h_input_tokens\":1000},\"output_tokens\":503,"
	    "\"server_tool_use\":{\"web_search_requests\":2,\"web_fetch_requests\":1},"
	    "\"service_tier\":\"standard\",\"inference_geo\":\"global\"}}",
	    { 2095, 1051, 1000, 7, 503, 2, true, true },
	    "{\"input_tokens\":2095,"
	    "\"cache_creation_input_tokens\":2051,\"cache_read_input_tokens\":7,"
	    "\"cache_creation\":{\"ephemeral_5m_input_tokens\":1051,"
	    "\"ephemeral_1h_input_tokens\":1000},\"output_tokens\":503,"
	    "\"server_tool_use\":{\"web_search_requests\":2,\"web_fetch_requests\":1},"
	    "\"service_tier\":\"standard\",\"inference_geo\":\"global\"}" },
	{ "Messages: no split, nulls", A,
	    "{\"usage\":{\"input_tokens\":5,\"cache_creation_input_tokens\":3,"
	    "\"cache_read_input_tokens\":null,\"cache_creation\":null,"
	    "\"server_tool_use\":null,\"output_tokens\":0}}",
	    { 5, 3, 0, 0, 0, 0, true, true },
	    "{\"input_tokens\":5,\"cache_creation_input_tokens\":3,"
	    "\"cache_read_input_tokens\":null,\"cache_creation\":null,"
	    "\"server_tool_use\":null,\"output_tokens\":0}" },
	{ "Messages: zeros are told, not absent", A,
	    "{\"usage\":{\"input_tokens\":0,\"output_tokens\":0}}",
	    { 0, 0, 0, 0, 0, 0, true, true },
	    "{\"input_tokens\":0,\"output_tokens\":0}" },
	{ "Messages: negative and absurd", A,
	    "{\"usage\":{\"input_tokens\":-7,\"cache_read_input_tokens\":-1,"
	    "\"output_tokens\":1e300}}",
	    { 0, 0, 0, 0, INT64_C(1) << 40, 0, true, true },
	    "{\"input_tokens\":-7,\"cache_read_input_tokens\":-1,"
	    "\"output_tokens\":1e300}" },
	{ "Chat: cached, written and reasoning are inside of the totals", C,
	    "{\"object\":\"chat.completion\",\"choices\":[{\"message\":{\"content\":"
	    "\"hi\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1117,"
	    "\"completion_tokens\":446,\"total_tokens\":1563,"
	    "\"prompt_tokens_details\":{\"cached_tokens\":1000,\"audio_tokens\":0,"
	    "\"cache_write_tokens\":100},\"completion_tokens_details\":"
	    "{\"reasoning_tokens\":320,\"accepted_prediction_tokens\":0}}}",
	    { 17, 100, 0, 1000, 446, 0, true, true },
	    "{\"prompt_tokens\":1117,"
	    "\"completion_tokens\":446,\"total_tokens\":1563,"
	    "\"prompt_tokens_details\":{\"cached_tokens\":1000,\"audio_tokens\":0,"
	    "\"cache_write_tokens\":100},\"completion_tokens_details\":"
	    "{\"reasoning_tokens\":320,\"accepted_prediction_tokens\":0}}" },
	{ "Chat: more cached than prompt, as a server that counts like Messages", C,
	    "{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":1,"
	    "\"prompt_tokens_details\":{\"cached_tokens\":40}}}",
	    { 0, 0, 0, 40, 1, 0, true, true },
	    "{\"prompt_tokens\":10,\"completion_tokens\":1,"
	    "\"prompt_tokens_details\":{\"cached_tokens\":40}}" },
	{ "Chat: zeros", C, "{\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0}}",
	    { 0, 0, 0, 0, 0, 0, true, true },
	    "{\"prompt_tokens\":0,\"completion_tokens\":0}" },
	{ "Responses: completed", R,
	    "{\"object\":\"response\",\"status\":\"completed\",\"output\":[],"
	    "\"usage\":{\"input_tokens\":75,\"input_tokens_details\":"
	    "{\"cached_tokens\":32,\"cache_write_tokens\":3},\"output_tokens\":1186,"
	    "\"output_tokens_details\":{\"reasoning_tokens\":1024},"
	    "\"total_tokens\":1261}}",
	    { 40, 3, 0, 32, 1186, 0, true, true },
	    "{\"input_tokens\":75,\"input_tokens_details\":"
	    "{\"cached_tokens\":32,\"cache_write_tokens\":3},\"output_tokens\":1186,"
	    "\"output_tokens_details\":{\"reasoning_tokens\":1024},"
	    "\"total_tokens\":1261}" },
	{ "Responses: searches are items of the output; pages opened are none", R,
	    "{\"output\":[{\"id\":\"ws_1\",\"type\":\"web_search_call\",\"status\":"
	    "\"completed\",\"action\":{\"type\":\"search\",\"query\":\"q\"}},"
	    "{\"action\":{\"type\":\"open_page\",\"url\":\"u\"},\"type\":"
	    "\"web_search_call\"},{\"type\":\"web_search_call\"},{\"type\":\"message\","
	    "\"content\":[{\"type\":\"web_search_call\"}]},{\"type\":"
	    "\"web_search_call\",\"action\":{\"type\":\"find_in_page\"}}],"
	    "\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}",
	    { 1, 0, 0, 0, 2, 2, true, true },
	    "{\"input_tokens\":1,\"output_tokens\":2}" },
	{ "Responses: the provider's own count of searches, should it be greater", R,
	    "{\"output\":[{\"type\":\"web_search_call\"}],\"tool_usage\":"
	    "{\"image_gen\":{\"input_tokens\":9},\"web_search\":{\"num_requests\":4}},"
	    "\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}",
	    { 1, 0, 0, 0, 2, 4, true, true },
	    "{\"input_tokens\":1,\"output_tokens\":2}" },
};

static void
check(const struct shape *shape, const struct dr_usage *got, const char *raw)
{
	const struct dr_usage *want = &shape->want;

	if (got->input != want->input || got->cache_write_5m != want->cache_write_5m ||
	    got->cache_write_1h != want->cache_write_1h ||
	    got->cache_read != want->cache_read || got->output != want->output ||
	    got->web_searches != want->web_searches ||
	    got->input_seen != want->input_seen ||
	    got->output_seen != want->output_seen)
		fail_msg("%s: %lld %lld %lld %lld %lld %lld %d %d", shape->what,
		    (long long)got->input, (long long)got->cache_write_5m,
		    (long long)got->cache_write_1h, (long long)got->cache_read,
		    (long long)got->output, (long long)got->web_searches,
		    got->input_seen, got->output_seen);
	if (strcmp(raw, shape->raw) != 0)
		fail_msg("%s: raw %s", shape->what, raw);
}

static void
a_unary_answer_is_metered_by_its_usage_block(void **state)
{
	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(answers); i++) {
		const struct shape *shape = &answers[i];
		struct dr_usage usage;
		struct dr_strbuf raw;

		dr_strbuf_init(&raw, DR_MAX_RAW_USAGE);
		assert_true(dr_usage_of_answer(
		    shape->dialect, shape->text, strlen(shape->text), &usage, &raw));
		check(shape, &usage, raw.data);
		dr_strbuf_fini(&raw);
	}
}

/* Then the caller of dr_usage_of_answer() estimates, and marks it. */
static void
an_answer_without_counts_says_so(void **state)
{
	static const char *const bodies[] = { "{}", "{\"usage\":null}",
		"{\"usage\":{}}", "{\"usage\":[1]}", "{\"usage\":\"many\"}",
		"{\"choices\":[{\"usage\":{\"prompt_tokens\":5}}]}" };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(bodies); i++)
		for (int d = 0; d < DR_N_DIALECTS; d++) {
			struct dr_usage usage;

			assert_false(dr_usage_of_answer((enum dr_dialect_id)d,
			    bodies[i], strlen(bodies[i]), &usage, NULL));
			assert_false(usage.input_seen || usage.output_seen);
		}
}

/* ---- streams ---- */

#define START(usage)                                                                   \
	"event: message_start\ndata: {\"type\":\"message_start\",\"message\":"         \
	"{\"id\":\"msg_1\",\"content\":[],\"usage\":" usage "}}\n\n"
#define TEXT                                                                           \
	"event: content_block_delta\ndata: {\"type\":\"content_block_delta\","         \
	"\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n"
#define DELTA(usage)                                                                   \
	"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":"           \
	"{\"stop_reason\":\"end_turn\"},\"usage\":" usage "}\n\n"
#define STOP "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
#define CHUNK                                                                          \
	"data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}],\"usage\":null}\n\n"
#define LAST(usage) "data: {\"choices\":[],\"usage\":" usage "}\n\n"
#define RDELTA                                                                         \
	"event: response.output_text.delta\ndata: {\"type\":"                          \
	"\"response.output_text.delta\",\"sequence_number\":4,\"delta\":\"Hi\"}\n\n"
#define REND(how, usage)                                                               \
	"event: response." how "\ndata: {\"type\":\"response." how                     \
	"\",\"sequence_number\":9,\"response\":{\"status\":\"" how                     \
	"\",\"usage\":" usage "}}\n\n"

#define RITEM(how, action)                                                             \
	"event: response.output_item." how                                             \
	"\ndata: {\"type\":\"response.output_item." how                                \
	"\",\"sequence_number\":5,\"item\":{\"type\":\"web_search_call\"" action       \
	"}}\n\n"
#define SEARCH ",\"action\":{\"type\":\"search\"}"
#define READ   ",\"action\":{\"type\":\"open_page\"}"

static const struct shape streams[] = {
	{ "Messages: the delta's totals overwrite, the split stays", A,
	    START("{\"input_tokens\":20,\"cache_creation_input_tokens\":30,"
		  "\"cache_read_input_tokens\":5,\"cache_creation\":"
		  "{\"ephemeral_5m_input_tokens\":10,\"ephemeral_1h_input_tokens\":20},"
		  "\"output_tokens\":1}")
		TEXT DELTA("{\"input_tokens\":20,\"cache_creation_input_tokens\":30,"
			   "\"cache_read_input_tokens\":5,\"output_tokens\":15}")
		    DELTA("{\"input_tokens\":120,\"cache_creation_input_tokens\":30,"
			  "\"cache_read_input_tokens\":5,\"output_tokens\":40,"
			  "\"server_tool_use\":{\"web_search_requests\":3}}") STOP,
	    { 120, 10, 20, 5, 40, 3, true, true },
	    "{\"input_tokens\":120,\"cache_creation_input_tokens\":30,"
	    "\"cache_read_input_tokens\":5,\"output_tokens\":40,"
	    "\"server_tool_use\":{\"web_search_requests\":3}}" },
	{ "Messages: a delta with output_tokens alone", A,
	    START("{\"input_tokens\":20,\"cache_read_input_tokens\":5,"
		  "\"output_tokens\":1}") TEXT DELTA("{\"output_tokens\":12}") STOP,
	    { 20, 0, 0, 5, 12, 0, true, true }, "{\"output_tokens\":12}" },
	{ "Messages: cut before the delta: output is not known", A,
	    START("{\"input_tokens\":20,\"output_tokens\":1}") TEXT,
	    { 20, 0, 0, 0, 1, 0, true, false },
	    "{\"input_tokens\":20,\"output_tokens\":1}" },
	{ "Chat: usage in the extra chunk, null before", C,
	    CHUNK CHUNK LAST(
		"{\"prompt_tokens\":50,\"completion_tokens\":9,"
		"\"prompt_tokens_details\":{\"cached_tokens\":40,\"cache_write_tokens\":4},"
		"\"completion_tokens_details\":{\"reasoning_tokens\":6}}") "data: [DONE]\n\n",
	    { 6, 4, 0, 40, 9, 0, true, true },
	    "{\"prompt_tokens\":50,\"completion_tokens\":9,"
	    "\"prompt_tokens_details\":{\"cached_tokens\":40,\"cache_write_tokens\":4},"
	    "\"completion_tokens_details\":{\"reasoning_tokens\":6}}" },
	{ "Chat: totals so far in every chunk: the last one counts", C,
	    "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":"
	    "{\"prompt_tokens\":8,\"completion_tokens\":1}}\n\n"
	    "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}],\"usage\":"
	    "{\"prompt_tokens\":8,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n",
	    { 8, 0, 0, 0, 2, 0, true, true },
	    "{\"prompt_tokens\":8,\"completion_tokens\":2}" },
	{ "Chat: no usage at all", C, CHUNK CHUNK "data: [DONE]\n\n",
	    { 0, 0, 0, 0, 0, 0, false, false }, "" },
	{ "Chat: an explicit zero", C,
	    CHUNK LAST("{\"prompt_tokens\":0,\"completion_tokens\":0}"),
	    { 0, 0, 0, 0, 0, 0, true, true },
	    "{\"prompt_tokens\":0,\"completion_tokens\":0}" },
	{ "Responses: completed", R,
	    RDELTA REND("completed",
		"{\"input_tokens\":30,\"input_tokens_details\":{\"cached_tokens\":10},"
		"\"output_tokens\":7,\"output_tokens_details\":{\"reasoning_tokens\":5}}"),
	    { 20, 0, 0, 10, 7, 0, true, true },
	    "{\"input_tokens\":30,\"input_tokens_details\":{\"cached_tokens\":10},"
	    "\"output_tokens\":7,\"output_tokens_details\":{\"reasoning_tokens\":5}}" },
	{ "Responses: incomplete", R,
	    RDELTA REND("incomplete", "{\"input_tokens\":3,\"output_tokens\":16}"),
	    { 3, 0, 0, 0, 16, 0, true, true },
	    "{\"input_tokens\":3,\"output_tokens\":16}" },
	{ "Responses: failed, usage null", R, RDELTA REND("failed", "null"),
	    { 0, 0, 0, 0, 0, 0, false, false }, "" },
	{ "Responses: failed, usage told", R,
	    RDELTA REND("failed", "{\"input_tokens\":3,\"output_tokens\":2}"),
	    { 3, 0, 0, 0, 2, 0, true, true },
	    "{\"input_tokens\":3,\"output_tokens\":2}" },
	{ "Responses: null at the start, told at the end", R,
	    REND("created", "null")
		RDELTA REND("completed", "{\"input_tokens\":4,\"output_tokens\":5}"),
	    { 4, 0, 0, 0, 5, 0, true, true },
	    "{\"input_tokens\":4,\"output_tokens\":5}" },
	{ "Responses: searches count when they are done", R,
	    RITEM("added", "") RITEM("done", SEARCH) RITEM("added", "")
		RITEM("done", READ) RITEM("done", SEARCH) RITEM("added", "") RDELTA,
	    { 0, 0, 0, 0, 0, 2, false, false }, "" },
	{ "Responses: the whole output at the end tells them again", R,
	    RITEM("done", SEARCH) RITEM("done", READ) RITEM("done", SEARCH) RDELTA
	    "event: response.completed\ndata: {\"type\":"
	    "\"response.completed\",\"response\":{\"output\":["
	    "{\"type\":\"web_search_call\"" SEARCH
	    "},{\"type\":\"web_search_call\"" READ
	    "},{\"type\":\"web_search_call\"" SEARCH
	    "},{\"type\":\"message\"}],\"usage\":{\"input_tokens\":4,"
	    "\"output_tokens\":5}}}\n\n",
	    { 4, 0, 0, 0, 5, 2, true, true },
	    "{\"input_tokens\":4,\"output_tokens\":5}" },
	{ "Responses: failed after a search", R,
	    RITEM("done", SEARCH) RDELTA REND("failed", "null"),
	    { 0, 0, 0, 0, 0, 1, false, false }, "" },
};

static void
a_stream_is_metered_wherever_it_is_cut_into_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(streams); i++) {
		const struct shape *shape = &streams[i];
		size_t len = strlen(shape->text);

		for (size_t cut = 0; cut <= len; cut++) {
			struct seen seen;
			struct dr_tap *tap;

			seen_init(&seen);
			tap = dr_tap_new(shape->dialect, false, collect, &seen);
			dr_tap_feed(tap, shape->text, cut);
			dr_tap_feed(tap, shape->text + cut, len - cut);
			check(shape, &dr_tap_state(tap)->usage,
			    dr_tap_state(tap)->raw_usage);
			done(tap, &seen);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_unary_answer_is_metered_by_its_usage_block),
		cmocka_unit_test(an_answer_without_counts_says_so),
		cmocka_unit_test(a_stream_is_metered_wherever_it_is_cut_into_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
