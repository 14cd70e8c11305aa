/*
 * conf_file - the line syntax of derouter.conf; what the names mean is settings.c's
 * business.
 *
 *   # a comment
 *   name = value          # a comment again; '#' inside a word is part of the value
 *   name = "value # all of it, \" and \\ escaped"
 */
#ifndef DR_CONF_FILE_H
#define DR_CONF_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/dr_assert.h"

#define DR_MAX_CONF_BYTES (1024 * 1024) /* of the whole file */
#define DR_MAX_CONF_LINE  8192          /* bytes of one line */

struct dr_conf_events {
	/* A line that says name = value; both are gone when this returns. */
	void (*assignment)(
	    void *arg, unsigned line, const char *name, const char *value);
	/* A line that says nothing sensible; `line` 0: the file as a whole. Never
	 * quotes a value. */
	void (*mistake)(void *arg, unsigned line, const char *what);
};

/* Read the file line by line, to its end whatever it holds. What was read is wiped. */
void dr_conf_read(const char *path, const struct dr_conf_events *events, void *arg);

/* The same for `len` bytes in memory and one byte of room behind them; it changes them.
 */
void dr_conf_parse(
    char *text, size_t len, const struct dr_conf_events *events, void *arg);

/*
 * The whole file as text with a NUL behind it, at most `max` bytes. NULL: `why` (size
 * bytes) says what is wrong. The caller owns the result: free(), after dr_wipe() where
 * it held secrets.
 */
char *dr_conf_slurp(
    const char *path, size_t max, size_t *len, char *why, size_t size) DR_MUSTCHECK;

#endif
