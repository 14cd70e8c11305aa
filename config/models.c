/*
 * models - see the header. Holds what models_read.c has read and finds a model by any
 * of its names; read-only once loaded.
 */
#include "config/models.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/models_read.h"
#include "config/settings_check.h"

static int
by_name(const void *a, const void *b)
{
	const struct dr_model_name *p = a, *q = b;

	return strcmp(p->name, q->name);
}

static void
add_name(struct dr_models *models, const char *name, const struct dr_model *model)
{
	models->by_name = dr_realloc(
	    models->by_name, (models->n_names + 1) * sizeof *models->by_name);
	models->by_name[models->n_names++] = (struct dr_model_name){ name, model };
}

/* A model that is off sale has no names: to callers it is unknown. */
static void
index_names(struct dr_models *models)
{
	for (size_t i = 0; i < models->n; i++) {
		const struct dr_model *model = &models->all[i];

		if (!model->enabled)
			continue;
		add_name(models, model->name, model);
		for (const char *const *alias = model->aliases; *alias != NULL; alias++)
			add_name(models, *alias, model);
	}
	if (models->n_names > 0)
		qsort(
		    models->by_name, models->n_names, sizeof *models->by_name, by_name);
}

struct dr_models *
dr_models_load(
    const char *path, const char *markup, dr_report *report, void *report_arg)
{
	struct dr_models *models = dr_calloc(1, sizeof *models);
	int64_t basis_points;

	models->magic = DR_MODELS_MAGIC;
	if (!dr_markup_parse(markup, &basis_points)) {
		report(report_arg, "markup: must be a percentage such as \"12.5%\"");
		dr_models_free(&models);
		return NULL;
	}
	if (dr_models_read(models, path, basis_points, report, report_arg))
		index_names(models);
	else
		dr_models_free(&models);
	return models;
}

void
dr_models_free(struct dr_models **models)
{
	struct dr_models *m = *models;

	if (m == NULL)
		return;
	DR_CHECK(m, DR_MODELS_MAGIC);
	*models = NULL;
	for (size_t i = 0; i < m->n_kept; i++)
		free(m->kept[i]);
	free(m->kept);
	free(m->by_name);
	free(m->all);
	DR_FREE(m);
}

size_t
dr_models_count(const struct dr_models *models)
{
	DR_CHECK(models, DR_MODELS_MAGIC);
	return models->n;
}

const struct dr_model *
dr_models_at(const struct dr_models *models, size_t i)
{
	DR_CHECK(models, DR_MODELS_MAGIC);
	DR_ASSERT(i < models->n);
	return &models->all[i];
}

const struct dr_model *
dr_models_find(const struct dr_models *models, const char *name)
{
	struct dr_model_name key = { .name = name }, *found;

	DR_CHECK(models, DR_MODELS_MAGIC);
	if (models->n_names == 0)
		return NULL;
	found = bsearch(&key, models->by_name, models->n_names, sizeof key, by_name);
	return found != NULL ? found->model : NULL;
}
