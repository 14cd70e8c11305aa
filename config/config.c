/*
 * config - see the header. Counts the requests that hold a snapshot; knows nothing of
 * what stands in it.
 */
#include "config/config.h"

#include "base/mem.h"
#include "config/settings_check.h"

struct dr_config *
dr_config_load(const char *path, const char *const *assignments, dr_report *report,
    void *report_arg)
{
	bool whole;
	struct dr_settings *settings =
	    dr_settings_gather(path, assignments, &whole, report, report_arg);
	int64_t basis_points;
	struct dr_models *models;
	struct dr_chains *chains;
	struct dr_config *config;

	/* a broken markup has been told; it shall not hide what is wrong with the
	 * models */
	models = dr_models_load(settings->models_file,
	    dr_markup_parse(settings->markup, &basis_points) ? settings->markup : "0%",
	    report, report_arg);
	chains = dr_chains_load(settings->chains_file, report, report_arg);
	if (!whole || models == NULL || chains == NULL) {
		dr_settings_free(&settings);
		dr_chains_free(&chains);
		dr_models_free(&models);
		return NULL;
	}
	config = dr_calloc(1, sizeof *config);
	config->magic = DR_CONFIG_MAGIC;
	config->refs = 1;
	config->settings = settings;
	config->models = models;
	config->chains = chains;
	return config;
}

struct dr_config *
dr_config_ref(struct dr_config *config)
{
	DR_CHECK(config, DR_CONFIG_MAGIC);
	config->refs++;
	return config;
}

void
dr_config_unref(struct dr_config **config)
{
	struct dr_config *c = *config;

	if (c == NULL)
		return;
	DR_CHECK(c, DR_CONFIG_MAGIC);
	DR_ASSERT(c->refs > 0);
	*config = NULL;
	if (--c->refs > 0)
		return;
	dr_settings_free(&c->settings);
	dr_models_free(&c->models);
	dr_chains_free(&c->chains);
	DR_FREE(c);
}
