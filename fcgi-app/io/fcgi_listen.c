/*
 * fcgi_listen - opens the socket the web server connects to.
 *
 * What it is for: a path or a host and port become a listening descriptor, or one line
 * that says what to change. What it is not: nothing here accepts (fcgi_server); where a
 * spawner hands over a socket as descriptor 0, none of this runs. It may block (names
 * are looked up), so it is called before the loop starts.
 */
#include "io/fcgi_conn.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_FLAGS (SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)

/* Everything a failure wants to name. */
struct attempt {
	const char *address; /* as the operator wrote it */
	char *err;
	size_t err_size;
};

static int
fail(const struct attempt *attempt, const char *what, const char *why)
{
	snprintf(attempt->err, attempt->err_size, "%s: %s%s%s", attempt->address, what,
	    why != NULL ? ": " : "", why != NULL ? why : "");
	return -1;
}

/* ---- unix:PATH ---- */

/*
 * Make room at the path. Only a socket on which nobody answers is removed: a plain file
 * there is a slip in the configuration, a live socket is another gateway.
 */
static int
remove_stale(const struct attempt *attempt, const struct sockaddr_un *name)
{
	struct stat st;
	int fd, rc, why;

	if (lstat(name->sun_path, &st) != 0)
		return errno == ENOENT ? 0
				       : fail(attempt, "cannot look", strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return fail(attempt, "exists and is not a socket", NULL);
	fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
	if (fd < 0)
		return fail(attempt, "no socket", strerror(errno));
	rc = connect(fd, (const struct sockaddr *)name, sizeof *name);
	why = errno;
	close(fd);
	if (rc == 0 || why == EAGAIN) /* EAGAIN: somebody's backlog is full */
		return fail(attempt, "another process is listening there", NULL);
	if (why != ECONNREFUSED)
		return fail(
		    attempt, "cannot tell whether the socket is in use", strerror(why));
	if (unlink(name->sun_path) != 0 && errno != ENOENT)
		return fail(attempt, "cannot remove the stale socket", strerror(errno));
	return 0;
}

/* A group by name or number. */
static int
find_group(const char *text, gid_t *gid)
{
	const struct group *group = getgrnam(text);
	unsigned long number;
	char *end;

	if (group != NULL) {
		*gid = group->gr_gid;
		return 0;
	}
	if (text[0] < '0' || text[0] > '9')
		return -1;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (*end != '\0' || errno != 0 || number >= (gid_t)-1)
		return -1;
	*gid = (gid_t)number;
	return 0;
}

/* Owner and mode are set before listen(): until then every connect is refused. */
static int
open_to(
    const struct attempt *attempt, const char *path, unsigned mode, const char *group)
{
	gid_t gid;

	if (group != NULL && find_group(group, &gid) != 0)
		return fail(attempt, "no such group", group);
	if (group != NULL && chown(path, (uid_t)-1, gid) != 0)
		return fail(
		    attempt, "cannot give the socket to its group", strerror(errno));
	if (chmod(path, mode) != 0)
		return fail(attempt, "cannot set the socket's mode", strerror(errno));
	return 0;
}

static int
listen_unix(const struct attempt *attempt, const char *path, unsigned mode,
    const char *group, int backlog)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd;

	if (path[0] == '\0')
		return fail(attempt, "want unix:/path/of/the/socket", NULL);
	if (strlen(path) >= sizeof name.sun_path)
		return fail(
		    attempt, "the path of a socket has at most 107 bytes", NULL);
	memcpy(name.sun_path, path, strlen(path) + 1);
	if (remove_stale(attempt, &name) != 0)
		return -1;
	fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
	if (fd < 0)
		return fail(attempt, "no socket", strerror(errno));
	if (bind(fd, (const struct sockaddr *)&name, sizeof name) != 0) {
		fail(attempt, "cannot bind", strerror(errno));
		close(fd);
		return -1;
	}
	if (open_to(attempt, path, mode, group) == 0) {
		if (listen(fd, backlog) == 0)
			return fd;
		fail(attempt, "cannot listen", strerror(errno));
	}
	unlink(path);
	close(fd);
	return -1;
}

/* ---- HOST:PORT ---- */

/* Cut "host:port" or "[::1]:port" in two; no host, or "*", means every address. */
static int
split(const struct attempt *attempt, char *host, size_t host_size, const char **port)
{
	const char *address = attempt->address, *colon = strrchr(address, ':');
	size_t len;

	if (colon == NULL || colon[1] == '\0')
		return fail(attempt, "want unix:/path or host:port", NULL);
	*port = colon + 1;
	if (strspn(*port, "0123456789") != strlen(*port) || strlen(*port) > 5 ||
	    strtoul(*port, NULL, 10) > 65535)
		return fail(attempt, "the port is not a number up to 65535", *port);
	len = (size_t)(colon - address);
	if (address[0] == '[') {
		if (len < 2 || address[len - 1] != ']')
			return fail(attempt, "want [address]:port", NULL);
		address++;
		len -= 2;
	} else if (memchr(address, ':', len) != NULL) {
		return fail(
		    attempt, "an IPv6 address stands in brackets: [::1]:9000", NULL);
	}
	if (len >= host_size)
		return fail(attempt, "the host's name is too long", NULL);
	memcpy(host, address, len);
	host[len] = '\0';
	if (strcmp(host, "*") == 0)
		host[0] = '\0';
	return 0;
}

/* -1 with errno: the caller tries the host's next address. */
static int
listen_on(const struct addrinfo *at, int backlog)
{
	int fd = socket(at->ai_family, SOCKET_FLAGS, at->ai_protocol);
	int on = 1, why;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	    bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, backlog) == 0)
		return fd;
	why = errno;
	close(fd);
	errno = why;
	return -1;
}

static int
listen_tcp(const struct attempt *attempt, int backlog)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	const char *port;
	char host[256];
	int fd = -1, rc;

	if (split(attempt, host, sizeof host, &port) != 0)
		return -1;
	rc = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &found);
	if (rc != 0)
		return fail(attempt, "cannot find the host", gai_strerror(rc));
	for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
		fd = listen_on(at, backlog);
	if (fd < 0)
		fail(attempt, "cannot listen", strerror(errno));
	freeaddrinfo(found);
	return fd;
}

int
dr_fcgi_listen(const char *address, unsigned mode, const char *group, int backlog,
    char *err, size_t err_size)
{
	struct attempt attempt = { address, err, err_size };

	if (strncmp(address, "unix:", 5) == 0)
		return listen_unix(&attempt, address + 5, mode, group, backlog);
	return listen_tcp(&attempt, backlog);
}
