/*
 * http_client against a scripted provider: what comes back, in which order, and what is
 * told when the provider breaks off, stalls, or does not speak HTTP.
 */
#include "http_client_fixture.h"

#include "base/limits.h"

#define SAYS(text, after) peer_says(text, sizeof(text) - 1, after)

static const char *
url(void)
{
	static char text[128];

	snprintf(text, sizeof text, "http://127.0.0.1:%u/v1/messages", peer.port);
	return text;
}

static void
exchange(
    struct seen *seen, const char *method, const struct dr_http_piece *body, size_t n)
{
	seen_start(seen, method, url(), body, n);
	assert_int_equal(seen->heads + seen->bodies + seen->ends, 0);
	turn_until(&seen->ends, 1);
}

static const char plain[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
			    "X-Empty:\r\nContent-Length: 5\r\n\r\nhello";
static const char chunked[] =
    "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX-Trailer: 1\r\n\r\n";
static const char to_close[] = "HTTP/1.1 200 OK\r\n\r\nhello";

static void
an_answer_arrives_whole(void **state)
{
	static const struct {
		const char *reply;
		enum after after;
		int status;
		int64_t length;
	} rows[] = { { plain, KEEP, 200, 5 }, { plain, CLOSE, 200, 5 },
		{ chunked, KEEP, 201, -1 }, { to_close, CLOSE, 200, -1 } };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct seen seen;

		seen_init(&seen);
		seen.ask = "CONTENT-type";
		peer_says(rows[i].reply, strlen(rows[i].reply), rows[i].after);
		exchange(&seen, "GET", NULL, 0);
		assert_string_equal(seen.why, "");
		assert_int_equal(seen.result, DR_HTTP_OK);
		assert_int_equal(seen.status, rows[i].status);
		assert_int_equal(seen.content_length, rows[i].length);
		assert_string_equal(seen.text.data, "hello");
		assert_string_equal(seen.header, i < 2 ? "text/plain" : "");
		seen_fini(&seen);
	}
}

/* The last byte of a chunked answer says nothing more: libcurl does not wait for it. */
static void
every_cut_of_an_answer_is_told_for_what_it_is(void **state)
{
	static const struct {
		const char *reply;
		size_t n;
	} rows[] = { { plain, sizeof plain - 1 }, { chunked, sizeof chunked - 2 } };

	(void)state;
	for (size_t r = 0; r < DR_N_ELEMENTS(rows); r++) {
		const char *reply = rows[r].reply;
		size_t head = (size_t)(strstr(reply, "\r\n\r\n") - reply) + 4;

		for (size_t cut = 0; cut < rows[r].n; cut++) {
			struct seen seen;

			seen_init(&seen);
			peer_says(reply, cut, CLOSE);
			exchange(&seen, "GET", NULL, 0);
			assert_int_equal(seen.heads, cut >= head);
			assert_int_equal(
			    seen.result, cut >= head ? DR_HTTP_CUT : DR_HTTP_RESET);
			seen_fini(&seen);
		}
	}
}

static void
a_reset_is_told_like_a_close(void **state)
{
	(void)state;
	for (size_t cut = 1; cut < sizeof plain - 1; cut += 20) {
		struct seen seen;

		seen_init(&seen);
		peer_says(plain, cut, RESET);
		exchange(&seen, "GET", NULL, 0);
		assert_int_equal(seen.result, seen.heads ? DR_HTTP_CUT : DR_HTTP_RESET);
		seen_fini(&seen);
	}
}

static void
what_is_not_http_is_a_bad_answer(void **state)
{
	static const char *const rows[] = { "SSH-2.0-OpenSSH_9.2\r\n\r\n",
		"hello, world, this is HTTP/0.9", "HTTP/9.9 200 OK\r\n\r\n",
		"HTTP/1.1 20x OK\r\n\r\n", "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
		("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
		 "content-length:  4\r\n\r\nhello"),
		"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 5 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nhello",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nhello" };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct seen seen;

		seen_init(&seen);
		peer_says(rows[i], strlen(rows[i]), CLOSE);
		exchange(&seen, "GET", NULL, 0);
		if (seen.result != DR_HTTP_BAD_ANSWER)
			print_message("row %zu: %d %s\n", i, seen.result, seen.why);
		assert_int_equal(seen.result, DR_HTTP_BAD_ANSWER);
		assert_int_equal(seen.heads, 0);
		seen_fini(&seen);
	}
}

static void
a_head_above_the_ceiling_is_a_bad_answer(void **state)
{
	struct dr_strbuf reply;

	(void)state;
	for (int one_line = 0; one_line < 2; one_line++) {
		struct seen seen;

		dr_strbuf_init(&reply, 4 << 20);
		dr_strbuf_adds(&reply, "HTTP/1.1 200 OK\r\n");
		if (one_line)
			dr_strbuf_adds(&reply, "X-Long: ");
		for (int i = 0; reply.len < DR_MAX_HEAD_BYTES + 100; i++)
			dr_strbuf_addf(&reply, one_line ? "%d," : "X-%d: y\r\n", i);
		dr_strbuf_adds(&reply, "\r\nContent-Length: 0\r\n\r\n");
		peer_says(reply.data, reply.len, KEEP);
		seen_init(&seen);
		exchange(&seen, "GET", NULL, 0);
		assert_int_equal(seen.result, DR_HTTP_BAD_ANSWER);
		assert_string_equal(seen.why, "the answer's head is too large");
		seen_fini(&seen);
		dr_strbuf_fini(&reply);
	}
}

static void
heads_before_the_final_one_are_skipped(void **state)
{
	struct seen seen;

	(void)state;
	SAYS("HTTP/1.1 100 Continue\r\n\r\n"
	     "HTTP/1.1 103 Early Hints\r\nX-A: early\r\nContent-Length: 9\r\n\r\n"
	     "HTTP/1.1 200 OK\r\nX-A: final\r\nContent-Length: 2\r\n\r\nok",
	    KEEP);
	seen_init(&seen);
	seen.ask = "x-a";
	exchange(&seen, "GET", NULL, 0);
	assert_int_equal(seen.result, DR_HTTP_OK);
	assert_int_equal(seen.status, 200);
	assert_string_equal(seen.header, "final");
	assert_string_equal(seen.text.data, "ok");
	seen_fini(&seen);
}

static void
redirects_and_errors_are_answers(void **state)
{
	struct seen seen;

	(void)state;
	SAYS("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", KEEP);
	seen_init(&seen);
	exchange(&seen, "POST", NULL, 0);
	assert_int_equal(seen.status, 302);
	seen_fini(&seen);
	SAYS("HTTP/1.1 529 Overloaded\r\nContent-Length: 4\r\n\r\nbusy", KEEP);
	seen_init(&seen);
	exchange(&seen, "POST", NULL, 0);
	assert_int_equal(seen.status, 529);
	assert_int_equal(seen.result, DR_HTTP_OK);
	assert_int_equal(peer.n_requests, 2);
	seen_fini(&seen);
}

/* Sizes on both sides of every way in which a body is handed to libcurl. */
static void
a_body_arrives_as_it_was_whatever_its_size_and_pieces(void **state)
{
	static const size_t sizes[] = { 0, 1, 1000, 16384, 16385, 65535, 65536, 65537,
		1 << 20, 3 << 20 };
	size_t max = 3 << 20;
	char *bytes = dr_malloc(max);

	(void)state;
	for (size_t i = 0; i < max; i++)
		bytes[i] = pattern(i);
	peer_says(plain, sizeof plain - 1, KEEP);
	for (size_t i = 0; i < DR_N_ELEMENTS(sizes); i++) {
		size_t n = sizes[i];
		const struct dr_http_piece one[] = { { bytes, n } };
		const struct dr_http_piece four[] = { { bytes, n / 3 }, { NULL, 0 },
			{ bytes + n / 3, n / 2 },
			{ bytes + n / 3 + n / 2, n - n / 3 - n / 2 } };

		for (int split = 0; split < 2; split++) {
			struct seen seen;

			seen_init(&seen);
			exchange(&seen, "POST", split ? four : one, split ? 4 : 1);
			assert_int_equal(seen.result, DR_HTTP_OK);
			assert_int_equal(peer.last_body.len, n);
			assert_memory_equal(peer.last_body.data, bytes, n);
			seen_fini(&seen);
		}
	}
	assert_int_equal(peer.n_conns, 1);
	free(bytes);
}

static void
the_request_has_the_lines_it_should_and_no_others(void **state)
{
	static const struct dr_http_piece body[] = { { "{}", 2 } };
	struct seen seen;

	(void)state;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	peer_says(plain, sizeof plain - 1, KEEP);
	seen_init(&seen);
	exchange(&seen, "POST", body, 1);
	assert_int_equal(seen.result, DR_HTTP_OK);
	assert_non_null(
	    strstr(peer.last_head, "POST /v1/messages HTTP/1.1\r\nHost: 127."));
	assert_non_null(
	    strstr(peer.last_head, "\r\ncontent-type: application/json\r\n"));
	assert_non_null(
	    strstr(peer.last_head, "\r\nx-api-key: secret-of-the-provider\r\n"));
	assert_non_null(strstr(peer.last_head, "\r\naccept-encoding: identity\r\n"));
	assert_non_null(strstr(peer.last_head, "\r\nContent-Length: 2\r\n"));
	assert_null(strcasestr(peer.last_head, "expect"));
	assert_null(strcasestr(peer.last_head, "user-agent"));
	seen_fini(&seen);
	unsetenv("http_proxy");
	unsetenv("all_proxy");
}

static void
a_refused_connection_is_told_with_a_reason(void **state)
{
	struct seen seen;
	char closed[64];
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0); /* bound, not listening */

	(void)state;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(
	    closed, sizeof closed, "http://user:pw@127.0.0.1:%u/", ntohs(at.sin_port));
	seen_init(&seen);
	seen_start(&seen, "GET", closed, NULL, 0);
	turn_until(&seen.ends, 1);
	assert_int_equal(seen.result, DR_HTTP_REFUSED);
	assert_null(strstr(seen.why, "pw"));
	seen_fini(&seen);
	seen_init(&seen);
	seen_start(&seen, "GET", "ftp://127.0.0.1/", NULL, 0);
	turn_until(&seen.ends, 1);
	assert_int_equal(seen.result, DR_HTTP_REFUSED);
	seen_fini(&seen);
	close(fd);
}

static void
a_hundred_requests_in_turn_use_one_connection(void **state)
{
	static const struct dr_http_piece body[] = { { "{\"model\":\"", 10 },
		{ "m\"}", 3 } };

	(void)state;
	peer_says(plain, sizeof plain - 1, KEEP);
	for (int i = 0; i < 100; i++) {
		struct seen seen;

		seen_init(&seen);
		exchange(&seen, i % 3 == 0 ? "GET" : "POST", body, i % 3 == 0 ? 0 : 2);
		assert_int_equal(seen.result, DR_HTTP_OK);
		assert_string_equal(seen.text.data, "hello");
		seen_fini(&seen);
	}
	assert_int_equal(peer.n_requests, 100);
	assert_int_equal(peer.n_conns, 1);
}

static void
requests_at_once_use_as_many_connections_and_then_reuse_them(void **state)
{
	struct seen seen[50];

	(void)state;
	peer_says(plain, sizeof plain - 1, KEEP);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 50; i++) {
			seen_init(&seen[i]);
			seen_start(&seen[i], "GET", url(), NULL, 0);
		}
		assert_int_equal(dr_http_running(http), 50);
		for (int i = 0; i < 50; i++) {
			turn_until(&seen[i].ends, 1);
			assert_int_equal(seen[i].result, DR_HTTP_OK);
			seen_fini(&seen[i]);
		}
	}
	assert_int_equal(peer.n_requests, 200);
	assert_int_equal(peer.n_conns, 50);
}

static void
a_kept_connection_that_died_is_replaced_unseen(void **state)
{
	char *bytes = dr_calloc(1, 100000);
	const struct dr_http_piece body[] = { { bytes, 50000 },
		{ bytes + 50000, 50000 } };

	(void)state;
	peer_says(plain, sizeof plain - 1, KEEP);
	for (int i = 0; i < 6; i++) {
		struct seen seen;

		seen_init(&seen);
		if (i == 3) /* dies under the request, not before it */
			peer_drop_connections();
		exchange(&seen, "POST", body, 2);
		assert_int_equal(seen.result, DR_HTTP_OK);
		assert_int_equal(peer.last_body.len, 100000);
		seen_fini(&seen);
		if (i != 2) {
			peer_drop_connections();
			settle();
		}
	}
	assert_int_equal(peer.n_requests, 6);
	free(bytes);
}

/* ... but not where the caller has something better: then nobody is connected to. */
static void
a_request_whose_kept_connection_died_is_sent_anew_only_where_it_may(void **state)
{
	const struct dr_http_piece body[] = { { "{}", 2 } };
	struct seen seen;

	(void)state;
	peer_says(plain, sizeof plain - 1, KEEP);
	seen_init(&seen);
	seen.no_resend = true;
	exchange(&seen, "POST", body, 1); /* over a fresh one: not asked */
	assert_int_equal(seen.result, DR_HTTP_OK);
	assert_int_equal(seen.resends_asked, 0);
	seen_fini(&seen);

	peer_says("", 0, RESET);
	seen_init(&seen);
	seen.no_resend = true;
	exchange(&seen, "POST", body, 1);
	assert_int_equal(seen.result, DR_HTTP_STALE);
	assert_string_equal(seen.why, "the kept connection broke before the answer");
	assert_int_equal(seen.resends_asked, 1);
	assert_int_equal(peer.n_requests, 2);
	assert_int_equal(peer.n_conns, 1);
	seen_fini(&seen);

	/* the next one's connection is fresh, and its end is that of the peer */
	seen_init(&seen);
	seen.no_resend = true;
	exchange(&seen, "POST", body, 1);
	assert_int_equal(seen.result, DR_HTTP_RESET);
	assert_int_equal(seen.resends_asked, 0);
	seen_fini(&seen);
}

/* A provider that breaks each connection off once it has the request sees it twice at
 * most. */
static void
a_request_is_sent_twice_at_most(void **state)
{
	char *bytes = dr_calloc(1, 100000);
	const struct dr_http_piece bodies[] = { { bytes, 100 }, { bytes, 100000 } };

	(void)state;
	for (size_t b = 0; b < DR_N_ELEMENTS(bodies); b++) {
		struct seen seen[8], last;
		unsigned before;

		peer_says(plain, sizeof plain - 1, KEEP);
		for (size_t i = 0; i < DR_N_ELEMENTS(seen); i++) {
			seen_init(&seen[i]);
			seen_start(&seen[i], "POST", url(), bodies, 1);
		}
		for (size_t i = 0; i < DR_N_ELEMENTS(seen); i++) {
			turn_until(&seen[i].ends, 1);
			seen_fini(&seen[i]);
		}
		before = peer.n_requests;
		peer_says("", 0, RESET);
		seen_init(&last);
		exchange(&last, "POST", &bodies[b], 1);
		assert_int_equal(last.result, DR_HTTP_RESET);
		assert_int_equal(peer.n_requests - before, 2);
		seen_fini(&last);
	}
	free(bytes);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(an_answer_arrives_whole),
		T(every_cut_of_an_answer_is_told_for_what_it_is),
		T(a_reset_is_told_like_a_close),
		T(what_is_not_http_is_a_bad_answer),
		T(a_head_above_the_ceiling_is_a_bad_answer),
		T(heads_before_the_final_one_are_skipped),
		T(redirects_and_errors_are_answers),
		T(a_body_arrives_as_it_was_whatever_its_size_and_pieces),
		T(the_request_has_the_lines_it_should_and_no_others),
		T(a_refused_connection_is_told_with_a_reason),
		T(a_hundred_requests_in_turn_use_one_connection),
		T(requests_at_once_use_as_many_connections_and_then_reuse_them),
		T(a_kept_connection_that_died_is_replaced_unseen),
		T(a_request_whose_kept_connection_died_is_sent_anew_only_where_it_may),
		T(a_request_is_sent_twice_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
