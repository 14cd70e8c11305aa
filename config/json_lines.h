/*
 * json_lines - where things stand in a JSON file that people edit.
 *
 * The JSON library keeps neither lines nor a key that stands twice (the last one
 * silently wins); for a file with prices both matter. Works on text that the library
 * has accepted.
 *
 * A path is written "models[3].prices[0].input"; "" is the document.
 */
#ifndef DR_JSON_LINES_H
#define DR_JSON_LINES_H

#include "base/dr_assert.h"

/* The line (from 1) of the member's key or the array element; 1 where there is no such
 * path. */
unsigned dr_json_line(const char *text, const char *path);

/* The line of byte `at` (from 0). */
unsigned dr_json_line_of_byte(const char *text, size_t at);

/* Call `twice` for every key that stands again in the same object. `path` is gone
 * after. */
void dr_json_each_twice(const char *text,
    void (*twice)(void *arg, const char *path, unsigned line), void *arg);

#endif
