/*
 * mem, dr_assert - see the headers. The two ways a process stops by itself.
 */
#include "base/mem.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/dr_assert.h"

void
dr_bug(const char *file, int line, const char *func, const char *what)
{
	fprintf(stderr, "derouter: bug at %s:%d in %s(): %s\n", file, line, func, what);
	fflush(stderr);
	abort();
}

static void *
or_abort(void *p, size_t n)
{
	if (p == NULL && n > 0) {
		fprintf(stderr, "derouter: out of memory (%zu bytes wanted)\n", n);
		abort();
	}
	return p;
}

void *
dr_malloc(size_t n)
{
	return or_abort(malloc(n), n);
}

void *
dr_calloc(size_t count, size_t size)
{
	return or_abort(calloc(count, size), count * size);
}

void *
dr_realloc(void *p, size_t n)
{
	return or_abort(realloc(p, n), n);
}

char *
dr_strdup(const char *s)
{
	return dr_strndup(s, strlen(s));
}

char *
dr_strndup(const char *s, size_t n)
{
	char *copy = dr_malloc(n + 1);

	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

void
dr_wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}

void
dr_mem_tune(void)
{
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	mallopt(M_TRIM_THRESHOLD, 64 << 20);
}
