/*
 * models_read - models.json into the structs of models.h. Private to config/.
 */
#ifndef DR_MODELS_READ_H
#define DR_MODELS_READ_H

#include "config/models.h"
#include "config/reader.h"

struct dr_model_name {
	const char *name; /* name or alias */
	const struct dr_model *model;
};

struct dr_models {
	unsigned magic;
#define DR_MODELS_MAGIC 0x30de1501
	struct dr_model *all; /* in the file's order */
	size_t n;
	struct dr_model_name *by_name; /* enabled ones, sorted; owned */
	size_t n_names;
	void **kept; /* everything that hangs below `all`, to be freed with it */
	size_t n_kept;
};

/* Let `p` live as long as the models; returns it. */
void *dr_models_keep(struct dr_models *models, void *p);

/* A list of names, NULL-terminated; empty where the field is absent. */
const char *const *dr_names_read(struct dr_reader *r, struct dr_models *models,
    struct json_object *object, const char *field);

/* Fill the empty `models`. False: every mistake was told; what is filled is to be
 * freed. */
bool dr_models_read(struct dr_models *models, const char *file, int64_t basis_points,
    dr_report *report, void *report_arg) DR_MUSTCHECK;

/*
 * The list "prices" of one model, markup added, sorted by date. `now_ms` is wall time:
 * one row must be in force by then.
 */
void dr_prices_read(struct dr_reader *r, struct dr_models *models,
    struct dr_model *model, struct json_object *object, int64_t now_ms);

#endif
