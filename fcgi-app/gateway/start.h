/*
 * start - what every program of DeRouter that stays does first: where its configuration
 * comes from, log and store. The responder and the watcher use it alike.
 */
#ifndef DR_START_H
#define DR_START_H

#include <stdbool.h>

#include "base/dr_assert.h"
#include "config/config.h"
#include "io/loop.h"
#include "io/store.h"

/* Where the configuration comes from, now and at each reload; all are borrowed. */
struct dr_start_source {
	const char *program;
	const char *path;                 /* NULL: defaults and environment only */
	const char *assignments[128 + 1]; /* --set NAME=VALUE; NULL-terminated */
	size_t n_assignments;
};

/* $DEROUTER_CONFIG, until an option says otherwise. */
void dr_start_source_init(struct dr_start_source *source, const char *program);
/* One more --set; too many end the program. */
void dr_start_assign(struct dr_start_source *source, const char *text);
/* NULL: every mistake was told, on standard error as it is or in the log. */
struct dr_config *dr_start_load(const struct dr_start_source *source) DR_MUSTCHECK;
struct dr_config *dr_start_reload(const struct dr_start_source *source) DR_MUSTCHECK;

/*
 * What -t does: is the configuration good, the file of secrets_key_file too? Tells it
 * on standard error. The program's exit status: 0 yes, 1 no.
 */
int dr_start_test(const struct dr_start_source *source) DR_MUSTCHECK;

/* Lines go to log_file from now on. False: said on standard error. */
bool dr_start_log(const struct dr_settings *settings) DR_MUSTCHECK;

/* log_level and log_areas, at the start and after each reload. */
void dr_start_log_levels(const struct dr_settings *settings);

/* The Redis of the settings; the caller owns it. */
struct dr_store *dr_start_store(
    struct dr_loop *loop, const struct dr_settings *settings);

/* No core dumps, where credentials would be inside; no SIGPIPE. */
void dr_start_guard(void);

#endif
