/*
 * test_fcgi_listen - addresses of the listening socket, and what a wrong one is told.
 */
#include "fcgi_fixture.h"

#include <grp.h>
#include <sys/stat.h>

#define LONG_PATH                                                                      \
	"unix:/tmp/a-path-that-is-much-too-long-for-the-name-of-a-socket-which-has-"   \
	"room-for-one-hundred-and-seven-bytes-and-for-no-more"

static char err[256];

static int
listen_at(const char *address, unsigned mode, const char *group)
{
	err[0] = '\0';
	return dr_fcgi_listen(address, mode, group, 16, err, sizeof err);
}

static void
a_unix_socket_gets_its_mode_and_group(void **state)
{
	static const unsigned modes[] = { 0600, 0660, 0666 };
	const struct group *group = getgrgid(getgid());
	char address[128], number[32];
	struct stat st;
	int fd;

	(void)state;
	snprintf(address, sizeof address, "unix:%s.2", rig.path);
	snprintf(number, sizeof number, "%u", (unsigned)getgid());
	for (size_t i = 0; i < DR_N_ELEMENTS(modes); i++) {
		/* From the second on, a stale socket is in the way. */
		fd = listen_at(address, modes[i],
		    i == 0                    ? NULL
		    : i == 1 && group != NULL ? group->gr_name
					      : number);
		assert_true(fd >= 0);
		assert_int_equal(stat(address + 5, &st), 0);
		assert_int_equal(st.st_mode & 07777, modes[i]);
		assert_int_equal(st.st_gid, getgid());
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		close(fd);
	}
	unlink(address + 5);
}

static void
a_socket_in_use_is_not_taken_over(void **state)
{
	char address[128];

	(void)state;
	snprintf(address, sizeof address, "unix:%s", rig.path);
	assert_int_equal(listen_at(address, 0600, NULL), -1);
	assert_non_null(strstr(err, address));
	assert_non_null(strstr(err, "another process is listening"));
	assert_int_equal(access(rig.path, F_OK), 0);
}

static void
a_file_in_the_way_is_left_alone(void **state)
{
	char address[128], path[120];
	int fd;

	(void)state;
	snprintf(path, sizeof path, "%s/file", rig.dir);
	snprintf(address, sizeof address, "unix:%s", path);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(listen_at(address, 0600, NULL), -1);
	assert_non_null(strstr(err, "not a socket"));
	assert_int_equal(unlink(path), 0);
}

static void
a_failure_leaves_no_socket_behind(void **state)
{
	char address[128];

	(void)state;
	snprintf(address, sizeof address, "unix:%s.3", rig.path);
	assert_int_equal(listen_at(address, 0600, "no-such-group-here"), -1);
	assert_non_null(strstr(err, "no-such-group-here"));
	assert_int_equal(access(address + 5, F_OK), -1);
}

static void
an_address_that_cannot_be_is_named(void **state)
{
	static const char *const bad[] = {
		"",
		"unix:",
		"9000",
		"localhost",
		"localhost:",
		"localhost:http",
		"localhost:70000",
		"::1:9000",
		"[::1:9000",
		"[::1]9000",
		"[]x:1",
		"unix:/nowhere/at/all/socket",
		"256.256.256.256:9000",
		"192.0.2.1:9000",
		LONG_PATH,
	};

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(bad); i++) {
		assert_int_equal(listen_at(bad[i], 0600, NULL), -1);
		assert_memory_equal(err, bad[i], strlen(bad[i]));
		assert_true(strlen(err) > strlen(bad[i]) + 10);
		assert_null(strchr(err, '\n'));
	}
}

static void
tcp_addresses_of_every_form_are_taken(void **state)
{
	static const char *const good[] = { "127.0.0.1:0", "localhost:0", "*:0", ":0",
		"[::1]:0" };
	int fd;
	struct sockaddr_storage name;
	socklen_t len;

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(good); i++) {
		fd = listen_at(good[i], 0, NULL);
		if (fd < 0 && good[i][0] == '[')
			continue; /* a machine without IPv6 */
		assert_true(fd >= 0);
		len = sizeof name;
		assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
		assert_true(name.ss_family == AF_INET || name.ss_family == AF_INET6);
		close(fd);
	}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_start, rig_stop)
	const struct CMUnitTest tests[] = {
		TEST(a_unix_socket_gets_its_mode_and_group),
		TEST(a_socket_in_use_is_not_taken_over),
		TEST(a_file_in_the_way_is_left_alone),
		TEST(a_failure_leaves_no_socket_behind),
		TEST(an_address_that_cannot_be_is_named),
		TEST(tcp_addresses_of_every_form_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
