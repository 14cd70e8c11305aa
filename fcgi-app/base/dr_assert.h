/*
 * dr_assert - assertions that stay on in releases, and the compiler's contracts.
 *
 * A wrong bill is worse than a restart, so the process stops at the first thing
 * that cannot be. Three kinds of trouble, three ways:
 *   our own bug            DR_ASSERT, DR_CHECK
 *   a branch never taken   DR_WRONG
 *   the world outside      never asserted: an enum dr_error (errors.h)
 */
#ifndef DR_ASSERT_H
#define DR_ASSERT_H

#include <stddef.h>
#include <stdlib.h>

#define DR_MUSTCHECK    __attribute__((warn_unused_result))
#define DR_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define DR_NORETURN     __attribute__((noreturn))
#define DR_UNUSED       __attribute__((unused))

/* Print where and what to stderr, then abort(). */
DR_NORETURN void dr_bug(const char *file, int line, const char *func, const char *what);

#define DR_ASSERT(e)   ((e) ? (void)0 : dr_bug(__FILE__, __LINE__, __func__, #e))
#define DR_WRONG(what) dr_bug(__FILE__, __LINE__, __func__, what)

/* Every long-lived struct begins with `unsigned magic`; every cast is checked. */
#define DR_CHECK(p, m)                                                                 \
	do {                                                                           \
		DR_ASSERT((p) != NULL);                                                \
		DR_ASSERT((p)->magic == (m));                                          \
	} while (0)

/* A second free, or a late callback, then fails DR_CHECK at its own line. */
#define DR_FREE(p)                                                                     \
	do {                                                                           \
		(p)->magic = 0;                                                        \
		free(p);                                                               \
		(p) = NULL;                                                            \
	} while (0)

#define DR_CONTAINER_OF(ptr, type, member)                                             \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define DR_N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

#endif
