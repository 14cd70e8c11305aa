/*
 * attempt: no provider is reached for a charged request without an admission in hand.
 * Whoever tries ends the process, in releases too: a restart is better than a free
 * answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/config.h"
#include "gateway/gateway.h"
#include "gateway/request.h"

/* What a process says that starts an attempt in that way; it must not survive it. */
static void
last_words(enum dr_handler_kind kind, bool admitted, char *said, size_t size)
{
	struct dr_settings settings = { .total_timeout = 1000 };
	struct dr_config config = { .magic = DR_CONFIG_MAGIC, .settings = &settings };
	struct dr_handler handler = { .kind = kind };
	const struct rlimit no_core = { 0, 0 };
	static struct dr_request req;
	int status, words[2];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(words), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		dup2(words[1], STDERR_FILENO);
		req.magic = DR_REQUEST_MAGIC;
		req.config = &config;
		req.handler = &handler;
		req.admitted = admitted;
		dr_attempt_start(&req);
		_exit(0);
	}
	close(words[1]);
	n = read(words[0], said, size - 1);
	said[n > 0 ? n : 0] = '\0';
	close(words[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

static void
what_is_charged_reaches_no_provider_without_an_admission(void **state)
{
	static const struct {
		enum dr_handler_kind kind;
		bool admitted, stopped;
	} rows[] = {
		{ DR_HANDLER_GENERATE, false, true },
		{ DR_HANDLER_LOCAL, false, true },
		/* these two pass this check and stumble over the missing provider */
		{ DR_HANDLER_GENERATE, true, false },
		{ DR_HANDLER_COUNT, false, false },
	};
	char said[1024];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		last_words(rows[i].kind, rows[i].admitted, said, sizeof said);
		if ((strstr(said, "req->admitted") != NULL) != rows[i].stopped)
			fail_msg("row %zu: %s", i, said);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_is_charged_reaches_no_provider_without_an_admission),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
