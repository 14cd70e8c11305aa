/*
 * config_fixture - what tests of config/ share: files in a folder of their own, and the
 * mistakes that a load reports, as one text.
 */
#ifndef DR_TESTS_CONFIG_FIXTURE_H
#define DR_TESTS_CONFIG_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"

static char config_dir[64];       /* made by config_setup() */
static struct dr_strbuf mistakes; /* one line each */

static inline int
config_setup(void **state)
{
	(void)state;
	snprintf(config_dir, sizeof config_dir, "/tmp/derouter-config-XXXXXX");
	dr_strbuf_init(&mistakes, 1 << 20);
	return mkdtemp(config_dir) != NULL ? 0 : -1;
}

static inline const char *
config_path(const char *name)
{
	static char path[256];

	snprintf(path, sizeof path, "%s/%s", config_dir, name);
	return path;
}

static inline int
config_teardown(void **state)
{
	static const char *const names[] = { "derouter.conf", "models.json",
		"password" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		(void)unlink(config_path(names[i]));
	dr_strbuf_fini(&mistakes);
	return rmdir(config_dir);
}

/* Write the file anew; returns its path. */
static inline const char *
config_write(const char *name, const char *bytes, size_t len)
{
	FILE *file = fopen(config_path(name), "wb");

	if (file == NULL || fwrite(bytes, 1, len, file) != len || fclose(file) != 0)
		abort();
	return config_path(name);
}

static inline void
note_mistake(void *arg, const char *line)
{
	(void)arg;
	dr_strbuf_adds(&mistakes, line);
	dr_strbuf_addc(&mistakes, '\n');
}

static inline unsigned
n_mistakes(void)
{
	unsigned n = 0;

	for (const char *p = mistakes.data; *p != '\0'; p++)
		n += *p == '\n';
	return n;
}

/* A file of the tree under test, whole; free(). */
static inline char *
read_from_tree(const char *name)
{
	static const char here[] = "/" __FILE__;
	const char *srcdir = getenv("srcdir");
	char path[4096], *text = calloc(1, 1 << 20);
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", srcdir != NULL ? srcdir : ".", name);
	file = fopen(path, "rb");
	if (file == NULL) { /* run by hand from elsewhere */
		snprintf(path, sizeof path, "%.*s/../../%s",
		    (int)(strrchr(here, '/') - here - 1), here + 1, name);
		file = fopen(path, "rb");
	}
	if (file == NULL || text == NULL || fread(text, 1, (1 << 20) - 1, file) == 0) {
		fprintf(stderr, "%s: cannot be read\n", name);
		abort();
	}
	fclose(file);
	return text;
}

#endif
