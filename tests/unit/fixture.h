/*
 * fixture - the files of tests/unit/fixtures, whatever the current directory.
 */
#ifndef DR_TESTS_FIXTURE_H
#define DR_TESTS_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
	char *bytes; /* owned, with a NUL behind that is not counted */
	size_t len;
};

static inline FILE *
fixture_open(const char *name)
{
	static const char here[] = "/" __FILE__; /* has a slash, whatever __FILE__ is */
	const char *srcdir = getenv("srcdir");
	char path[4096];
	FILE *file;

	snprintf(path, sizeof path, "%s/tests/unit/fixtures/%s", srcdir ? srcdir : ".",
	    name);
	file = fopen(path, "rb");
	if (file == NULL) { /* run by hand from elsewhere: beside this header */
		snprintf(path, sizeof path, "%.*s/fixtures/%s",
		    (int)(strrchr(here, '/') - here), here + 1, name);
		file = fopen(path, "rb");
	}
	return file;
}

/* Aborts where the file is missing: no test may pass without its fixture. */
static inline struct fixture
fixture_read(const char *name)
{
	FILE *file = fixture_open(name);
	struct fixture fixture = { NULL, 0 };
	long size;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
		fprintf(stderr, "fixture %s: cannot be read\n", name);
		abort();
	}
	rewind(file);
	fixture.bytes = malloc((size_t)size + 1);
	if (fixture.bytes == NULL ||
	    fread(fixture.bytes, 1, (size_t)size, file) != (size_t)size)
		abort();
	fixture.bytes[size] = '\0';
	fixture.len = (size_t)size;
	fclose(file);
	return fixture;
}

#endif
