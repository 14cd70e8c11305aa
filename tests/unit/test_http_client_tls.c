/*
 * http_client over TLS, against a private nginx on a port of its own: who is trusted,
 * and what HTTP/2 does. Skipped, with a line, where nginx or openssl is not installed.
 */
#include "http_client_fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define BIG ((size_t)4 << 20)

static char dir[] = "/tmp/dr-http-tls-XXXXXX";
static char ca_file[64], other_ca_file[64];
static unsigned tls_port;
static pid_t nginx;

static const char config[] =
    "daemon off; master_process off; pid %s/pid; error_log %s/error.log warn;\n"
    "events { worker_connections 500; }\n"
    "http {\n"
    "	access_log off; client_body_temp_path %s/b; proxy_temp_path %s/p;\n"
    "	fastcgi_temp_path %s/f; uwsgi_temp_path %s/u; scgi_temp_path %s/s;\n"
    "	keepalive_requests 10000;\n"
    "	server {\n"
    "		listen 127.0.0.1:%u ssl http2;\n"
    "		ssl_certificate %s/cert.pem; ssl_certificate_key %s/key.pem;\n"
    "		ssl_protocols TLSv1.2 TLSv1.3;\n"
    "		location / { client_max_body_size 0;\n"
    "			return 200 \"$server_protocol $connection\"; }\n"
    "		location /read { client_max_body_size 0;\n"
    "			proxy_pass http://unix:%s/sock:/; }\n"
    "		location /refuse { client_max_body_size 1k; return 200 no; }\n"
    "		location /big { alias %s/big; }\n"
    "		location /cut { return 444; }\n"
    "	}\n"
    "	server { listen unix:%s/sock; client_max_body_size 0;\n"
    "		location / { return 200 \"$http_content_length\"; }\n"
    "	}\n"
    "}\n";

static bool
installed(const char *program)
{
	char command[128];

	snprintf(command, sizeof command,
	    "PATH=$PATH:/usr/sbin:/sbin command -v %s >/dev/null 2>&1", program);
	return system(command) == 0;
}

static void
make_certificate(const char *key, const char *cert)
{
	char command[512];

	snprintf(command, sizeof command,
	    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
	    "-days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost "
	    "-keyout %s/%s -out %s/%s 2>/dev/null",
	    dir, key, dir, cert);
	assert_int_equal(system(command), 0);
}

static void
write_big_file(void)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof path, "%s/big", dir);
	file = fopen(path, "w");
	assert_non_null(file);
	for (size_t i = 0; i < BIG; i++)
		putc(pattern(i), file);
	fclose(file);
}

/* A port that was free a moment ago; nginx says so where it no longer is. */
static unsigned
free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	close(fd);
	return ntohs(at.sin_port);
}

static bool
answers(unsigned port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool yes;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	yes = connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
	close(fd);
	return yes;
}

static void
start_nginx(void)
{
	char path[64];
	FILE *file;

	tls_port = free_port();
	snprintf(path, sizeof path, "%s/nginx.conf", dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, config, dir, dir, dir, dir, dir, dir, dir, tls_port, dir, dir,
	    dir, dir, dir);
	fclose(file);
	nginx = fork();
	assert_true(nginx >= 0);
	if (nginx == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 1);
		dup2(null, 2);
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* however this program ends */
		setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
		execlp("nginx", "nginx", "-p", dir, "-c", path, (char *)NULL);
		_exit(127);
	}
	for (uint64_t end = dr_clock_ms() + DEADLINE_MS; !answers(tls_port);) {
		assert_int_equal(waitpid(nginx, NULL, WNOHANG), 0);
		dr_clock_update();
		assert_true(dr_clock_ms() < end);
		sched_yield();
	}
}

static int
group_set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(ca_file, sizeof ca_file, "%s/cert.pem", dir);
	snprintf(other_ca_file, sizeof other_ca_file, "%s/other.pem", dir);
	make_certificate("key.pem", "cert.pem");
	make_certificate("other-key.pem", "other.pem");
	write_big_file();
	dr_clock_update();
	start_nginx();
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int
group_tear_down(void **state)
{
	(void)state;
	if (nginx > 0) {
		kill(nginx, SIGTERM);
		waitpid(nginx, NULL, 0);
	}
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static void
start(struct seen *seen, const char *host, const char *path, const char *ca, bool http2)
{
	char url[128];
	struct dr_http_request request;

	snprintf(url, sizeof url, "https://%s:%u%s", host, tls_port, path);
	request = seen_request(seen, "GET", url);
	request.ca_file = ca;
	request.http2 = http2;
	seen->transfer = dr_http_start(http, &request);
}

static void
only_the_right_host_signed_by_the_right_ca_is_talked_to(void **state)
{
	const struct {
		const char *host, *ca;
		enum dr_http_result result;
	} rows[] = { { "localhost", ca_file, DR_HTTP_OK },
		{ "127.0.0.1", ca_file, DR_HTTP_REFUSED },
		{ "localhost", other_ca_file, DR_HTTP_REFUSED },
		{ "localhost", NULL, DR_HTTP_REFUSED },
		{ "localhost", "/nonexistent/ca.pem", DR_HTTP_REFUSED } };

	(void)state;
	for (int http2 = 0; http2 < 2; http2++) {
		for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
			struct seen seen;

			seen_init(&seen);
			start(&seen, rows[i].host, "/", rows[i].ca, http2);
			turn_until(&seen.ends, 1);
			if (seen.result != rows[i].result)
				print_message("row %zu: %s\n", i, seen.why);
			assert_int_equal(seen.result, rows[i].result);
			assert_int_equal(seen.heads, rows[i].result == DR_HTTP_OK);
			seen_fini(&seen);
		}
	}
}

static void
a_provider_without_tls_is_refused(void **state)
{
	char url[64];
	struct dr_http_request request;
	struct seen seen;

	(void)state;
	peer_says("hello", 5, CLOSE);
	snprintf(url, sizeof url, "https://localhost:%u/", peer.port);
	seen_init(&seen);
	request = seen_request(&seen, "GET", url);
	request.connect_timeout_ms =
	    200; /* the peer waits for a head that never comes */
	seen.transfer = dr_http_start(http, &request);
	turn_until(&seen.ends, 1);
	assert_int_equal(seen.result, DR_HTTP_REFUSED);
	seen_fini(&seen);
}

/* Calls over HTTP/1.1 to the same host must not take HTTP/2 away from the others. */
static void
http2_is_used_where_asked_for_and_shares_one_connection(void **state)
{
	char first[2][64] = { "", "" };

	(void)state;
	for (int i = 0; i < 40; i++) {
		bool http2 = i % 2 == 1;
		struct seen seen;

		seen_init(&seen);
		start(&seen, "localhost", "/", ca_file, http2);
		turn_until(&seen.ends, 1);
		assert_int_equal(seen.result, DR_HTTP_OK);
		assert_memory_equal(seen.text.data, http2 ? "HTTP/2.0" : "HTTP/1.1", 8);
		if (i < 2)
			snprintf(first[i], sizeof first[i], "%s", seen.text.data);
		assert_string_equal(seen.text.data, first[i % 2]);
		seen_fini(&seen);
	}
}

static void
a_burst_shares_one_http2_connection(void **state)
{
	struct seen seen[40];

	(void)state;
	for (int i = 0; i < 40; i++) {
		seen_init(&seen[i]);
		start(&seen[i], "localhost", "/", ca_file, true);
	}
	for (int i = 0; i < 40; i++) {
		turn_until(&seen[i].ends, 1);
		assert_int_equal(seen[i].result, DR_HTTP_OK);
		assert_string_equal(seen[i].text.data, seen[0].text.data);
	}
	for (int i = 0; i < 40; i++)
		seen_fini(&seen[i]);
}

static void
bodies_arrive_over_tls_whatever_their_size(void **state)
{
	static const size_t sizes[] = { 0, 100, 16384, 20000, 65535, 65536, 2 << 20 };
	char *bytes = dr_calloc(1, 2 << 20), url[64], length[32];

	(void)state;
	snprintf(url, sizeof url, "https://localhost:%u/read", tls_port);
	for (size_t i = 0; i < 2 * DR_N_ELEMENTS(sizes); i++) {
		size_t n = sizes[i / 2];
		const struct dr_http_piece pieces[] = { { bytes, n / 2 },
			{ bytes + n / 2, n - n / 2 } };
		struct seen seen;
		struct dr_http_request request;

		seen_init(&seen);
		request = seen_request(&seen, "POST", url);
		request.ca_file = ca_file;
		request.http2 = i % 2 == 1;
		request.body = pieces;
		request.n_body = 2;
		seen.transfer = dr_http_start(http, &request);
		turn_until(&seen.ends, 1);
		assert_string_equal(seen.why, "");
		snprintf(length, sizeof length, "%zu", n);
		assert_string_equal(seen.text.data, length);
		seen_fini(&seen);
	}
	free(bytes);
}

/* Such as a web server in front of the provider gives; the body is never read. */
static void
an_early_refusal_over_tls_is_an_answer(void **state)
{
	char *bytes = dr_calloc(1, BIG), url[64];
	const struct dr_http_piece piece = { bytes, BIG };

	(void)state;
	snprintf(url, sizeof url, "https://localhost:%u/refuse", tls_port);
	for (int http2 = 0; http2 < 2; http2++) {
		struct seen seen;
		struct dr_http_request request;

		seen_init(&seen);
		request = seen_request(&seen, "POST", url);
		request.ca_file = ca_file;
		request.http2 = http2;
		request.body = &piece;
		request.n_body = 1;
		seen.transfer = dr_http_start(http, &request);
		turn_until(&seen.ends, 1);
		assert_string_equal(seen.why, "");
		assert_int_equal(seen.status, 413);
		seen_fini(&seen);
	}
	free(bytes);
}

static void
a_paused_answer_over_tls_goes_on_whole(void **state)
{
	(void)state;
	for (int http2 = 0; http2 < 2; http2++) {
		struct seen seen;

		seen_init(&seen);
		seen.act = PAUSE_IN_BODY;
		start(&seen, "localhost", "/big", ca_file, http2);
		turn_until(&seen.bodies, 1);
		settle();
		assert_int_equal(seen.bodies, 1);
		while (seen.ends == 0) {
			dr_http_resume(seen.transfer);
			turn();
		}
		assert_string_equal(seen.why, "");
		assert_int_equal(seen.bytes, BIG);
		assert_true(seen.pattern_ok);
		seen_fini(&seen);
	}
}

static void
a_cancelled_stream_leaves_the_others_of_its_connection_alone(void **state)
{
	struct seen seen[10];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 10; i++) {
			seen_init(&seen[i]);
			seen[i].act = i % 2 ? CANCEL_IN_BODY : NOTHING;
			start(&seen[i], "localhost", "/big", ca_file, true);
		}
		for (int i = 0; i < 10; i += 2)
			turn_until(&seen[i].ends, 1);
		for (int i = 0; i < 10; i++) {
			dr_http_cancel(&seen[i].transfer);
			assert_int_equal(seen[i].ends, i % 2 == 0);
			assert_true(i % 2 == 1 || seen[i].result == DR_HTTP_OK);
			assert_true(seen[i].pattern_ok);
			seen_fini(&seen[i]);
		}
	}
}

static void
a_connection_closed_without_an_answer_is_a_reset(void **state)
{
	(void)state;
	for (int http2 = 0; http2 < 2; http2++) {
		struct seen seen;

		seen_init(&seen);
		start(&seen, "localhost", "/cut", ca_file, http2);
		turn_until(&seen.ends, 1);
		assert_int_equal(seen.result, DR_HTTP_RESET);
		seen_fini(&seen);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(only_the_right_host_signed_by_the_right_ca_is_talked_to),
		T(a_provider_without_tls_is_refused),
		T(http2_is_used_where_asked_for_and_shares_one_connection),
		T(a_burst_shares_one_http2_connection),
		T(bodies_arrive_over_tls_whatever_their_size),
		T(an_early_refusal_over_tls_is_an_answer),
		T(a_paused_answer_over_tls_goes_on_whole),
		T(a_cancelled_stream_leaves_the_others_of_its_connection_alone),
		T(a_connection_closed_without_an_answer_is_a_reset),
	};

	if (!installed("nginx") || !installed("openssl")) {
		puts("skipped: nginx or openssl is not installed");
		return 77;
	}
	return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
