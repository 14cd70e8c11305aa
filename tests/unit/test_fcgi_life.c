/*
 * test_fcgi_life - who leaves when: aborts, closed and broken connections, slow
 * readers, full servers, draining, and freeing while a callback is on the stack.
 */
#include "fcgi_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

static void
send_abort(struct client *c, uint16_t id)
{
	struct dr_strbuf bytes;

	dr_strbuf_init(&bytes, 64);
	dr_fcgi_add_record(&bytes, FCGI_ABORT_REQUEST, id, "", 0);
	assert_true(client_send(c, bytes.data, bytes.len));
	dr_strbuf_fini(&bytes);
}

/* ---- who leaves ---- */

static void
an_aborted_request_is_gone_and_ended(void **state)
{
	(void)state;
	for (int keep = 0; keep < 2; keep++) {
		struct held *held;
		struct client c;

		client_open(&c);
		held = hold(&c, 7, keep);
		dr_fcgi_write(held->req, "so far", 6);
		send_abort(&c, 8); /* another id: not ours */
		settle();
		assert_false(held->gone);
		send_abort(&c, 7);
		AWAIT_ENDS(&c, 1);
		assert_true(held->gone);
		assert_int_equal(c.ended_id, 7);
		assert_string_equal(c.answer.data, "so far");
		rig.answering = ECHO;
		if (keep)
			exchange(&c, 7, true, "{}", 2);
		else
			AWAIT_EOF(&c);
		client_close(&c);
	}
	assert_int_equal(rig.gone, 2);
}

static void
a_request_aborted_before_it_was_whole_is_never_seen(void **state)
{
	struct dr_strbuf bytes;
	struct client c;

	(void)state;
	dr_strbuf_init(&bytes, 4096);
	add_head(&bytes, 1, true, 100);
	client_open(&c);
	assert_true(client_send(&c, bytes.data, bytes.len));
	send_abort(&c, 1);
	AWAIT_ENDS(&c, 1);
	exchange(&c, 1, true, "{}", 2);
	assert_int_equal(rig.requests, 1);
	assert_int_equal(rig.gone, 0);
	client_close(&c);
	dr_strbuf_fini(&bytes);
}

static void
a_closed_connection_is_told_once(void **state)
{
	struct linger reset = { .l_onoff = 1 };
	struct held *held;
	struct client c;

	(void)state;
	for (int how = 0; how < 3; how++) {
		client_open(&c);
		held = hold(&c, 1, true);
		if (how == 0)
			shutdown(c.fd, SHUT_WR);
		else if (how == 1)
			dr_fcgi_write(held->req, "unread", 6); /* close resets */
		else
			setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		settle();
		client_close(&c);
		UNTIL(dr_fcgi_connections(rig.server) == 0);
		assert_true(held->gone);
	}
	assert_int_equal(rig.gone, 3);
}

/* On a reset epoll reports an error at once: what was sent before it must not hide it.
 */
static void
a_reset_behind_unread_bytes_is_noticed(void **state)
{
	struct held *held;
	struct client c;

	(void)state;
	client_open(&c);
	held = hold(&c, 1, true);
	dr_fcgi_write(held->req, "unread", 6);
	settle();
	assert_int_equal(client_try(&c, "\x01\x08\0\x63\0\0\0\0", 8), 8);
	client_close(&c);
	UNTIL(dr_fcgi_connections(rig.server) == 0);
	assert_true(held->gone);
}

static void
a_broken_off_answer_has_no_end(void **state)
{
	struct client c;

	(void)state;
	for (int keep = 0; keep < 2; keep++) {
		rig.answering = BREAK_OFF;
		client_open(&c);
		send_request(&c, 1, keep);
		AWAIT_EOF(&c);
		assert_string_equal(c.answer.data, "half");
		assert_int_equal(c.ends, 0);
		assert_int_equal(c.stdout_ends, 0);
		client_close(&c);
	}
	UNTIL(dr_fcgi_connections(rig.server) == 0);
	assert_int_equal(rig.gone, 0);
}

/* ---- how many ---- */

static void
a_full_server_lets_newcomers_wait(void **state)
{
	struct client a, b, late;

	(void)state;
	rig_restart(2, 1000);
	client_open(&a);
	client_open(&b);
	exchange(&a, 1, true, "{}", 2);
	exchange(&b, 1, true, "{}", 2);
	client_open(&late);
	send_request(&late, 1, true);
	settle();
	assert_int_equal(dr_fcgi_connections(rig.server), 2);
	assert_int_equal(rig.requests, 2);
	client_close(&a);
	AWAIT_ENDS(&late, 1);
	assert_int_equal(dr_fcgi_connections(rig.server), 2);
	client_close(&b);
	client_close(&late);
}

/* Take every descriptor that is left; returns how many. */
static size_t
use_up_descriptors(int *fds, size_t max)
{
	size_t n = 0;

	while (n < max && (fds[n] = dup(0)) >= 0)
		n++;
	assert_true(n < max);
	assert_int_equal(errno, EMFILE);
	return n;
}

static void
out_of_descriptors_it_waits_without_spinning(void **state)
{
	struct rlimit old, low = { .rlim_cur = 64 };
	unsigned turns = 0;
	struct client c;
	int fds[128];
	size_t n;

	(void)state;
	dr_log_set_level(DR_LOG_ERROR); /* the warning is expected */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	client_open(&c);
	n = use_up_descriptors(fds, DR_N_ELEMENTS(fds));
	send_request(&c, 1, true);
	for (rig.ticks = 0; rig.ticks < 40; turns++)
		turn();
	assert_true(turns < 60); /* a turn without a tick is a wake-up for nothing */
	assert_int_equal(rig.requests, 0);
	while (n > 0)
		close(fds[--n]);
	AWAIT_ENDS(&c, 1);
	client_close(&c);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	dr_log_set_level(DR_LOG_INFO);
}

/* As systemd does at each reload of a unit with StandardInput=socket. */
static void
let_the_socket_wait(void)
{
	int flags = fcntl(rig.listen_fd, F_GETFL);

	assert_int_equal(fcntl(rig.listen_fd, F_SETFL, flags & ~O_NONBLOCK), 0);
}

static void
a_socket_that_others_make_wait_holds_nobody_up(void **state)
{
	struct client c;

	(void)state;
	alarm(DEADLINE_MS / 1000); /* else it would wait in accept() for ever */
	let_the_socket_wait();
	client_open(&c);
	exchange(&c, 1, true, "{}", 2);
	let_the_socket_wait();
	dr_fcgi_stop_accepting(rig.server);
	AWAIT_EOF(&c);
	alarm(0);
	client_close(&c);
}

/* ---- the end ---- */

static void
draining_serves_what_has_come_and_closes_the_rest(void **state)
{
	struct client idle, running, sent, backlog;
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct held *held;
	int fd;

	(void)state;
	client_open(&idle);
	exchange(&idle, 1, true, "{}", 2);
	client_open(&sent);
	exchange(&sent, 1, true, "{}", 2);
	client_open(&running);
	held = hold(&running, 1, true);
	rig.answering = ECHO;
	client_open(&backlog); /* connected, not yet accepted, not yet asking */
	{
		struct dr_strbuf bytes;

		dr_strbuf_init(&bytes, 4096);
		add_request(&bytes, 2, true, "{}", 2);
		assert_int_equal(client_try(&sent, bytes.data, bytes.len), bytes.len);
		dr_strbuf_fini(&bytes);
	}
	dr_fcgi_stop_accepting(rig.server);
	dr_fcgi_stop_accepting(rig.server); /* twice is fine */
	AWAIT_EOF(&idle);
	AWAIT_EOF(&sent);
	assert_int_equal(sent.ends, 2);
	send_request(&backlog, 1, true);
	AWAIT_EOF(&backlog);
	assert_int_equal(backlog.ends, 1);
	assert_int_equal(dr_fcgi_connections(rig.server), 1);
	memcpy(name.sun_path, rig.path, strlen(rig.path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
	echo(held->req);
	AWAIT_EOF(&running);
	assert_int_equal(running.ends, 1);
	UNTIL(dr_fcgi_connections(rig.server) == 0);
	client_close(&idle);
	client_close(&sent);
	client_close(&running);
	client_close(&backlog);
}

static void
freeing_the_server_tells_every_running_request(void **state)
{
	struct held *first, *second;
	struct client a, b, c;

	(void)state;
	client_open(&a);
	client_open(&b);
	client_open(&c);
	first = hold(&a, 1, true);
	second = hold(&b, 1, true);
	dr_fcgi_free(&rig.server);
	assert_null(rig.server);
	assert_true(first->gone);
	assert_true(second->gone);
	AWAIT_EOF(&a);
	AWAIT_EOF(&c);
	client_close(&a);
	client_close(&b);
	client_close(&c);
}

static void
the_server_may_be_freed_inside_its_callbacks(void **state)
{
	struct client a, b;

	(void)state;
	client_open(&a);
	client_open(&b);
	hold(&b, 1, true);
	if (rig.free_when_gone) {
		client_close(&b);
	} else {
		rig.answering = FREE_SERVER;
		send_request(&a, 1, true);
	}
	UNTIL(rig.server == NULL);
	settle();
	assert_int_equal(rig.gone, rig.n_held);
	client_close(&a);
	client_close(&b);
}

static int
rig_start_fragile(void **state)
{
	rig_start(state);
	rig.free_when_gone = true;
	return 0;
}

/* ---- other sockets ---- */

static void
descriptor_0_may_be_the_listening_socket(void **state)
{
	int saved = dup(0), fd = dup(rig.listen_fd);
	struct client c;
	char byte;

	(void)state;
	dr_fcgi_free(&rig.server);
	settle();
	assert_int_equal(dup2(fd, 0), 0);
	close(fd);
	rig.server = dr_fcgi_new(rig.loop, 0, &rig.options);
	client_open(&c);
	exchange(&c, 1, true, "{}", 2);
	dr_fcgi_stop_accepting(rig.server);
	assert_int_equal(read(0, &byte, 1), 0); /* taken, by nothing */
	AWAIT_EOF(&c);
	client_close(&c);
	dup2(saved, 0);
	close(saved);
}

static void
tcp_connections_send_small_answers_at_once(void **state)
{
	struct sockaddr_in name = { .sin_family = AF_INET };
	socklen_t len = sizeof name;
	struct client c;
	char err[256];
	int fd, on = 0;

	(void)state;
	dr_fcgi_free(&rig.server);
	fd = dr_fcgi_listen("127.0.0.1:0", 0, NULL, 16, err, sizeof err);
	assert_true(fd >= 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	rig.server = dr_fcgi_new(rig.loop, fd, &rig.options);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
	client_over(&c, fd);
	exchange(&c, 1, true, "{}", 2);
	/* The server's end is the next descriptor that is a TCP socket. */
	for (fd = c.fd + 1; fd < c.fd + 20 && !on; fd++) {
		len = sizeof on;
		if (getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len) != 0)
			on = 0;
	}
	assert_true(on);
	client_close(&c);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_start, rig_stop)
	const struct CMUnitTest tests[] = {
		TEST(an_aborted_request_is_gone_and_ended),
		TEST(a_request_aborted_before_it_was_whole_is_never_seen),
		TEST(a_closed_connection_is_told_once),
		TEST(a_reset_behind_unread_bytes_is_noticed),
		TEST(a_broken_off_answer_has_no_end),
		TEST(a_full_server_lets_newcomers_wait),
		TEST(out_of_descriptors_it_waits_without_spinning),
		TEST(a_socket_that_others_make_wait_holds_nobody_up),
		TEST(draining_serves_what_has_come_and_closes_the_rest),
		TEST(freeing_the_server_tells_every_running_request),
		TEST(the_server_may_be_freed_inside_its_callbacks),
		{ "the_server_may_be_freed_when_a_client_leaves",
		    the_server_may_be_freed_inside_its_callbacks, rig_start_fragile,
		    rig_stop, NULL },
		TEST(descriptor_0_may_be_the_listening_socket),
		TEST(tcp_connections_send_small_answers_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
