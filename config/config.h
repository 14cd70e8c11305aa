/*
 * config - settings, models and chains as one snapshot. A request keeps the one it
 * began with, so a reload never changes the rules under it.
 */
#ifndef DR_CONFIG_H
#define DR_CONFIG_H

#include "config/chains.h"
#include "config/models.h"
#include "config/settings.h"

struct dr_config {
	unsigned magic;
#define DR_CONFIG_MAGIC 0xc0f16001
	unsigned refs;
	struct dr_settings *settings; /* owned */
	struct dr_models *models;     /* owned */
	struct dr_chains *chains;     /* owned */
};

/* NULL: reported, all mistakes of all files. */
struct dr_config *dr_config_load(const char *path, const char *const *assignments,
    dr_report *report, void *report_arg) DR_MUSTCHECK;
struct dr_config *dr_config_ref(struct dr_config *config);
void dr_config_unref(struct dr_config **config); /* NULL is fine */

#endif
