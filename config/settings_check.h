/*
 * settings_check - what settings must be beyond their own kind and range.
 *
 * Private to config/. settings.c fills the load and calls; nothing here outlives it.
 */
#ifndef DR_SETTINGS_CHECK_H
#define DR_SETTINGS_CHECK_H

#include "base/dr_assert.h"
#include "config/settings.h"

/* One run of dr_settings_load(); borrowed where not said otherwise. */
struct dr_setting_load {
	const char *path; /* NULL: no file */
	struct dr_settings *settings;
	char **where; /* by row: the place that set it, NULL for the default; owned
			 texts */
	unsigned *first_line; /* by row: where the file set it; 0: it did not */
	dr_report *report;
	void *report_arg;
	bool failed;
};

/* "where: name: what is wrong" goes to the report. name may be NULL; where NULL: a
 * default. */
void dr_setting_mistake(struct dr_setting_load *load, const char *where,
    const char *name, const char *format, ...) DR_PRINTF(4, 5);

/*
 * What dr_settings_load() does, but the settings are handed out in any case (owned by
 * the caller): with *whole false they are for finding further mistakes only, a value
 * that was wrong having left the one below it in place.
 */
struct dr_settings *dr_settings_gather(const char *path, const char *const *assignments,
    bool *whole, dr_report *report, void *report_arg) DR_MUSTCHECK;

/* Every rule is tried, each breach reported at the place that set the value. */
void dr_settings_check(struct dr_setting_load *load);

/*
 * "12.5%" as basis points: at most two digits after the point, at most 1000%.
 * False: *basis_points is unchanged.
 */
bool dr_markup_parse(const char *text, int64_t *basis_points) DR_MUSTCHECK;

#endif
