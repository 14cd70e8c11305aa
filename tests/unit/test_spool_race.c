/*
 * spool: a file that is being made is nobody's orphan, whoever looks for one meanwhile.
 */
#include "spool_fixture.h"

#include <poll.h>
#include <sys/file.h>

static enum dr_spool_sending
on_send(void *arg, const char *payload, size_t len, int64_t age_ms)
{
	(void)arg;
	(void)payload;
	(void)len;
	(void)age_ms;
	return DR_SPOOL_UNREADABLE;
}

static int
set_up(void **state)
{
	loop_setup(state);
	make_folder();
	return 0;
}

static int
tear_down(void **state)
{
	assert_int_equal(rmdir(dir), 0); /* nothing is left behind */
	return loop_teardown(state);
}

/* What an adopter does to a file of nobody, as fast as it can, until it is killed. */
static void
adopt_for_ever(void)
{
	char path[300];

	for (;;) {
		DIR *folder = opendir(dir);
		struct dirent *entry;

		while (folder != NULL && (entry = readdir(folder)) != NULL) {
			int fd;

			if (strstr(entry->d_name, ".spool") == NULL)
				continue;
			snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
			fd = open(path, O_RDWR | O_CLOEXEC);
			if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
				unlink(path);
			if (fd >= 0)
				close(fd);
		}
		if (folder != NULL)
			closedir(folder);
		poll(NULL, 0, 1); /* the folder's lock is to be had by its owner too */
	}
}

/* A file that is being made must at no time look like an orphan. */
static void
nobody_adopts_a_file_that_is_being_made(void **state)
{
	pid_t adopters[1];

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(adopters); i++) {
		adopters[i] = fork();
		assert_true(adopters[i] >= 0);
		if (adopters[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			adopt_for_ever();
		}
	}
	for (int i = 0; i < 40; i++) {
		struct dr_spool *other = open_spool(1 << 20);

		if (count_files(".spool") != 1)
			fail_msg("the %dth was taken from under its owner", i);
		dr_spool_free(&other);
	}
	for (size_t i = 0; i < DR_N_ELEMENTS(adopters); i++) {
		kill(adopters[i], SIGKILL);
		waitpid(adopters[i], NULL, 0);
	}
	assert_int_equal(count_files(".begun"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_adopts_a_file_that_is_being_made),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
