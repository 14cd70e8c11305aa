/*
 * settings - the configuration file as a struct, one member per row of settings.def.
 *
 * File: `name = value` lines, `#` comments, values bare or in double quotes (\" and
 * \\ inside). Errors: every mistake is reported, each with file and line (or the
 * variable's name), before loading fails. Nothing here is logged but through `report`.
 */
#ifndef DR_SETTINGS_H
#define DR_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"

/* C types by kind */
#define DR_SETTING_TYPE_STRING   char *
#define DR_SETTING_TYPE_SECRET   char *
#define DR_SETTING_TYPE_PATH     char *
#define DR_SETTING_TYPE_NUMBER   int64_t
#define DR_SETTING_TYPE_BYTES    int64_t
#define DR_SETTING_TYPE_DURATION int64_t
#define DR_SETTING_TYPE_SWITCH   bool
#define DR_SETTING_TYPE_OCTAL    int64_t
#define DR_SETTING_TYPE_MONEY    int64_t

struct dr_settings {
#define DR_SETTING(name, KIND, def, least, most, reload, text)                         \
	DR_SETTING_TYPE_##KIND name;
#include "config/settings.def"
#undef DR_SETTING
};

/* How far a test has moved the clock of Redis, in ms; 0 but in debug builds. */
static inline int64_t
dr_settings_clock_offset(const struct dr_settings *settings)
{
#ifdef DR_DEBUG
	return settings->test_clock_offset;
#else
	(void)settings;
	return 0;
#endif
}

/* Gets each mistake as one line: "derouter.conf:12: rpm: unknown setting". */
typedef void dr_report(void *arg, const char *line);

/*
 * Defaults, then the file (path NULL: none), then `assignments` ("name=value" from the
 * command line, of two the later; NULL-terminated or NULL), then the environment. True:
 * the caller owns *out. False: *out is untouched, every mistake was reported.
 *
 * Paths are joined to the file's folder; redis_password holds what redis_password_file
 * says.
 */
bool dr_settings_load(const char *path, const char *const *assignments,
    struct dr_settings **out, dr_report *report, void *report_arg) DR_MUSTCHECK;
void dr_settings_free(
    struct dr_settings **settings); /* secrets are wiped; NULL is fine */

/*
 * Names of the RESTART settings that differ between two; for the warning after a
 * reload. *pos begins at 0. Returns false at the end.
 */
bool dr_settings_differ(const struct dr_settings *a, const struct dr_settings *b,
    size_t *pos, const char **name);

#endif
