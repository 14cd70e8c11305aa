/*
 * Any bytes as a request's body: the scan stays within them, what it reports lies in
 * order, an accepted body stays acceptable when it is edited, and the incremental
 * tokenizer sees the same whether it gets the bytes at once or in two pieces.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "dialects/dialect.h"
#include "dialects/json_path.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct order {
	const char *from, *end;
};

static bool
check_member(void *arg, const struct dr_json_member *member)
{
	struct order *order = arg;
	char text[32];
	int64_t number;

	DR_ASSERT(
	    member->key > order->from && member->value > member->key + member->key_len);
	DR_ASSERT(member->value_len > 0);
	DR_ASSERT(member->value + member->value_len <= order->end);
	order->from = member->value + member->value_len - 1;
	if (dr_json_text(member, text, sizeof text))
		DR_ASSERT(member->type == DR_JSON_STRING);
	if (dr_json_int(member, &number))
		DR_ASSERT(member->type == DR_JSON_NUMBER);
	(void)dr_json_key_is(member, "model");
	return true;
}

static bool
offers_none(void *arg, const char *tool)
{
	(void)arg;
	DR_ASSERT(strlen(tool) < 64);
	return false;
}

/* A body with its edits is a body again, with the model that was asked for. */
static void
check_edits(enum dr_dialect_id dialect, const char *body, size_t len)
{
	struct dr_edit edits[DR_MAX_EDITS];
	struct dr_body_facts facts;
	struct dr_extra extra;
	struct dr_strbuf out;
	size_t at = 0;
	unsigned n;

	dr_body_read(dialect, body, len, &facts);
	if (facts.err != DR_OK) {
		DR_ASSERT(facts.problem[0] != '\0');
		return;
	}
	if (dr_body_extra(dialect, body, &facts, offers_none, NULL, &extra))
		DR_ASSERT(extra.field[0] != '\0');
	n = dr_body_edits(dialect, body, &facts, "another \"name\"", edits);
	dr_strbuf_init(&out, len + sizeof edits);
	for (unsigned i = 0; i < n; i++) {
		DR_ASSERT(edits[i].at >= at && edits[i].at + edits[i].drop <= len);
		dr_strbuf_add(&out, body + at, edits[i].at - at);
		dr_strbuf_adds(&out, edits[i].text);
		at = edits[i].at + edits[i].drop;
	}
	dr_strbuf_add(&out, body + at, len - at);
	dr_body_read(dialect, out.data, out.len, &facts);
	DR_ASSERT(facts.err == DR_OK && strcmp(facts.model, "another \"name\"") == 0);
	DR_ASSERT(
	    dialect != DR_DIALECT_CHAT || !facts.stream || facts.include_usage == 1);
	dr_strbuf_fini(&out);
}

/* ---- the tokenizer ---- */

static const struct dr_json_rule leaf_rules[] = {
	{ DR_JSON_KEY("a"), 1, DR_JSON_SHORT, NULL },
	{ DR_JSON_KEY("b"), 2, DR_JSON_BYTES, NULL },
	{ DR_JSON_KEY("c"), 3, DR_JSON_CAPTURE, NULL },
	{ .key = NULL },
};

static const struct dr_json_rule element_rules[] = {
	{ DR_JSON_KEY("[]"), 4, DR_JSON_NOTE, leaf_rules },
	{ .key = NULL },
};

static const struct dr_json_rule rules[] = {
	{ DR_JSON_KEY("a"), 5, DR_JSON_SHORT, leaf_rules },
	{ DR_JSON_KEY("b"), 6, DR_JSON_BYTES, NULL },
	{ DR_JSON_KEY("c"), 7, DR_JSON_CAPTURE, leaf_rules },
	{ DR_JSON_KEY("d"), 8, DR_JSON_NOTE, element_rules },
	{ .key = NULL },
};

struct sum {
	uint64_t hash, bytes; /* of everything reported but BYTES; of BYTES */
};

static void
add_value(void *arg, unsigned id, const struct dr_json_value *value)
{
	struct sum *sum = arg;

	if (value->text == NULL && !value->opened && value->len > 0) {
		sum->bytes += value->len;
		return;
	}
	sum->hash = sum->hash * 31 + id * 8 + value->type + value->opened * 1000u;
	for (size_t i = 0; i < value->len; i++)
		sum->hash = sum->hash * 31 + (unsigned char)value->text[i];
}

static struct sum
tokens(const char *bytes, size_t len, size_t cut)
{
	struct sum sum = { 0, 0 };
	struct dr_json_path path;
	struct dr_strbuf capture;
	char *second = dr_malloc(len - cut + 1);

	memcpy(second, bytes + cut, len - cut);
	dr_strbuf_init(&capture, 40);
	dr_json_path_init(&path, rules, &capture, add_value, &sum);
	dr_json_path_feed(&path, bytes, cut);
	dr_json_path_feed(&path, second, len - cut);
	sum.hash = sum.hash * 2 + dr_json_path_whole(&path);
	dr_strbuf_fini(&capture);
	free(second);
	return sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *text = (const char *)bytes;
	struct order order = { text, text + size };
	struct sum whole, cut;
	char err[80];

	err[0] = '\0';
	if (!dr_json_scan(text, size, check_member, &order, err, sizeof err))
		DR_ASSERT(err[0] != '\0');
	for (enum dr_dialect_id d = 0; d < DR_N_DIALECTS; d++)
		check_edits(d, text, size);
	whole = tokens(text, size, 0);
	cut = tokens(text, size, size > 0 ? bytes[size - 1] % size : 0);
	DR_ASSERT(whole.hash == cut.hash && whole.bytes == cut.bytes);
	return 0;
}
