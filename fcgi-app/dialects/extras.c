/*
 * extras - what a request asks for that costs more than its tokens: tools that the
 * vendor runs, and sound.
 *
 * A tool counts as the vendor's unless the dialect lists it as free: one that is
 * invented tomorrow is refused until somebody has said what it costs. Only reads; what
 * is wrong with a tool otherwise is the provider's to say.
 */
#include <stdio.h>
#include <string.h>

#include "dialects/parts.h"

#define TOOL_SIZE 64 /* the vendors' names are half as long */

struct looking {
	const struct dr_dialect_parts *parts;
	bool (*offers)(void *arg, const char *tool);
	void *arg; /* borrowed: that of offers */
	struct dr_extra *out;
	bool found;
};

static void
tell(struct looking *l, const char *field, const char *value)
{
	if (l->found)
		return; /* the first one is told */
	l->found = true;
	snprintf(l->out->field, sizeof l->out->field, "%s", field);
	snprintf(l->out->value, sizeof l->out->value, "%s", value);
}

/* ---- tools ---- */

static bool
ends_as(const char *end, const char *pattern)
{
	for (; *pattern != '\0'; pattern++, end++)
		if (*pattern == '9' ? *end < '0' || *end > '9' : *end != *pattern)
			return false;
	return true;
}

/* "web_search_20260318" and "web_search_2025_08_26" are versions of one tool. */
static void
cut_date(char *name)
{
	static const char *const dates[] = { "_99999999", "_9999_99_99" };
	size_t len = strlen(name);

	for (size_t i = 0; i < DR_N_ELEMENTS(dates); i++) {
		size_t n = strlen(dates[i]);

		if (len > n && ends_as(name + len - n, dates[i])) {
			name[len - n] = '\0';
			return;
		}
	}
}

/* The type without its date; false where it is longer than any that is known. */
static bool
tool_name(const struct dr_json_member *type, char *out, size_t size)
{
	if (!dr_json_text(type, out, size))
		return false;
	cut_date(out);
	return true;
}

bool
dr_tool_is_free(const struct dr_dialect_parts *parts, const struct dr_json_member *type)
{
	char name[TOOL_SIZE];

	if (!tool_name(type, name, sizeof name))
		return false;
	for (const char *const *one = parts->free_tools; *one != NULL; one++)
		if (strcmp(*one, name) == 0)
			return true;
	return false;
}

static void
look_at_tool(struct looking *l, const char *body, const struct dr_vendor_tool *tool)
{
	const struct dr_json_member type = { .value = body + tool->type.at,
		.value_len = tool->type.len,
		.type = DR_JSON_STRING };
	char name[TOOL_SIZE], field[sizeof l->out->field];

	if (tool_name(&type, name, sizeof name) && l->offers(l->arg, name))
		return;
	snprintf(field, sizeof field, "tools[%zu].type", tool->element);
	dr_json_text_cut(type.value + 1, type.value_len - 2, name, sizeof name);
	tell(l, field, name); /* as the caller wrote it */
}

/* ---- sound ---- */

static const struct dr_json_rule part_rules[] = {
	{ DR_JSON_KEY("type"), 1, DR_JSON_SHORT, NULL },
	{ .key = NULL },
};

static const struct dr_json_rule content_rules[] = {
	{ DR_JSON_KEY("[]"), 0, DR_JSON_NOTE, part_rules },
	{ .key = NULL },
};

static const struct dr_json_rule message_rules[] = {
	{ DR_JSON_KEY("content"), 0, DR_JSON_NOTE, content_rules },
	{ .key = NULL },
};

static const struct dr_json_rule messages_rules[] = {
	{ DR_JSON_KEY("[]"), 0, DR_JSON_NOTE, message_rules },
	{ .key = NULL },
};

static const struct dr_json_rule root_rules[] = {
	{ DR_JSON_KEY("m"), 0, DR_JSON_NOTE, messages_rules },
	{ .key = NULL },
};

static const char sound[] = "input_audio";

static void
on_part(void *arg, unsigned id, const struct dr_json_value *type)
{
	(void)id;
	if (type->type == DR_JSON_STRING && type->text != NULL &&
	    type->len == sizeof sound - 1 && memcmp(type->text, sound, type->len) == 0)
		tell(arg, "messages[].content[].type", sound);
}

static bool
mentions(const char *text, const struct dr_span *span, const char *word)
{
	return span->len > 0 &&
	       memmem(text + span->at, span->len, word, strlen(word)) != NULL;
}

/* Few prompts hold the word at all; of those that do, most only speak of it. */
static void
look_for_sound(struct looking *l, const char *body, const struct dr_body_facts *facts)
{
	struct dr_json_path path;

	if (mentions(body, &facts->modalities, "audio") ||
	    mentions(body, &facts->modalities, "\\"))
		tell(l, "modalities", "audio");
	if (facts->audio.len > 0)
		tell(l, "audio", "");
	if (!l->parts->takes_sound || !mentions(body, &facts->messages, sound))
		return;
	dr_json_path_init(&path, root_rules, NULL, on_part, l);
	dr_json_path_feed(&path, "{\"m\":", 5);
	dr_json_path_feed(&path, body + facts->messages.at, facts->messages.len);
}

bool
dr_body_extra(enum dr_dialect_id dialect, const char *body,
    const struct dr_body_facts *facts, bool (*offers)(void *arg, const char *tool),
    void *arg, struct dr_extra *out)
{
	struct looking l = { .parts = dr_dialect_parts(dialect),
		.offers = offers,
		.arg = arg,
		.out = out };

	DR_ASSERT(facts->err == DR_OK);
	for (size_t i = 0; i < facts->n_vendor_tools; i++)
		look_at_tool(&l, body, &facts->vendor_tools[i]);
	if (facts->web_search_options.len > 0 && !offers(arg, "web_search"))
		tell(&l, "web_search_options", "");
	look_for_sound(&l, body, facts);
	return l.found;
}
