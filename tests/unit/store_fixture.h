/*
 * store_fixture - a loop, a log that can be read, answers that are kept, and a private
 * redis-server. Shared by the store's tests; each includes it once.
 */
#ifndef DR_TESTS_STORE_FIXTURE_H
#define DR_TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/store.h"

#define LONG_MS 20000 /* nothing takes so long on a machine that is not stuck */

static struct dr_loop *loop;
static int log_memory = -1;

/* ---- the log ---- */

static inline void
log_forget(void)
{
	assert_int_equal(ftruncate(log_memory, 0), 0);
	assert_int_equal(lseek(log_memory, 0, SEEK_SET), 0);
}

/* How often `text` stands in the log since log_forget(). */
static inline size_t
logged(const char *text)
{
	static char all[1 << 20];
	ssize_t len = pread(log_memory, all, sizeof all - 1, 0);
	size_t n = 0;

	assert_true(len >= 0);
	all[len] = '\0';
	for (const char *at = all; (at = strstr(at, text)) != NULL; at++)
		n++;
	return n;
}

/* ---- turning the loop ---- */

/* Keeps a turn from waiting for an event that need not come. */
static inline void
tick_again(struct dr_timer *timer)
{
	dr_timer_start(timer, 10);
}

/* Until `condition`; fails where that takes beyond all reason. */
#define TURN_UNTIL(condition)                                                          \
	do {                                                                           \
		uint64_t turn_end_ms = dr_clock_ms() + LONG_MS;                        \
		struct dr_timer turn_ticks;                                            \
                                                                                       \
		dr_timer_init(&turn_ticks, loop, tick_again);                          \
		dr_timer_start(&turn_ticks, 1);                                        \
		while (!(condition) && dr_clock_ms() < turn_end_ms)                    \
			dr_loop_turn(loop);                                            \
		dr_timer_stop(&turn_ticks);                                            \
		assert_true(condition);                                                \
	} while (0)

/* One turn that writes what is to be written and hardly waits. */
static inline void
turn_at_once(void)
{
	struct dr_timer ticks;

	dr_timer_init(&ticks, loop, tick_again);
	dr_timer_start(&ticks, 1);
	dr_loop_turn(loop);
	dr_timer_stop(&ticks);
}

/* ---- calls and what became of them ---- */

struct answer {
	struct dr_store_call call;
	unsigned n_done, n_late;
	enum dr_error err;
	enum dr_reply_type type;
	int64_t number; /* -1: none */
	char text[600];
	size_t len, count;
	bool late_null;
	uint64_t order; /* of all answers of this test program */
};

static uint64_t n_answers;

static inline void
keep_reply(struct answer *answer, const struct dr_reply *reply)
{
	const char *text;

	answer->order = n_answers++;
	if (reply == NULL)
		return;
	answer->type = dr_reply_type(reply);
	answer->number = dr_reply_int(reply, -1);
	answer->count = dr_reply_count(reply);
	text = dr_reply_string(reply, &answer->len);
	snprintf(answer->text, sizeof answer->text, "%s", text);
}

static inline void
on_done(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct answer *answer = DR_CONTAINER_OF(call, struct answer, call);

	assert_true((err == DR_OK) == (reply != NULL));
	answer->n_done++;
	answer->err = err;
	keep_reply(answer, reply);
}

static inline void
on_late(struct dr_store_call *call, const struct dr_reply *reply)
{
	struct answer *answer = DR_CONTAINER_OF(call, struct answer, call);

	answer->n_late++;
	answer->late_null = reply == NULL;
	keep_reply(answer, reply);
}

static inline void
answer_init(struct answer *answer, bool with_late)
{
	*answer = (struct answer){ .number = -1 };
	answer->call.done = on_done;
	answer->call.late = with_late ? on_late : NULL;
}

/* Words as one text with single spaces: "SET k v". */
static inline size_t
split(const char *line, struct dr_arg *argv, size_t most)
{
	size_t n = 0;

	while (*line != '\0' && n < most) {
		argv[n] = (struct dr_arg){ line, strcspn(line, " ") };
		line += argv[n++].len;
		line += *line == ' ';
	}
	return n;
}

/* Start a command; does not turn the loop. */
static inline void
start(struct dr_store *store, const char *line, struct answer *answer)
{
	struct dr_arg argv[16];

	dr_store_command(store, "", argv, split(line, argv, 16), &answer->call);
	assert_int_equal(answer->n_done, 0); /* never inside the call */
}

/* One command and its answer. */
static inline struct answer
ask(struct dr_store *store, const char *line)
{
	struct answer answer;

	answer_init(&answer, false);
	start(store, line, &answer);
	dr_store_wait(store, &answer.call);
	assert_int_equal(answer.n_done, 1);
	return answer;
}

/* A script with no keys. */
static inline struct answer
run(struct dr_store *store, struct dr_script *script)
{
	struct answer answer;

	answer_init(&answer, false);
	dr_store_eval(store, "", script, 0, NULL, 0, &answer.call);
	assert_int_equal(answer.n_done, 0);
	dr_store_wait(store, &answer.call);
	assert_int_equal(answer.n_done, 1);
	return answer;
}

#define SCRIPT(script_name, lua)                                                       \
	{                                                                              \
		.name = script_name, .source = lua, .source_len = sizeof(lua) - 1      \
	}

/* ---- a private redis-server ---- */

struct redis {
	pid_t pid;
	char dir[32];     /* of its socket, with the fixture's life */
	char unix_at[64]; /* "unix:/tmp/.../redis.sock" */
	char tcp_at[64];  /* "127.0.0.1:port"; "" while started without TCP */
};

static inline void
redis_dir(struct redis *redis)
{
	*redis = (struct redis){ 0 };
	snprintf(redis->dir, sizeof redis->dir, "/tmp/dr-store-XXXXXX");
	assert_non_null(mkdtemp(redis->dir));
	snprintf(
	    redis->unix_at, sizeof redis->unix_at, "unix:%s/redis.sock", redis->dir);
}

/* A port that is free now. */
static inline unsigned
free_port(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof sa;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	close(fd);
	return ntohs(sa.sin_port);
}

/* `options`: more command line, words with single spaces. Does not wait until it
 * serves. */
static inline void
redis_start(struct redis *redis, bool tcp, const char *options)
{
	static char nothing[] = "";
	char line[700], *argv[48], port[16], *rest = line, *word;
	size_t n = 0;

	snprintf(port, sizeof port, "%u", tcp ? free_port() : 0);
	redis->tcp_at[0] = '\0';
	if (tcp)
		snprintf(redis->tcp_at, sizeof redis->tcp_at, "127.0.0.1:%s", port);
	snprintf(line, sizeof line,
	    "redis-server --port %s --unixsocket %s/redis.sock --save --appendonly no "
	    "--dir %s --logfile %s/log --enable-debug-command yes %s",
	    port, redis->dir, redis->dir, redis->dir, options);
	while ((word = strsep(&rest, " ")) != NULL && n < 46) {
		if (*word == '\0')
			continue;
		argv[n++] = word;
		if (strcmp(word, "--save") == 0)
			argv[n++] = nothing;
	}
	argv[n] = NULL;
	redis->pid = fork();
	assert_true(redis->pid >= 0);
	if (redis->pid == 0) {
		/* A test that crashes leaves no server behind. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (freopen("/dev/null", "w", stdout) == NULL)
			_exit(127);
		execvp("redis-server", argv);
		_exit(127);
	}
}

static inline void
redis_kill(struct redis *redis)
{
	if (redis->pid <= 0)
		return;
	kill(redis->pid, SIGKILL);
	assert_int_equal(waitpid(redis->pid, NULL, 0), redis->pid);
	redis->pid = 0;
}

static inline void
redis_remove(struct redis *redis)
{
	static const char *const files[] = { "redis.sock", "log", "dump.rdb" };
	char path[64];

	redis_kill(redis);
	for (size_t i = 0; i < DR_N_ELEMENTS(files); i++) {
		snprintf(path, sizeof path, "%s/%s", redis->dir, files[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(redis->dir), 0);
}

/* ---- stores ---- */

static inline struct dr_store *
store_at(const char *address, unsigned timeout_ms)
{
	struct dr_store_options options = { .address = address,
		.timeout_ms = timeout_ms };

	return dr_store_new(loop, &options);
}

static inline struct dr_store *
store_up(const char *address, unsigned timeout_ms)
{
	struct dr_store *store = store_at(address, timeout_ms);

	assert_true(dr_store_wait_up(store, LONG_MS));
	return store;
}

/* ---- set-up ---- */

static inline int
loop_setup(void **state)
{
	(void)state;
	loop = dr_loop_new();
	log_memory = memfd_create("log", MFD_CLOEXEC);
	assert_true(log_memory >= 0);
	assert_int_equal(fcntl(log_memory, F_SETFL, O_APPEND), 0);
	dr_log_set_fd(log_memory);
	return 0;
}

static inline int
loop_teardown(void **state)
{
	(void)state;
	dr_loop_free(&loop);
	dr_log_set_fd(2);
	close(log_memory);
	return 0;
}

#endif
