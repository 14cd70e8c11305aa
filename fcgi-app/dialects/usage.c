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
		if (value->opened) /* should there be two, the last one counts */
			memset(&reading->counts, 0, sizeof reading->counts);
		reading->captured = !value->opened && !value->cut;
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
	if (reading.counts.seen == 0)
		return false;
	parts->add_usage(&reading.counts, true, out);
	return true;
}
