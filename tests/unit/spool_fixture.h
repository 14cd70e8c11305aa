/*
 * spool_fixture - a spool in a folder of the test's own, over the loop of the store
 * fixture. What a replay hands out goes to the test's on_send(). Each test includes it
 * once.
 */
#ifndef DR_TEST_SPOOL_FIXTURE_H
#define DR_TEST_SPOOL_FIXTURE_H

#include "store_fixture.h"

#include <dirent.h>

#include "gateway/spool.h"

static char dir[32];

static enum dr_spool_sending on_send(
    void *arg, const char *payload, size_t len, int64_t age_ms);

static inline void
make_folder(void)
{
	snprintf(dir, sizeof dir, "/tmp/dr-spool-XXXXXX");
	assert_non_null(mkdtemp(dir));
}

static inline struct dr_spool *
open_spool(uint64_t most_bytes)
{
	const struct dr_spool_options options = {
		.dir = dir, .most_bytes = most_bytes, .send = on_send
	};
	char err[256];
	struct dr_spool *opened = dr_spool_open(loop, &options, err, sizeof err);

	if (opened == NULL)
		fail_msg("%s", err);
	return opened;
}

/* Files in the folder whose name ends so. */
static inline unsigned
count_files(const char *suffix)
{
	DIR *folder = opendir(dir);
	struct dirent *entry;
	unsigned n = 0;

	while ((entry = readdir(folder)) != NULL) {
		size_t len = strlen(entry->d_name), end = strlen(suffix);

		n += len > end && strcmp(entry->d_name + len - end, suffix) == 0;
	}
	closedir(folder);
	return n;
}

#endif
