/*
 * ctl_fixture - derouterctl as it was built, run against a redis-server of its own.
 *
 * The program is $builddir/derouterctl ("." without builddir), or what `program` names.
 */
#ifndef DR_TESTS_CTL_FIXTURE_H
#define DR_TESTS_CTL_FIXTURE_H

#include <json-c/json.h>

#include "gateway/api_key.h"
#include "store_fixture.h"

static struct redis redis;
static struct dr_store *store; /* to look behind what derouterctl did */

/* What is run: the watcher's tests put its name here. */
static const char *program = "derouterctl";

/* Where standard output goes instead of into `out`; NULL: there. */
static const char *output_to;

/* What the last run left. */
static char out[1 << 20], err[1 << 16];

static inline const char *
in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", redis.dir, name);
	return path;
}

static inline void
write_file(const char *name, const char *text, mode_t mode)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* Everything that comes out of `fd`, as a string. */
static inline void
drain(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(fd);
}

static inline void
exec_ctl(char **argv, int in, int to, int to_err)
{
	const char *builddir = getenv("builddir");
	char path[4096];

	snprintf(
	    path, sizeof path, "%s/%s", builddir != NULL ? builddir : ".", program);
	dup2(in, STDIN_FILENO);
	if (output_to != NULL)
		to = open(output_to, O_WRONLY | O_CLOEXEC);
	dup2(to, STDOUT_FILENO);
	dup2(to_err, STDERR_FILENO);
	execv(path, argv);
	fprintf(stderr, "%s: cannot be run", path);
	_exit(127);
}

/* Standard error goes to a file: two pipes could block each other. */
static inline int
run_argv(char **argv, const char *input)
{
	int in = memfd_create("in", MFD_CLOEXEC), to[2],
	    to_err = memfd_create("err", MFD_CLOEXEC);
	int status;
	pid_t pid;

	assert_int_equal(write(in, input, strlen(input)), (ssize_t)strlen(input));
	lseek(in, 0, SEEK_SET);
	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		exec_ctl(argv, in, to[1], to_err);
	close(to[1]);
	close(in);
	drain(to[0], out, sizeof out);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	lseek(to_err, 0, SEEK_SET);
	drain(to_err, err, sizeof err);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Words with single spaces; '~' inside a word stands for a space, "''" for an empty
 * word. */
static inline int
ctl_input(const char *words, const char *input)
{
	static char config[128], line[1 << 16];
	char *argv[256] = { "derouterctl", "-c", config }, *save, *word;
	size_t n = 3;

	snprintf(config, sizeof config, "%s", in_dir("derouter.conf"));
	snprintf(line, sizeof line, "%s", words);
	for (word = strtok_r(line, " ", &save); word != NULL && n < 255;
	     word = strtok_r(NULL, " ", &save)) {
		for (char *p = word; *p != '\0'; p++)
			if (*p == '~')
				*p = ' ';
		argv[n++] = strcmp(word, "''") == 0 ? (word + 2) : word;
	}
	return run_argv(argv, input);
}

static inline int
ctl(const char *format, ...)
{
	char words[1 << 15];
	va_list ap;

	va_start(ap, format);
	vsnprintf(words, sizeof words, format, ap);
	va_end(ap);
	return ctl_input(words, "");
}

/* Fails with what the program said. */
#define CTL_STATUS(status, ...)                                                        \
	do {                                                                           \
		int got_status = ctl(__VA_ARGS__);                                     \
                                                                                       \
		if (got_status != (status))                                            \
			fail_msg(                                                      \
			    "status %d, not %d: %s%s", got_status, status, out, err);  \
	} while (0)

#define CTL_SAID(text, where)                                                          \
	do {                                                                           \
		if (strstr(where, text) == NULL)                                       \
			fail_msg("\"%s\" is not in: %s", text, where);                 \
	} while (0)

static inline int
ctl_setup(void **state)
{
	char conf[512];
	const char *srcdir = getenv("srcdir");
	char real[4096];

	loop_setup(state);
	redis_dir(&redis);
	redis_start(&redis, true, "--repl-diskless-sync-delay 0");
	store = store_up(redis.unix_at, 5000);
	assert_non_null(realpath(srcdir != NULL ? srcdir : ".", real));
	snprintf(conf, sizeof conf,
	    "redis_address = %s\nmodels_file = %.300s/config/models.json\n",
	    redis.unix_at, real);
	write_file("derouter.conf", conf, 0600);
	write_file("secrets.key",
	    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", 0600);
	return 0;
}

static inline int
ctl_teardown(void **state)
{
	static const char *const files[] = { "derouter.conf", "secrets.key",
		"credential" };

	dr_store_free(&store);
	for (size_t i = 0; i < DR_N_ELEMENTS(files); i++)
		unlink(in_dir(files[i]));
	redis_remove(&redis);
	return loop_teardown(state);
}

/* A new account's id, and a new key's text, without the newline. */
static inline const char *
take_line(char *to, size_t size)
{
	size_t n = strcspn(out, "\n");

	assert_int_equal(strlen(out), n + 1);
	assert_true(n < size);
	memcpy(to, out, n);
	to[n] = '\0';
	return to;
}

DR_UNUSED static const char *
new_account(const char *credit)
{
	static char id[64];

	CTL_STATUS(0, "account add --credit %s", credit);
	take_line(id, sizeof id);
	assert_true(dr_account_id_ok(id));
	return id;
}

/* A value of the last run's JSON, by keys and indexes: "0.name"; "" where absent. */
DR_UNUSED static const char *
json_at(const char *path)
{
	static char value[4096];
	struct json_object *root = json_tokener_parse(out), *at = root;
	char copy[256], *save, *part;

	if (root == NULL)
		fail_msg("not JSON: %s", out);
	snprintf(copy, sizeof copy, "%s", path);
	for (part = strtok_r(copy, ".", &save); part != NULL && at != NULL;
	     part = strtok_r(NULL, ".", &save))
		at = json_object_is_type(at, json_type_array)
			 ? json_object_array_get_idx(at, strtoul(part, NULL, 10))
			 : json_object_object_get(at, part);
	snprintf(
	    value, sizeof value, "%s", at != NULL ? json_object_get_string(at) : "");
	json_object_put(root);
	return value;
}

#endif
