/*
 * http_client while an answer is under way: cancel, back-pressure, early answers, and a
 * resolver that does not come back. The provider is scripted (http_client_fixture.h).
 */
#include "http_client_fixture.h"

#include <dlfcn.h>
#include <netdb.h>
#include <semaphore.h>

#define BIG ((size_t)8 << 20)

static const char big_head[] = "HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n";
static const char small[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static const char *
url(void)
{
	static char text[128];

	snprintf(text, sizeof text, "http://127.0.0.1:%u/v1/messages", peer.port);
	return text;
}

static void
peer_says_big(enum after after)
{
	peer_says(big_head, sizeof big_head - 1, after);
	peer.fill = BIG;
}

/* ---- a resolver that the tests hold ---- */

static sem_t resolver_may_go;
static unsigned resolving;

/* Stands in front of libc's: *.invalid is answered here, "slow.invalid" when let go. */
int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
    struct addrinfo **result)
{
	int (*real)(
	    const char *, const char *, const struct addrinfo *, struct addrinfo **);
	void *found = dlsym(RTLD_NEXT, "getaddrinfo");

	if (node != NULL && strcmp(node, "slow.invalid") == 0) {
		__atomic_add_fetch(&resolving, 1, __ATOMIC_SEQ_CST);
		while (sem_wait(&resolver_may_go) != 0)
			;
	}
	if (node != NULL && strstr(node, ".invalid") != NULL)
		return EAI_NONAME;
	memcpy(&real, &found, sizeof real);
	return real(node, service, hints, result);
}

static uint64_t
now_ms(void)
{
	dr_clock_update();
	return dr_clock_ms();
}

static void
a_name_that_does_not_resolve_is_refused(void **state)
{
	struct seen seen;

	(void)state;
	seen_init(&seen);
	seen_start(&seen, "POST", "http://name.invalid/", NULL, 0);
	turn_until(&seen.ends, 1);
	assert_int_equal(seen.result, DR_HTTP_REFUSED);
	assert_non_null(strstr(seen.why, "resolve"));
	seen_fini(&seen);
}

static void
a_slow_resolver_stops_neither_the_loop_nor_a_cancel(void **state)
{
	struct seen stuck, late, other;
	struct dr_http_request request;
	uint64_t began;

	(void)state;
	assert_int_equal(sem_init(&resolver_may_go, 0, 0), 0);
	peer_says(small, sizeof small - 1, KEEP);
	seen_init(&stuck);
	seen_init(&late);
	seen_init(&other);
	seen_start(&stuck, "POST", "http://slow.invalid/", NULL, 0);
	request = seen_request(&late, "POST", "http://slow.invalid/x");
	request.connect_timeout_ms = 200;
	began = now_ms();
	late.transfer = dr_http_start(http, &request);
	seen_start(&other, "POST", url(), NULL, 0);
	turn_until(&other.ends, 1);
	assert_int_equal(other.result, DR_HTTP_OK);
	while (__atomic_load_n(&resolving, __ATOMIC_SEQ_CST) < 2)
		turn();
	turn_until(&late.ends, 1);
	assert_int_equal(late.result, DR_HTTP_REFUSED);
	assert_in_range(now_ms() - began, 190, 2000);
	began = now_ms();
	dr_http_cancel(&stuck.transfer);
	assert_true(now_ms() - began < 1000);
	assert_int_equal(stuck.ends, 0);
	sem_post(&resolver_may_go);
	sem_post(&resolver_may_go);
	seen_fini(&stuck);
	seen_fini(&late);
	seen_fini(&other);
}

/* ---- cancel ---- */

static void
cancel_inside_a_callback_ends_it_and_closes_the_connection(void **state)
{
	(void)state;
	for (int where = CANCEL_IN_HEAD; where <= CANCEL_IN_BODY; where++) {
		struct seen seen;
		unsigned before = peer.n_closed;

		peer_says_big(KEEP);
		seen_init(&seen);
		seen.act = where;
		seen_start(&seen, "POST", url(), NULL, 0);
		while (seen.transfer != NULL)
			turn_until(&seen.heads, 1);
		assert_int_equal(dr_http_running(http), 0);
		turn_until(&peer.n_closed, before + 1);
		settle();
		assert_int_equal(seen.ends, 0);
		assert_int_equal(seen.bodies, where == CANCEL_IN_BODY);
		seen_fini(&seen);
	}
}

/* Turn by turn: wherever the exchange stands, a cancel leaves nothing behind. */
static void
cancel_is_safe_after_any_number_of_turns(void **state)
{
	(void)state;
	peer_says(small, sizeof small - 1, KEEP);
	for (int turns = 0; turns < 12; turns++) {
		struct seen seen;

		seen_init(&seen);
		seen_start(&seen, "POST", url(), NULL, 0);
		for (int i = 0; i < turns && seen.ends == 0; i++)
			turn();
		dr_http_cancel(&seen.transfer);
		assert_null(seen.transfer);
		dr_http_cancel(&seen.transfer);
		assert_int_equal(dr_http_running(http), 0);
		settle();
		assert_true(seen.ends == 0 || seen.result == DR_HTTP_OK);
		assert_true(peer.n_conns - peer.n_closed <= 1);
		seen_fini(&seen);
	}
}

/* Listens and accepts nobody: once its queue is full a connection is never made. */
static int
deaf_port(unsigned *port, int *queued, size_t n_queued)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	for (size_t i = 0; i < n_queued; i++) {
		queued[i] =
		    socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)!connect(queued[i], (struct sockaddr *)&at, sizeof at);
	}
	return fd;
}

/* libcurl closes such a socket on its own: its number must be free for the next one. */
static void
what_was_still_connecting_leaves_no_watch_behind(void **state)
{
	char nowhere[64];
	unsigned port;
	int queued[3], deaf = deaf_port(&port, queued, DR_N_ELEMENTS(queued));

	(void)state;
	snprintf(nowhere, sizeof nowhere, "http://127.0.0.1:%u/", port);
	peer_says(small, sizeof small - 1, KEEP);
	for (int round = 0; round < 6; round++) {
		struct seen stuck, after[2];
		struct dr_http_request request;

		seen_init(&stuck);
		request = seen_request(&stuck, "POST", nowhere);
		request.connect_timeout_ms = round % 2 == 0 ? 100 : 60000;
		stuck.transfer = dr_http_start(http, &request);
		if (round % 2 == 0) {
			turn_until(&stuck.ends, 1);
			assert_int_equal(stuck.result, DR_HTTP_REFUSED);
		} else {
			turn();
			dr_http_cancel(&stuck.transfer);
		}
		for (size_t i = 0; i < DR_N_ELEMENTS(after); i++) {
			seen_init(&after[i]);
			seen_start(&after[i], "POST", url(), NULL, 0);
		}
		for (size_t i = 0; i < DR_N_ELEMENTS(after); i++) {
			turn_until(&after[i].ends, 1);
			assert_int_equal(after[i].result, DR_HTTP_OK);
			seen_fini(&after[i]);
		}
		peer_drop_connections();
		settle();
		seen_fini(&stuck);
	}
	for (size_t i = 0; i < DR_N_ELEMENTS(queued); i++)
		close(queued[i]);
	close(deaf);
}

static void
cancel_of_a_paused_transfer_gives_nothing_of_it_to_the_next(void **state)
{
	(void)state;
	for (int round = 0; round < 5; round++) {
		struct seen seen;

		peer_says_big(KEEP);
		seen_init(&seen);
		seen.act = PAUSE_IN_HEAD;
		seen_start(&seen, "POST", url(), NULL, 0);
		turn_until(&seen.heads, 1);
		settle();
		dr_http_cancel(&seen.transfer);
		seen_fini(&seen);
		peer_says(small, sizeof small - 1, KEEP);
		peer.fill = 0;
		seen_init(&seen);
		seen_start(&seen, "POST", url(), NULL, 0);
		turn_until(&seen.ends, 1);
		assert_string_equal(seen.text.data, "ok");
		seen_fini(&seen);
	}
}

static void
what_still_runs_ends_silently_with_the_client(void **state)
{
	static const struct dr_http_options options = { .max_idle_connections = 1 };
	struct seen seen[3];

	(void)state;
	peer_says_big(KEEP);
	for (int i = 0; i < 3; i++) {
		seen_init(&seen[i]);
		seen[i].act = PAUSE_IN_BODY;
		seen_start(&seen[i], "POST", url(), NULL, 0);
		if (i < 2)
			turn_until(&seen[i].heads, 1);
	}
	dr_http_free(&http);
	assert_null(http);
	dr_http_free(&http);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(seen[i].ends, 0);
		seen_fini(&seen[i]);
	}
	http = dr_http_new(loop, &options);
}

static void
a_request_may_be_started_inside_a_callback(void **state)
{
	struct seen first, other;

	(void)state;
	peer_says(small, sizeof small - 1, KEEP);
	seen_init(&first);
	seen_init(&other);
	first.act = START_IN_BODY;
	first.other = &other;
	seen_start(&first, "POST", url(), NULL, 0);
	turn_until(&other.ends, 1);
	assert_int_equal(first.result, DR_HTTP_OK);
	assert_int_equal(other.result, DR_HTTP_OK);
	seen_fini(&first);
	seen_fini(&other);
}

/* ---- back-pressure ---- */

static void
a_paused_answer_stops_the_provider_and_goes_on_whole(void **state)
{
	struct seen seen;
	size_t sent;

	(void)state;
	peer_says_big(CLOSE);
	seen_init(&seen);
	seen.act = PAUSE_IN_HEAD;
	seen_start(&seen, "POST", url(), NULL, 0);
	turn_until(&seen.heads, 1);
	settle();
	sent = peer.fill_sent;
	settle();
	assert_int_equal(seen.bodies, 0);
	assert_int_equal(peer.fill_sent, sent); /* the socket buffers are full */
	assert_true(sent < BIG);
	seen.act = NOTHING;
	dr_http_resume(seen.transfer);
	assert_int_equal(seen.bodies, 0); /* never from inside the call */
	turn_until(&seen.ends, 1);
	assert_int_equal(seen.result, DR_HTTP_OK);
	assert_int_equal(seen.bytes, BIG);
	assert_true(seen.pattern_ok);
	seen_fini(&seen);
}

static void
each_byte_comes_once_however_often_it_is_paused(void **state)
{
	struct seen seen;
	unsigned rounds = 0;

	(void)state;
	peer_says_big(CLOSE);
	seen_init(&seen);
	seen.act = PAUSE_IN_BODY;
	seen_start(&seen, "POST", url(), NULL, 0);
	turn_until(&seen.heads, 1);
	while (seen.ends == 0) {
		unsigned before = seen.bodies;

		if (seen.transfer != NULL && seen.bodies > 0) {
			dr_http_resume(seen.transfer);
			if (rounds % 3 == 0) { /* idempotent; the last word counts */
				dr_http_pause(seen.transfer);
				dr_http_resume(seen.transfer);
				dr_http_resume(seen.transfer);
			}
			assert_int_equal(seen.bodies, before);
		}
		turn();
		rounds++;
	}
	assert_int_equal(seen.result, DR_HTTP_OK);
	assert_int_equal(seen.bytes, BIG);
	assert_true(seen.pattern_ok);
	seen_fini(&seen);
}

static void
a_cut_while_paused_is_told_after_the_bytes(void **state)
{
	static const char cut[] = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhello";
	struct seen seen;

	(void)state;
	peer_says(cut, sizeof cut - 1, RESET);
	seen_init(&seen);
	seen.act = PAUSE_IN_HEAD;
	seen_start(&seen, "POST", url(), NULL, 0);
	turn_until(&seen.heads, 1);
	settle();
	if (seen.ends == 0) {
		seen.act = NOTHING;
		dr_http_resume(seen.transfer);
		turn_until(&seen.ends, 1);
		assert_string_equal(seen.text.data, "hello");
	}
	assert_int_equal(seen.result, DR_HTTP_CUT);
	seen_fini(&seen);
}

/* ---- an answer before the request is whole ---- */

/* The body may go once on_head was called, though most of it has not been sent. */
static void
an_early_answer_lets_the_body_go_and_it_still_arrives(void **state)
{
	static const size_t sizes[] = { 10000, 60000, BIG };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(sizes); i++) {
		size_t n = sizes[i];
		char *bytes = dr_malloc(n);
		struct dr_http_piece pieces[2] = { { bytes, n / 2 },
			{ bytes + n / 2, n - n / 2 } };
		struct seen seen;

		for (size_t at = 0; at < n; at++)
			bytes[at] = pattern(at);
		peer_says(big_head, sizeof big_head - 1, KEEP);
		peer.fill = 0; /* the answer stays open */
		peer.early = true;
		peer.body_received = 0;
		seen_init(&seen);
		seen_start(&seen, "POST", url(), pieces, 2);
		turn_until(&seen.heads, 1);
		memset(bytes, 'X', n);
		free(bytes);
		memset(pieces, 0, sizeof pieces);
		while (peer.body_received < n)
			turn();
		for (unsigned c = 0; c < peer.n_conns; c++) {
			struct conn *conn = peer.conns[c];

			for (size_t at = 0; conn != NULL && at < n; at++)
				if (conn->in.data[conn->in.len - n + at] != pattern(at))
					fail_msg("byte %zu of %zu differs", at, n);
		}
		dr_http_cancel(&seen.transfer);
		settle();
		seen_fini(&seen);
	}
}

static void
an_early_refusal_of_a_large_body_is_an_answer(void **state)
{
	static const char refusal[] = "HTTP/1.1 413 Too Large\r\nConnection: close\r\n"
				      "Content-Length: 3\r\n\r\nbig";
	char *bytes = dr_calloc(1, BIG);
	const struct dr_http_piece piece = { bytes, BIG };
	struct seen seen;

	(void)state;
	peer_says(refusal, sizeof refusal - 1, KEEP);
	peer.early = true;
	seen_init(&seen);
	seen_start(&seen, "POST", url(), &piece, 1);
	turn_until(&seen.ends, 1);
	assert_int_equal(seen.result, DR_HTTP_OK);
	assert_int_equal(seen.status, 413);
	assert_string_equal(seen.text.data, "big");
	seen_fini(&seen);
	free(bytes);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_name_that_does_not_resolve_is_refused),
		T(a_slow_resolver_stops_neither_the_loop_nor_a_cancel),
		T(cancel_inside_a_callback_ends_it_and_closes_the_connection),
		T(cancel_is_safe_after_any_number_of_turns),
		T(what_was_still_connecting_leaves_no_watch_behind),
		T(cancel_of_a_paused_transfer_gives_nothing_of_it_to_the_next),
		T(what_still_runs_ends_silently_with_the_client),
		T(a_request_may_be_started_inside_a_callback),
		T(a_paused_answer_stops_the_provider_and_goes_on_whole),
		T(each_byte_comes_once_however_often_it_is_paused),
		T(a_cut_while_paused_is_told_after_the_bytes),
		T(an_early_answer_lets_the_body_go_and_it_still_arrives),
		T(an_early_refusal_of_a_large_body_is_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
