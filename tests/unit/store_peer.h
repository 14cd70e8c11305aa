/*
 * store_peer - a scripted Redis on a unix socket, in the test's own loop: it says what
 * the test wants, when it wants, and counts what it reads. Set up and torn down for
 * each test.
 */
#ifndef DR_TESTS_STORE_PEER_H
#define DR_TESTS_STORE_PEER_H

#include "store_fixture.h"

#include "base/strbuf.h"

#define FINE_INFO "role:master\r\nrun_id:f00d\r\nloading:0\r\nmaxmemory:0\r\n"

static struct peer {
	char dir[32], address[64];
	int listening, conn; /* -1: none */
	struct dr_io *accepts, *reads;
	struct dr_strbuf in;
	/* the script */
	const char *info;  /* what INFO is told; NULL: nothing, ever */
	const char *reply; /* what other commands are told; NULL: nothing */
	const char *auth;  /* what AUTH is told */
	/* the record */
	unsigned n_accepts, n_reads, n_commands;
	char last[16]; /* name of the last command but for the handshake's */
} peer;

static inline void
say(const char *bytes, size_t len)
{
	assert_int_equal(write(peer.conn, bytes, len), len);
}

static inline void
say_text(const char *text)
{
	say(text, strlen(text));
}

static inline void
hang_up(void)
{
	if (peer.conn < 0)
		return;
	dr_io_free(&peer.reads);
	close(peer.conn);
	peer.conn = -1;
	dr_strbuf_clear(&peer.in);
}

/* A counted piece, "*3\r\n" or "$5\r\n": its number, and past it. */
static inline const char *
counted(const char *at, size_t *n)
{
	char *end;

	*n = strtoul(at + 1, &end, 10);
	assert_int_equal(strncmp(end, "\r\n", 2), 0);
	return end + 2;
}

/* Length of the first whole command, and its name; 0 where it is not all in. */
static inline size_t
first_command(const char *bytes, size_t have, const char **name)
{
	const char *end = bytes + have, *at;
	size_t n_words, len;

	if (have == 0 || memchr(bytes, '\n', have) == NULL)
		return 0;
	assert_int_equal(bytes[0], '*');
	at = counted(bytes, &n_words);
	for (size_t i = 0; i < n_words; i++) {
		if (at >= end || memchr(at, '\n', (size_t)(end - at)) == NULL)
			return 0;
		assert_int_equal(*at, '$');
		at = counted(at, &len);
		if ((size_t)(end - at) < len + 2)
			return 0;
		if (i == 0)
			*name = at;
		assert_int_equal(strncmp(at + len, "\r\n", 2), 0);
		at += len + 2;
	}
	return (size_t)(at - bytes);
}

static inline void
answer_command(const char *name)
{
	char head[32];

	if (strncmp(name, "INFO\r", 5) == 0) {
		if (peer.info == NULL)
			return;
		if (peer.info[0] == '-') {
			say_text(peer.info);
			return;
		}
		snprintf(head, sizeof head, "$%zu\r\n", strlen(peer.info));
		say_text(head);
		say_text(peer.info);
		say_text("\r\n");
	} else if (strncmp(name, "AUTH\r", 5) == 0) {
		say_text(peer.auth);
	} else {
		peer.n_commands++;
		snprintf(peer.last, sizeof peer.last, "%.*s", (int)strcspn(name, "\r"),
		    name);
		if (peer.reply != NULL)
			say_text(peer.reply);
	}
}

static inline void
on_bytes(void *arg, unsigned bits)
{
	static char bytes[1 << 20];
	ssize_t n = read(peer.conn, bytes, sizeof bytes);
	const char *name = NULL;
	size_t len;

	(void)arg;
	(void)bits;
	if (n <= 0) {
		hang_up();
		return;
	}
	peer.n_reads++;
	dr_strbuf_add(&peer.in, bytes, (size_t)n);
	while ((len = first_command(peer.in.data, peer.in.len, &name)) > 0) {
		answer_command(name);
		dr_strbuf_consume(&peer.in, len);
	}
}

static inline void
on_accept(void *arg, unsigned bits)
{
	(void)arg;
	(void)bits;
	hang_up();
	peer.conn = accept(peer.listening, NULL, NULL);
	assert_true(peer.conn >= 0);
	peer.n_accepts++;
	peer.reads = dr_io_new(loop, peer.conn, on_bytes, NULL);
	dr_io_want(peer.reads, DR_IO_READ);
}

static inline int
peer_setup(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	loop_setup(state);
	peer = (struct peer){ .conn = -1, .info = FINE_INFO, .reply = "+PONG\r\n" };
	peer.auth = "+OK\r\n";
	dr_strbuf_init(&peer.in, 64 << 20);
	snprintf(peer.dir, sizeof peer.dir, "/tmp/dr-wire-XXXXXX");
	assert_non_null(mkdtemp(peer.dir));
	snprintf(peer.address, sizeof peer.address, "unix:%s/sock", peer.dir);
	snprintf(sa.sun_path, sizeof sa.sun_path, "%s/sock", peer.dir);
	peer.listening = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(peer.listening, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(listen(peer.listening, 16), 0);
	peer.accepts = dr_io_new(loop, peer.listening, on_accept, NULL);
	dr_io_want(peer.accepts, DR_IO_READ);
	return 0;
}

static inline int
peer_teardown(void **state)
{
	hang_up();
	dr_io_free(&peer.accepts);
	close(peer.listening);
	dr_strbuf_fini(&peer.in);
	unlink(peer.address + 5);
	assert_int_equal(rmdir(peer.dir), 0);
	return loop_teardown(state);
}

#endif
