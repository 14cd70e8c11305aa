/*
 * usage - token counts out of a provider's own usage block.
 *
 * Four disjoint counts whatever the dialect; a provider's nonsense is clamped, never
 * passed on as a negative or absurd number, since a bill is made of it. Prices are not
 * known here.
 */
#include <string.h>

#include "dialects/parts.h"

/* How many bytes from the start are among `set`. */
/* strspn() for bytes that do not end with a NUL. */
static size_t
memspn(const char *bytes, size_t len, const char *set)
{
	size_t n = 0;

	while (n < len && bytes[n] != '\0' && strchr(set, bytes[n]) != NULL)
		n++;
	return n;
}

/* A number that is no whole one of 64 bits: cut off its fraction, or it is huge. */
static int64_t
odd_number(const char *text, size_t len)
{
	int64_t number = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '-')
			return 0; /* negative, or of a negative power */
		if ((text[i] | 0x20) == 'e')
			return DR_MAX_COUNT;
		if (text[i] == '.' && memchr(text + i, 'e', len - i) == NULL &&
		    memchr(text + i, 'E', len - i) == NULL)
			return number;
		if (text[i] != '.' && number <= DR_MAX_COUNT)
			number = number * 10 + (text[i] - '0');
	}
	return number;
}

void
dr_counts_take(struct dr_counts *counts, unsigned id, const struct dr_json_value *value)
{
	struct dr_json_member member = {
		.value = value->text, .value_len = value->len, .type = value->type
	};
	unsigned which = id - DR_SEEN_COUNT;
	int64_t number;

	DR_ASSERT(id >= DR_SEEN_COUNT && which < DR_N_COUNTS);
	if (value->type != DR_JSON_NUMBER || value->text == NULL ||
	    memspn(value->text, value->len, "0123456789+-.eE") != value->len)
		return;
	if (!dr_json_int(&member, &number))
		number = odd_number(value->text, value->len);
	if (number < 0)
		number = 0;
	if (number > DR_MAX_COUNT)
		number = DR_MAX_COUNT;
	counts->value[which] = number;
	counts->seen |= 1u << which;
}

/* ---- searches of the Responses API ---- */

static bool
says(const struct dr_json_value *value, const char *word)
{
	return value->text != NULL && value->len == strlen(word) &&
	       memcmp(value->text, word, value->len) == 0;
}

/* Of the actions of a web_search_call only a search is billed: a page that it opens or
 * looks through belongs to one. A call that names no action is one. */
static void
end_item(struct dr_counts *counts)
{
	counts->searches += counts->item_searches && !counts->item_only_reads;
	counts->item_searches = counts->item_only_reads = false;
}

void
dr_searches_take(
    struct dr_counts *counts, unsigned id, const struct dr_json_value *value)
{
	struct dr_counts told = { .seen = 0 };

	switch (id) {
	case DR_SEEN_ITEM:
		end_item(counts);
		break;
	case DR_SEEN_ITEM_TYPE:
		counts->item_searches = says(value, "web_search_call");
		break;
	case DR_SEEN_ITEM_ACTION:
		counts->item_only_reads =
		    says(value, "open_page") || says(value, "find_in_page");
		break;
	default:
		dr_counts_take(&told, DR_SEEN_COUNT + DR_COUNT_WEB_SEARCH, value);
		counts->searches_told = told.value[DR_COUNT_WEB_SEARCH];
	}
}

int64_t
dr_searches(const struct dr_counts *counts)
{
	struct dr_counts all = *counts;

	end_item(&all);
	return all.searches > all.searches_told ? all.searches : all.searches_told;
}

/* ---- the OpenAI way ---- */

/*
 * Cached tokens are inside of the prompt's; reasoning is inside of the completion's and
 * stays there. Writes without a lifetime count as the five-minute kind.
 */
void
dr_usage_split_input(const struct dr_counts *counts, struct dr_usage *usage)
{
	const int64_t *value = counts->value;

	if (dr_counted(counts, DR_COUNT_INPUT)) {
		/* a provider that counts like Anthropic reports more cached than prompt
		 */
		int64_t cached =
		    value[DR_COUNT_CACHE_READ] + value[DR_COUNT_CACHE_WRITE];
		int64_t prompt = value[DR_COUNT_INPUT];

		usage->input = prompt > cached ? prompt - cached : 0;
		usage->cache_read = value[DR_COUNT_CACHE_READ];
		usage->cache_write_5m = value[DR_COUNT_CACHE_WRITE];
		usage->input_seen = true;
	}
	if (dr_counted(counts, DR_COUNT_OUTPUT)) {
		usage->output = value[DR_COUNT_OUTPUT];
		usage->output_seen = true;
	}
}

struct reading {
	struct dr_counts counts;
	bool captured; /* the capture buffer holds a whole usage block */
};

/* Counts and the raw block come from one pass over the answer. */
static void
on_value(void *arg, unsigned id, const struct dr_json_value *value)
{
	struct reading *reading = arg;

	if (id >= DR_SEEN_COUNT) {
		dr_counts_take(&reading->counts, id, value);
	} else if (id == DR_SEEN_USAGE && value->type == DR_JSON_OBJECT) {
		if (value->opened) { /* should there be two, the last one counts */
			memset(reading->counts.value, 0, sizeof reading->counts.value);
			reading->counts.seen = 0;
		}
		reading->captured = !value->opened && !value->cut;
	} else if (id >= DR_SEEN_ITEM) {
		dr_searches_take(&reading->counts, id, value);
	}
}

/* No tree of the answer is built: eight megabytes of text are skipped by their quotes.
 */
bool
dr_usage_of_answer(enum dr_dialect_id dialect, const char *body, size_t len,
    struct dr_usage *out, struct dr_strbuf *raw)
{
	const struct dr_dialect_parts *parts = dr_dialect_parts(dialect);
	struct reading reading = { .captured = false };
	struct dr_json_path path;
	struct dr_strbuf capture;

	memset(out, 0, sizeof *out);
	dr_strbuf_init(&capture, DR_MAX_RAW_USAGE);
	dr_json_path_init(&path, parts->answer_rules, &capture, on_value, &reading);
	dr_json_path_feed(&path, body, len);
	if (raw != NULL && reading.captured)
		dr_strbuf_add(raw, capture.data, capture.len);
	dr_strbuf_fini(&capture);
	out->web_searches = dr_searches(&reading.counts);
	if (reading.counts.seen == 0)
		return false;
	parts->add_usage(&reading.counts, true, out);
	return true;
}
