/*
 * models_read - models.json as a whole: the document, each model, and what must be
 * unique or must exist across models. The price rows are price_read.c's business.
 */
#include "config/models_read.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "config/conf_file.h"
#include "config/json_lines.h"

#define MAX_FILE_BYTES (4 * 1024 * 1024)
#define MAX_TOKENS     INT64_C(1000000000)
#define MAX_CREATED    INT64_C(253402300799) /* 9999-12-31 */

static const char *const top_fields[] = { "models", NULL };
static const char *const model_fields[] = { "name", "display_name", "owned_by",
	"created", "context", "max_output", "aliases", "fallback", "enabled", "source",
	"always_searches", "prices", NULL };

/* One list of everything allocated: a file given up half way is freed like a whole one.
 */
void *
dr_models_keep(struct dr_models *models, void *p)
{
	models->kept =
	    dr_realloc(models->kept, (models->n_kept + 1) * sizeof *models->kept);
	models->kept[models->n_kept++] = p;
	return p;
}

/*
 * Names stand in headers, in lists with commas and in messages: letters, digits and
 * what vendors put between them.
 */
static bool
is_model_name(const char *name)
{
	static const char between[] = "._-:/@[]";
	size_t len = strlen(name);

	if (len == 0 || len > DR_MAX_MODEL_NAME)
		return false;
	for (; *name != '\0'; name++)
		if (!((*name >= 'a' && *name <= 'z') ||
			(*name >= 'A' && *name <= 'Z') ||
			(*name >= '0' && *name <= '9') ||
			strchr(between, *name) != NULL))
			return false;
	return true;
}

/* "" where it is missing or wrong: that was told, and reading goes on to the next
 * field. */
static const char *
read_text(struct dr_reader *r, struct dr_models *models, struct json_object *object,
    const char *field)
{
	const char *text = dr_reader_text(r, object, field, true);

	return dr_models_keep(models, dr_strdup(text != NULL ? text : ""));
}

/* A list of names; always a NULL-terminated array, empty where the field is absent. */
const char *const *
dr_names_read(struct dr_reader *r, struct dr_models *models, struct json_object *object,
    const char *field)
{
	struct json_object *list = dr_reader_array(r, object, field, false);
	size_t n = list != NULL ? json_object_array_length(list) : 0, used = 0;
	const char **names = dr_models_keep(models, dr_calloc(n + 1, sizeof *names));

	for (size_t i = 0; i < n; i++) {
		struct json_object *element = json_object_array_get_idx(list, i);
		size_t mark = dr_reader_enter_element(r, field, i);

		if (!json_object_is_type(element, json_type_string) ||
		    !is_model_name(json_object_get_string(element)))
			dr_reader_mistake(r, NULL, "must be a model's name");
		else
			names[used++] = dr_models_keep(
			    models, dr_strdup(json_object_get_string(element)));
		dr_reader_leave(r, mark);
	}
	return names;
}

static void
read_created(struct dr_reader *r, struct json_object *object, struct dr_model *model)
{
	struct json_object *value;
	int64_t ms;

	if (json_object_object_get_ex(object, "created", &value) &&
	    json_object_is_type(value, json_type_string)) {
		if (dr_date_parse(json_object_get_string(value), &ms))
			model->created = ms / 1000;
		else
			dr_reader_mistake(r, "created",
			    "must be a date such as \"2026-02-05\", or seconds since 1970");
		return;
	}
	(void)dr_reader_whole(r, object, "created", 0, MAX_CREATED, &model->created);
}

static bool
read_flag(
    struct dr_reader *r, struct json_object *object, const char *field, bool otherwise)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, field, &value))
		return otherwise;
	if (json_object_is_type(value, json_type_boolean))
		return json_object_get_boolean(value) != 0;
	dr_reader_mistake(r, field, "must be true or false");
	return otherwise;
}

/*
 * Whatever is wrong, the model is left in a state that check_across() can look at:
 * names and lists are never NULL.
 */
static void
read_model(struct dr_reader *r, struct dr_models *models, struct dr_model *model,
    struct json_object *object, int64_t now_ms)
{
	model->name = "";
	model->aliases = model->fallback =
	    dr_models_keep(models, dr_calloc(1, sizeof(char *)));
	if (!json_object_is_type(object, json_type_object)) {
		dr_reader_mistake(r, NULL, "must be an object in { }");
		return;
	}
	model->name = read_text(r, models, object, "name");
	if (is_model_name(model->name))
		r->model = model->name;
	else if (model->name[0] != '\0')
		dr_reader_mistake(r, "name",
		    "must be at most %d letters, digits and . _ - : / @ [ ]",
		    DR_MAX_MODEL_NAME);
	dr_reader_only(r, object, model_fields);
	model->display_name = read_text(r, models, object, "display_name");
	model->owned_by = read_text(r, models, object, "owned_by");
	(void)dr_reader_text(r, object, "source", false);
	read_created(r, object, model);
	model->enabled = read_flag(r, object, "enabled", true);
	model->always_searches = read_flag(r, object, "always_searches", false);
	(void)dr_reader_whole(r, object, "context", 1, MAX_TOKENS, &model->context);
	(void)dr_reader_whole(
	    r, object, "max_output", 1, MAX_TOKENS, &model->max_output);
	model->aliases = dr_names_read(r, models, object, "aliases");
	model->fallback = dr_names_read(r, models, object, "fallback");
	dr_prices_read(r, models, model, object, now_ms);
}

/* ---- across models ---- */

static bool
answers_to(const struct dr_model *model, const char *name)
{
	const char *const *alias = model->aliases;

	if (strcmp(model->name, name) == 0)
		return true;
	while (*alias != NULL && strcmp(*alias, name) != 0)
		alias++;
	return *alias != NULL;
}

/* Which of the first n models answers to this name? */
static const struct dr_model *
owner_of(const struct dr_models *models, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (answers_to(&models->all[i], name))
			return &models->all[i];
	return NULL;
}

/* Model `i` must not claim a name that an earlier one has, nor one name twice. */
static void
check_names(struct dr_reader *r, const struct dr_models *models, size_t i)
{
	const struct dr_model *model = &models->all[i], *other;

	if (model->name[0] != '\0' &&
	    (other = owner_of(models, i, model->name)) != NULL)
		dr_reader_mistake(
		    r, "name", "is a name of model \"%s\" already", other->name);
	for (size_t a = 0; model->aliases[a] != NULL; a++) {
		const char *alias = model->aliases[a];
		bool again = strcmp(alias, model->name) == 0;

		for (size_t b = 0; b < a; b++)
			again |= strcmp(alias, model->aliases[b]) == 0;
		other = again ? model : owner_of(models, i, alias);
		if (other != NULL)
			dr_reader_mistake(r, "aliases",
			    "\"%s\" is a name of model \"%s\" already", alias,
			    other->name);
	}
}

/* A fallback may stand further down in the file, so this waits until all are read. */
static void
check_fallback(struct dr_reader *r, const struct dr_models *models, size_t i)
{
	const struct dr_model *model = &models->all[i], *other;

	for (const char *const *name = model->fallback; *name != NULL; name++) {
		other = owner_of(models, models->n, *name);
		if (other == NULL)
			dr_reader_mistake(
			    r, "fallback", "\"%s\" is no model of this file", *name);
		else if (other == model)
			dr_reader_mistake(
			    r, "fallback", "\"%s\" is the model itself", *name);
	}
}

static void
check_across(struct dr_reader *r, const struct dr_models *models)
{
	for (size_t i = 0; i < models->n; i++) {
		size_t mark = dr_reader_enter_element(r, "models", i);

		r->model_at = r->at.len;
		r->model = models->all[i].name[0] != '\0' ? models->all[i].name : NULL;
		check_names(r, models, i);
		check_fallback(r, models, i);
		r->model = NULL;
		dr_reader_leave(r, mark);
	}
}

/* ---- the document ---- */

static void
read_document(struct dr_reader *r, struct dr_models *models, struct json_object *root)
{
	int64_t now_ms = dr_clock_wall_ms();
	struct json_object *list;

	if (!json_object_is_type(root, json_type_object)) {
		dr_reader_mistake(r, NULL, "must be an object in { }");
		return;
	}
	dr_reader_only(r, root, top_fields);
	list = dr_reader_array(r, root, "models", true);
	if (list == NULL)
		return;
	models->n = json_object_array_length(list);
	if (models->n == 0)
		dr_reader_mistake(r, "models", "must hold at least one model");
	models->all = dr_calloc(models->n + 1, sizeof *models->all);
	for (size_t i = 0; i < models->n; i++) {
		size_t mark = dr_reader_enter_element(r, "models", i);

		r->model_at = r->at.len;
		read_model(r, models, &models->all[i],
		    json_object_array_get_idx(list, i), now_ms);
		r->model = NULL;
		dr_reader_leave(r, mark);
	}
	check_across(r, models);
}

/* The JSON library has kept the last of the two; which one was meant nobody knows. */
static void
on_twice(void *arg, const char *path, unsigned line)
{
	struct dr_reader *r = arg;
	struct dr_strbuf text;

	dr_strbuf_init(&text, 8192);
	dr_strbuf_addf(
	    &text, "%s:%u: %s: stands here a second time", r->file, line, path);
	r->failed = true;
	r->report(r->report_arg, text.data);
	dr_strbuf_fini(&text);
}

/* dr_json_parse() ends its message with the byte; people look for a line. */
static void
tell_syntax(struct dr_reader *r, const char *err)
{
	const char *byte = strrchr(err, ' ');
	struct dr_strbuf text;

	dr_strbuf_init(&text, 8192);
	dr_strbuf_addf(&text, "%s:%u: not JSON: %s", r->file,
	    dr_json_line_of_byte(r->text, byte != NULL ? strtoul(byte, NULL, 10) : 0),
	    err);
	r->failed = true;
	r->report(r->report_arg, text.data);
	dr_strbuf_fini(&text);
}

bool
dr_models_read(struct dr_models *models, const char *file, int64_t basis_points,
    dr_report *report, void *report_arg)
{
	struct dr_reader r = { .file = file,
		.report = report,
		.report_arg = report_arg,
		.basis_points = basis_points };
	struct json_object *root;
	char why[256];
	size_t len;
	char *text = dr_conf_slurp(file, MAX_FILE_BYTES, &len, why, sizeof why);

	if (text == NULL) {
		char line[4096];

		snprintf(line, sizeof line, "%.3500s: %s", file, why);
		report(report_arg, line);
		return false;
	}
	r.text = text;
	dr_strbuf_init(&r.at, 4096);
	root = dr_json_parse(text, len, why, sizeof why);
	if (root == NULL) {
		tell_syntax(&r, why);
	} else {
		dr_json_each_twice(text, on_twice, &r);
		read_document(&r, models, root);
	}
	json_object_put(root);
	dr_strbuf_fini(&r.at);
	free(text);
	return !r.failed;
}
