/*
 * fcgi_server - the listening socket and the number of connections behind it.
 *
 * What it is for: accept as long as there is room, stop without spinning when there is
 * none, and go on when there is again. What it is not: it never looks at a connection's
 * bytes (fcgi_conn) and does not open the socket (fcgi_listen, or whoever started the
 * process).
 */
#include "io/fcgi_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/fcgi_internal.h"

#define ACCEPTS_A_TURN 64  /* more wait for the next turn, as does everybody else */
#define RETRY_MS       100 /* after EMFILE: who holds the descriptors is unknown */
#define SPARE_FDS      64  /* for logs, Redis, the spool, idle upstream connections */
#define FDS_A_REQUEST  2   /* the web server's connection and the provider's */
#define MOST_CONNS     (1U << 20)

/* ---- accepting ---- */

static bool
has_room(const struct dr_fcgi *server)
{
	return server->n_conns < server->options.max_connections;
}

/* Listen, or leave newcomers in the backlog for another process or a later turn. */
static void
set_listening(struct dr_fcgi *server)
{
	if (server->listener != NULL)
		dr_io_want(server->listener,
		    has_room(server) && !dr_timer_running(&server->retry) ? DR_IO_READ
									  : 0);
}

/* Errors of one connection that died in the backlog, or of nothing at all. */
static bool
is_harmless(int error)
{
	return error == EINTR || error == ECONNABORTED || error == EPROTO;
}

/*
 * Whether accept() waits is a property of the socket, which others hold too: systemd
 * makes it wait again whenever it runs anything for the unit (StandardInput=socket),
 * the `kill` of a reload too.
 */
static void
refuse_to_wait(const struct dr_fcgi *server)
{
	int on = 1;

	(void)ioctl(server->listen_fd, FIONBIO, &on);
}

/* False: there is nobody left to accept for now. */
static bool
accept_one(struct dr_fcgi *server)
{
	int fd = accept4(server->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		server->starved = false;
		dr_fcgi_conn_new(server, fd);
		return true;
	}
	if (is_harmless(errno))
		return true;
	if (errno != EAGAIN && errno != EWOULDBLOCK) {
		/* Out of descriptors or memory: the backlog stays readable, so look
		 * away. */
		if (!server->starved)
			dr_log_warn(fcgi, "accept: %s; %zu connections are open",
			    strerror(errno), server->n_conns);
		server->starved = true;
		dr_timer_start(&server->retry, RETRY_MS);
	}
	return false;
}

static void
on_newcomers(void *arg, unsigned bits)
{
	struct dr_fcgi *server = arg;

	(void)bits;
	DR_CHECK(server, DR_FCGI_MAGIC);
	refuse_to_wait(server);
	for (unsigned i = 0; i < ACCEPTS_A_TURN && has_room(server); i++)
		if (!accept_one(server))
			break;
	set_listening(server);
}

static void
on_retry(struct dr_timer *timer)
{
	set_listening(DR_CONTAINER_OF(timer, struct dr_fcgi, retry));
}

void
dr_fcgi_room(struct dr_fcgi *server)
{
	dr_timer_stop(&server->retry); /* a descriptor came back */
	set_listening(server);
}

/* ---- the server's life ---- */

static unsigned
connections_by_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1;
	if (limit.rlim_cur / FDS_A_REQUEST >= MOST_CONNS)
		return MOST_CONNS;
	if (limit.rlim_cur <= SPARE_FDS + FDS_A_REQUEST)
		return 1;
	return (unsigned)((limit.rlim_cur - SPARE_FDS) / FDS_A_REQUEST);
}

static bool
is_tcp(int fd)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof name;

	return getsockname(fd, (struct sockaddr *)&name, &len) == 0 &&
	       (name.ss_family == AF_INET || name.ss_family == AF_INET6);
}

/* Runs behind the end of every connection: those were deferred before it. */
static void
bury(struct dr_deferred *work)
{
	struct dr_fcgi *server = DR_CONTAINER_OF(work, struct dr_fcgi, bury);

	DR_CHECK(server, DR_FCGI_MAGIC);
	DR_ASSERT(dr_list_empty(&server->conns));
	free(server->input);
	DR_FREE(server);
}

struct dr_fcgi *
dr_fcgi_new(struct dr_loop *loop, int listen_fd, const struct dr_fcgi_options *options)
{
	struct dr_fcgi *server = dr_calloc(1, sizeof *server);

	server->magic = DR_FCGI_MAGIC;
	server->loop = loop;
	server->options = *options;
	if (server->options.max_connections == 0)
		server->options.max_connections = connections_by_fd_limit();
	server->listen_fd = listen_fd;
	server->tcp = is_tcp(listen_fd);
	server->input = dr_malloc(DR_FCGI_READ_BYTES);
	dr_list_init(&server->conns);
	dr_timer_init(&server->retry, loop, on_retry);
	dr_deferred_init(&server->bury, bury);
	server->listener = dr_io_new(loop, listen_fd, on_newcomers, server);
	set_listening(server);
	return server;
}

void
dr_fcgi_set_max_body(struct dr_fcgi *server, size_t max_body)
{
	DR_CHECK(server, DR_FCGI_MAGIC);
	server->options.max_body = max_body;
}

size_t
dr_fcgi_connections(const struct dr_fcgi *server)
{
	DR_CHECK(server, DR_FCGI_MAGIC);
	return server->n_conns;
}

/*
 * Once closed here, the kernel refuses newcomers (or another holder of the socket takes
 * them) instead of letting them wait for a process that will not come. Descriptor 0
 * stays taken, so that no later file becomes the standard input.
 */
static void
close_listener(struct dr_fcgi *server)
{
	int null;

	dr_timer_stop(&server->retry);
	dr_io_free(&server->listener);
	if (server->listen_fd == STDIN_FILENO) {
		null = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (null >= 0) {
			dup2(null, STDIN_FILENO);
			close(null);
		}
	} else if (server->listen_fd >= 0) {
		close(server->listen_fd);
	}
	server->listen_fd = -1;
}

void
dr_fcgi_stop_accepting(struct dr_fcgi *server)
{
	DR_CHECK(server, DR_FCGI_MAGIC);
	if (server->stopping)
		return;
	server->stopping = true;
	/* Who is in the backlog has been promised an answer. */
	refuse_to_wait(server);
	while (has_room(server) && accept_one(server))
		;
	close_listener(server);
	DR_LIST_FOREACH (node, &server->conns)
		dr_fcgi_conn_drain(DR_LIST_ENTRY(node, struct dr_fcgi_conn, node));
}

void
dr_fcgi_free(struct dr_fcgi **server)
{
	struct dr_fcgi *s = *server;

	if (s == NULL)
		return;
	DR_CHECK(s, DR_FCGI_MAGIC);
	*server = NULL;
	DR_ASSERT(!s->closed);
	s->closed = s->stopping = true;
	close_listener(s);
	/* Closing unlinks nothing before the end of the turn: the list stays as it is.
	 */
	DR_LIST_FOREACH (node, &s->conns)
		dr_fcgi_conn_lose(DR_LIST_ENTRY(node, struct dr_fcgi_conn, node));
	dr_loop_defer(s->loop, &s->bury);
}
