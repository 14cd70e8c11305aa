/*
 * start - what every program of DeRouter that stays does first with its settings: log
 * and store. The responder and the watcher use it alike.
 */
#ifndef DR_START_H
#define DR_START_H

#include <stdbool.h>

#include "base/dr_assert.h"
#include "config/settings.h"
#include "io/loop.h"
#include "io/store.h"

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
