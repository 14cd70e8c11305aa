/*
 * log - lines for the operator, on stderr or in a file.
 *
 * One line per call: "2026-11-22T15:04:05.123Z [pid] warn store: text". Control bytes
 * in the text are written as \xNN, so that no input forges a line. Never pass a secret,
 * a prompt or an answer. Trace lines come out only for the areas named in log_areas.
 *
 * The access log (one JSON line per request) is gateway/access_log.
 */
#ifndef DR_LOG_H
#define DR_LOG_H

#include <stdbool.h>

#include "base/dr_assert.h"

enum dr_log_level { DR_LOG_ERROR, DR_LOG_WARN, DR_LOG_INFO, DR_LOG_TRACE };

/* Areas: one bit each; names as in the macro, lower case, for the setting log_areas. */
#define DR_LOG_AREAS(X)                                                                \
	X(main)                                                                        \
	X(fcgi)                                                                        \
	X(http)                                                                        \
	X(store)                                                                       \
	X(request) X(relay) X(admission) X(providers) X(config) X(ctl) X(watcher)

enum dr_log_area {
#define X(name) DR_AREA_##name,
	DR_LOG_AREAS(X)
#undef X
	    DR_N_AREAS
};

/* Lines go to `fd` (borrowed) from now on. At start: 2. */
void dr_log_set_fd(int fd);
/* Lines up to `level` come out (trace: only for areas switched on). At start: info. */
void dr_log_set_level(enum dr_log_level level);
/* Comma-separated names, "all" or "". False where a name is unknown (nothing changes).
 */
bool dr_log_set_areas(const char *names);
/* Would dr_log_set_areas() take them? Changes nothing. */
bool dr_log_areas_known(const char *names);

bool dr_log_traces(enum dr_log_area area); /* is tracing this area on? */
void dr_log(enum dr_log_level level, enum dr_log_area area, const char *format, ...)
    DR_PRINTF(3, 4);

#define dr_log_error(area, ...) dr_log(DR_LOG_ERROR, DR_AREA_##area, __VA_ARGS__)
#define dr_log_warn(area, ...)  dr_log(DR_LOG_WARN, DR_AREA_##area, __VA_ARGS__)
#define dr_log_info(area, ...)  dr_log(DR_LOG_INFO, DR_AREA_##area, __VA_ARGS__)
#define dr_log_trace(area, ...)                                                        \
	do {                                                                           \
		if (dr_log_traces(DR_AREA_##area))                                     \
			dr_log(DR_LOG_TRACE, DR_AREA_##area, __VA_ARGS__);             \
	} while (0)

#endif
