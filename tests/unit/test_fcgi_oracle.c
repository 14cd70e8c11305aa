/*
 * test_fcgi_oracle - libfcgi as the judge: its client talks to our server, and its
 * server is sent what our codec writes. Both sides must see the same request.
 */
#include "fcgi_fixture.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define CGI_FCGI "/usr/bin/cgi-fcgi"

struct child {
	pid_t pid;
	int in, out; /* our ends; -1 once closed */
	struct dr_strbuf text;
	bool eof;
};

/* Run a program with this environment; its standard input is `in`, or a pipe for -1. */
static void
spawn(struct child *child, char *const argv[], char *const envp[], int in)
{
	int to[2], from[2];

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (child->pid == 0) {
		prctl(
		    PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nobody behind */
		dup2(in >= 0 ? in : to[0], 0);
		dup2(from[1], 1);
		execve(argv[0], argv, envp);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	child->in = to[1];
	child->out = from[0];
	child->eof = false;
	fcntl(child->in, F_SETFL, O_NONBLOCK);
	fcntl(child->out, F_SETFL, O_NONBLOCK);
	dr_strbuf_init(&child->text, 64 << 20);
}

static void
child_read(struct child *child)
{
	char bytes[65536];
	ssize_t n;

	while ((n = read(child->out, bytes, sizeof bytes)) > 0)
		dr_strbuf_add(&child->text, bytes, (size_t)n);
	if (n == 0)
		child->eof = true;
}

static void
child_end(struct child *child, bool stop)
{
	int status;

	if (stop)
		kill(child->pid, SIGKILL); /* libfcgi catches SIGTERM and accepts on */
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	if (!stop)
		assert_int_equal(status, 0);
	close(child->in);
	close(child->out);
	dr_strbuf_fini(&child->text);
}

/* What cgi-fcgi prints for a request with this environment and body. */
static void
ask_through_cgi_fcgi(
    char *const envp[], const char *body, size_t len, struct dr_strbuf *answer)
{
	char program[] = CGI_FCGI, bind_flag[] = "-bind", connect_flag[] = "-connect";
	char *argv[] = { program, bind_flag, connect_flag, rig.path, NULL };
	struct child child;
	size_t sent = 0;
	ssize_t n;

	spawn(&child, argv, envp, -1);
	while (sent < len) {
		n = write(child.in, body + sent, len - sent);
		assert_true(n > 0 || errno == EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
		turn();
	}
	UNTIL((child_read(&child), child.eof));
	dr_strbuf_add(answer, child.text.data, child.text.len);
	child_end(&child, false);
}

static void
cgi_fcgi_is_understood(void **state)
{
	static const size_t lengths[] = { 0, 1, 8191, 8192, 65535, 65536, 300000 };
	char *body = dr_malloc(300000);
	struct dr_strbuf answer, want;

	(void)state;
	if (access(CGI_FCGI, X_OK) != 0)
		skip();
	for (size_t i = 0; i < 300000; i++)
		body[i] = (char)(i * 31 + i / 256);
	for (size_t i = 0; i < DR_N_ELEMENTS(lengths); i++) {
		char length[64], method[] = "REQUEST_METHOD=POST",
				 query[] = "QUERY_STRING=";
		char key[] = "HTTP_X_API_KEY=sk-ant-dr-a-b-c";
		char *envp[] = { method, query, length, key, NULL };

		snprintf(length, sizeof length, "CONTENT_LENGTH=%zu", lengths[i]);
		dr_strbuf_init(&answer, 64 << 20);
		ask_through_cgi_fcgi(envp, body, lengths[i], &answer);
		expected_echo(&want, body, lengths[i]);
		assert_int_equal(answer.len, want.len);
		assert_memory_equal(answer.data, want.data, want.len);
		assert_int_equal(rig.fault, DR_FCGI_FINE);
		dr_strbuf_fini(&answer);
		dr_strbuf_fini(&want);
	}
	free(body);
}

/* ---- libfcgi's server ---- */

static void
find_echo(char *path, size_t size)
{
	const char *builddir = getenv("builddir");
	char self[512];
	ssize_t n;

	snprintf(path, size, "%s/tests/peers/fcgx_echo", builddir ? builddir : ".");
	if (access(path, X_OK) == 0)
		return;
	n = readlink("/proc/self/exe", self, sizeof self - 1); /* beside us */
	assert_true(n > 0);
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(path, size, "%s/fcgx_echo", self);
	if (access(path, X_OK) != 0)
		snprintf(path, size, "%s/../peers/fcgx_echo", self);
}

/* Names and values of every length that is encoded in another way. */
static void
add_many_params(struct dr_strbuf *params, size_t body_len)
{
	static const size_t lengths[] = { 0, 1, 127, 128, 129, 5000, 40000 };
	char number[32], name[32], *value;

	snprintf(number, sizeof number, "%zu", body_len);
	dr_fcgi_add_pair(params, "CONTENT_LENGTH", number);
	dr_fcgi_add_pair(params, "REQUEST_METHOD", "POST");
	for (size_t i = 0; i < DR_N_ELEMENTS(lengths); i++) {
		value = dr_malloc(lengths[i] + 1);
		memset(value, (int)('a' + i), lengths[i]);
		value[lengths[i]] = '\0';
		snprintf(name, sizeof name, "HTTP_X_%zu", lengths[i]);
		dr_fcgi_add_pair(params, name, value);
		if (lengths[i] > 0 && lengths[i] < 1000)
			dr_fcgi_add_pair(params, value, name);
		free(value);
	}
}

/* Send `bytes` to whoever listens at rig.path and wait for all of the answer. */
static void
ask(struct client *c, const struct dr_strbuf *bytes)
{
	client_open(c);
	assert_true(client_send(c, bytes->data, bytes->len));
	AWAIT_EOF(c);
	assert_int_equal(c->ends, 1);
}

/* The same with libfcgi's server behind a socket of its own. */
static void
ask_libfcgi(struct client *c, char *program, const struct dr_strbuf *bytes)
{
	char *argv[] = { program, NULL }, *envp[] = { NULL };
	char ours[sizeof rig.path], address[128], err[256];
	struct child child;
	int fd;

	memcpy(ours, rig.path, sizeof ours);
	snprintf(rig.path, sizeof rig.path, "%s/theirs", rig.dir);
	snprintf(address, sizeof address, "unix:%s", rig.path);
	fd = dr_fcgi_listen(address, 0600, NULL, 8, err, sizeof err);
	assert_true(fd >= 0);
	fcntl(fd, F_SETFL, 0); /* libfcgi wants it to block */
	spawn(&child, argv, envp, fd);
	close(fd);
	ask(c, bytes);
	child_end(&child, true);
	unlink(rig.path);
	memcpy(rig.path, ours, sizeof ours);
}

static void
our_records_say_the_same_to_libfcgi_and_to_us(void **state)
{
	static const size_t lengths[] = { 0, 1, 65535, 200000 };
	char *body = dr_malloc(200000), program[600];

	(void)state;
	find_echo(program, sizeof program);
	if (access(program, X_OK) != 0)
		skip();
	memset(body, '\xe9', 200000);
	for (size_t i = 0; i < DR_N_ELEMENTS(lengths); i++) {
		struct dr_strbuf params, bytes;
		struct client us, them;

		dr_strbuf_init(&params, 1 << 20);
		dr_strbuf_init(&bytes, 1 << 20);
		add_many_params(&params, lengths[i]);
		add_begin(&bytes, 0x1234, FCGI_RESPONDER, false);
		add_stream(&bytes, FCGI_PARAMS, 0x1234, params.data, params.len, 30000);
		add_stream(&bytes, FCGI_STDIN, 0x1234, body, lengths[i], 65535);
		ask(&us, &bytes);
		assert_int_equal(rig.fault, DR_FCGI_FINE);
		ask_libfcgi(&them, program, &bytes);
		assert_int_equal(us.ended_id, them.ended_id);
		assert_int_equal(us.ended_status, them.ended_status);
		assert_int_equal(us.answer.len, them.answer.len);
		assert_memory_equal(us.answer.data, them.answer.data, us.answer.len);
		assert_true(us.answer.len > lengths[i] + 45000);
		client_close(&us);
		client_close(&them);
		dr_strbuf_fini(&params);
		dr_strbuf_fini(&bytes);
	}
	free(body);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_start, rig_stop)
	const struct CMUnitTest tests[] = {
		TEST(cgi_fcgi_is_understood),
		TEST(our_records_say_the_same_to_libfcgi_and_to_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
