/*
 * attempt: no provider is reached for a charged request without an admission in hand.
 * Whoever tries ends the process, in releases too: a restart is better than a free
 * answer. And what a provider's Retry-After says.
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
#include "gateway/upstream_head.h"

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

/* A wish that cannot be read is none, one above all sense is a long one. */
static void
a_wish_to_be_asked_later_is_read_in_all_its_forms(void **state)
{
	const int64_t year_ms = INT64_C(365) * 86400 * 1000;
	const int64_t now_ms = INT64_C(1445412480) * 1000; /* 2015-10-21T07:28:00Z */
	static const char now[] = "Wed, 21 Oct 2015 07:28:00 GMT";
	const struct {
		const char *ms, *seconds;
		int64_t want;
	} rows[] = {
		{ NULL, NULL, -1 },
		{ NULL, "30", 30000 },
		{ NULL, "0", 0 },
		{ NULL, "1.5", 1000 },
		{ "250", "30", 250 },
		{ "250.75", NULL, 250 },
		{ "soon", "2", 2000 },
		{ NULL, "-30", -1 },
		{ NULL, "+30", -1 },
		{ NULL, "", -1 },
		{ NULL, "soon", -1 },
		{ NULL, "30s", -1 },
		{ NULL, "3000000000", year_ms },
		{ NULL, "99999999999999999999", year_ms },
		{ "99999999999999999999", NULL, year_ms },
		{ NULL, now, 0 },
		{ NULL, "Wed, 21 Oct 2015 07:29:30 GMT", 90000 },
		{ NULL, "Wed, 21 Oct 2014 07:28:00 GMT", 0 },
		{ NULL, "Wed, 99 Oct 2015 07:28:00 GMT", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t got = dr_retry_after_ms(rows[i].ms, rows[i].seconds, now_ms);

		if (got != rows[i].want)
			fail_msg("row %zu: %lld", i, (long long)got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_is_charged_reaches_no_provider_without_an_admission),
		cmocka_unit_test(a_wish_to_be_asked_later_is_read_in_all_its_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
