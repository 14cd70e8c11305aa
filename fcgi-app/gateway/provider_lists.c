/*
 * provider_lists - the fields of a provider's record that are lists: dialects, models,
 * rest.
 *
 * Part of provider_record; see provider_fields.h.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/provider_fields.h"

/* ---- words of a list ---- */

struct dr_word
dr_word_trim(const char *text, size_t len)
{
	while (len > 0 && *text == ' ') {
		text++;
		len--;
	}
	while (len > 0 && text[len - 1] == ' ')
		len--;
	return (struct dr_word){ text, len };
}

/* The next entry of a comma list; false at its end. An empty list has one empty entry.
 */
bool
dr_word_next(const char **at, struct dr_word *out)
{
	size_t n;

	if (*at == NULL)
		return false;
	n = strcspn(*at, ",");
	*out = dr_word_trim(*at, n);
	*at = (*at)[n] == ',' ? *at + n + 1 : NULL;
	return true;
}

bool
dr_word_is(struct dr_word word, const char *text)
{
	return word.len == strlen(text) && memcmp(word.text, text, word.len) == 0;
}

/* Digits only, least..most. */
bool
dr_word_number(struct dr_word word, int64_t least, int64_t most, int64_t *out)
{
	int64_t n = 0;

	if (word.len == 0 || word.len > 16)
		return false;
	for (size_t i = 0; i < word.len; i++) {
		if (!isdigit((unsigned char)word.text[i]))
			return false;
		n = n * 10 + (word.text[i] - '0');
	}
	if (n < least || n > most)
		return false;
	*out = n;
	return true;
}

/* ---- dialects ---- */

static const char *const dialect_names[DR_N_DIALECTS] = {
	[DR_DIALECT_ANTHROPIC] = "anthropic",
	[DR_DIALECT_CHAT] = "openai-chat",
	[DR_DIALECT_RESPONSES] = "openai-responses",
};

const char *
dr_dialect_name(enum dr_dialect_id dialect)
{
	DR_ASSERT(dialect < DR_N_DIALECTS);
	return dialect_names[dialect];
}

const char *
dr_field_set_dialects(
    struct dr_provider_record *r, const struct dr_field *f, const char *value)
{
	unsigned bits = 0;
	struct dr_word word;

	while (dr_word_next(&value, &word)) {
		unsigned id = 0;

		while (id < DR_N_DIALECTS && !dr_word_is(word, dialect_names[id]))
			id++;
		if (id == DR_N_DIALECTS)
			return f->problem;
		bits |= 1u << id;
	}
	r->dialects = bits;
	return NULL;
}

void
dr_field_get_dialects(const struct dr_provider_record *r,
    DR_UNUSED const struct dr_field *f, struct dr_strbuf *out)
{
	const char *comma = "";

	for (unsigned id = 0; id < DR_N_DIALECTS; id++) {
		if ((r->dialects & 1u << id) == 0)
			continue;
		dr_strbuf_addf(out, "%s%s", comma, dialect_names[id]);
		comma = ",";
	}
}

/* ---- models ---- */

static void
free_models(struct dr_provider_model *models, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(models[i].here);
		free(models[i].there);
	}
	free(models);
}

static int
by_here(const void *a, const void *b)
{
	return strcmp(((const struct dr_provider_model *)a)->here,
	    ((const struct dr_provider_model *)b)->here);
}

static bool
model_name_ok(struct dr_word word)
{
	for (size_t i = 0; i < word.len; i++) {
		unsigned char c = (unsigned char)word.text[i];

		if (c <= ' ' || c >= 0x7f || strchr("=\"\\", c) != NULL)
			return false;
	}
	return word.len > 0 && word.len <= DR_MAX_MODEL_NAME;
}

/* "here" or "here=there" */
static bool
read_model(struct dr_word word, struct dr_provider_model *out)
{
	const char *equals = memchr(word.text, '=', word.len);
	struct dr_word here = word, there = word;

	if (equals != NULL) {
		here = dr_word_trim(word.text, (size_t)(equals - word.text));
		there = dr_word_trim(
		    equals + 1, word.len - (size_t)(equals + 1 - word.text));
	}
	if (!model_name_ok(here) || !model_name_ok(there))
		return false;
	out->here = dr_strndup(here.text, here.len);
	out->there = dr_strndup(there.text, there.len);
	return true;
}

const char *
dr_field_set_models(
    struct dr_provider_record *r, const struct dr_field *f, const char *value)
{
	struct dr_provider_model *models;
	const char *problem = NULL;
	struct dr_word word;
	size_t n = 0, most = 1;

	for (const char *p = value; *p != '\0'; p++)
		most += *p == ',';
	if (most > DR_MAX_PROVIDER_MODELS)
		return "names too many models (1000 at most)";
	models = dr_calloc(most, sizeof *models);
	while (problem == NULL && dr_word_next(&value, &word)) {
		if (read_model(word, &models[n]))
			n++;
		else
			problem = f->problem;
	}
	qsort(models, n, sizeof *models, by_here);
	for (size_t i = 1; i < n && problem == NULL; i++)
		if (by_here(&models[i - 1], &models[i]) == 0)
			problem = "names a model twice";
	if (problem != NULL) {
		free_models(models, n);
		return problem;
	}
	free_models(r->models, r->n_models);
	r->models = models;
	r->n_models = n;
	return NULL;
}

void
dr_field_get_models(const struct dr_provider_record *r,
    DR_UNUSED const struct dr_field *f, struct dr_strbuf *out)
{
	for (size_t i = 0; i < r->n_models; i++) {
		const struct dr_provider_model *model = &r->models[i];

		dr_strbuf_addf(out, "%s%s", i > 0 ? "," : "", model->here);
		if (strcmp(model->here, model->there) != 0)
			dr_strbuf_addf(out, "=%s", model->there);
	}
}

/* ---- rest ---- */

/* "HH:MM" as a minute of the day */
static bool
read_time(struct dr_word word, unsigned *out)
{
	int64_t hours, minutes;

	if (word.len != 5 || word.text[2] != ':' ||
	    !dr_word_number((struct dr_word){ word.text, 2 }, 0, 23, &hours) ||
	    !dr_word_number((struct dr_word){ word.text + 3, 2 }, 0, 59, &minutes))
		return false;
	*out = (unsigned)(hours * 60 + minutes);
	return true;
}

static bool
read_window(struct dr_word word, struct dr_rest_window *out)
{
	return word.len == 11 && word.text[5] == '-' &&
	       read_time((struct dr_word){ word.text, 5 }, &out->from) &&
	       read_time((struct dr_word){ word.text + 6, 5 }, &out->to) &&
	       out->from != out->to;
}

const char *
dr_field_set_rest(
    struct dr_provider_record *r, const struct dr_field *f, const char *value)
{
	struct dr_rest_plan all = { .n = 0 };
	struct dr_word word;

	if (strcmp(value, "none") == 0 || strcmp(value, "auto") == 0) {
		r->rest.n = 0;
		r->rest_auto = *value == 'a';
		return NULL;
	}
	while (dr_word_next(&value, &word)) {
		if (all.n == DR_MAX_REST_WINDOWS)
			return "has too many windows (16 at most)";
		if (!read_window(word, &all.windows[all.n++]))
			return f->problem;
	}
	if (dr_rest_wakes_in(&all, 0) == DR_MINUTES_OF_DAY)
		return "covers the whole day: disable the provider instead";
	r->rest = all;
	r->rest_auto = false;
	return NULL;
}

void
dr_field_get_rest(const struct dr_provider_record *r,
    DR_UNUSED const struct dr_field *f, struct dr_strbuf *out)
{
	if (r->rest.n == 0)
		dr_strbuf_adds(out, r->rest_auto ? "auto" : "none");
	for (size_t i = 0; i < r->rest.n; i++) {
		const struct dr_rest_window *w = &r->rest.windows[i];

		dr_strbuf_addf(out, "%s%02u:%02u-%02u:%02u", i > 0 ? "," : "",
		    w->from / 60, w->from % 60, w->to / 60, w->to % 60);
	}
}
