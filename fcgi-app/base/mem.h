/*
 * mem - allocation that cannot fail.
 *
 * Every buffer in DeRouter has a ceiling (limits.h), so running out of memory
 * means a bug or a machine that is far too small: both abort, here and only here.
 */
#ifndef DR_MEM_H
#define DR_MEM_H

#include <stddef.h>

void *dr_malloc(size_t n);
void *dr_calloc(size_t count, size_t size); /* zeroed */
void *dr_realloc(void *p, size_t n);
char *dr_strdup(const char *s);
char *dr_strndup(const char *s, size_t n); /* n bytes, then NUL */

/* Overwrite a secret before its memory goes back; never optimised away. */
void dr_wipe(void *p, size_t n);

/* Raise malloc's mmap and trim thresholds: halves the cost of 1 MB bodies. */
void dr_mem_tune(void);

#endif
