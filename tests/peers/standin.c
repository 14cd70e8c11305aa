/*
 * standin - the options, the listening socket, and the run of derouter-standin.
 *
 * What the stand-in is for stands in standin.h; how to use it in README.md.
 */
#include "standin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct options standin_options = { .name = "standin", .log_body = 0 };
struct counters standin_counters;

static int listener = -1;
static const char *unix_path; /* removed at the end */

static const char usage[] =
    "usage: derouter-standin --listen 127.0.0.1:PORT|unix:PATH [options]\n"
    "  --credential KEY  refuse other keys with 401; may be given several times\n"
    "  --log FILE        append one JSON line per request\n"
    "  --log-body N      with the first N bytes of each body\n"
    "  --name NAME       for [[fault ... at=NAME]]\n"
    "  --fault NAME[=N]  the fault of every request that names none\n"
    "  --strict          bodies must be JSON, messages need anthropic-version\n"
    "  --faults          list the faults and exit\n";

static void
on_accept(struct watch *watch, uint32_t events)
{
	(void)watch;
	(void)events;
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		int on = 1;

		if (fd < 0)
			return; /* none left, or out of descriptors: epoll asks again */
		if (unix_path == NULL)
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		standin_conn_new(fd);
	}
}

static int signals = -1;

static void
on_signal(struct watch *watch, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)watch;
	(void)events;
	if (read(signals, &info, sizeof info) == sizeof info)
		standin_loop_stop();
}

static bool
listen_unix(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof addr.sun_path)
		return false;
	memcpy(addr.sun_path, path, strlen(path));
	unlink(path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	unix_path = path;
	return bind(listener, (struct sockaddr *)&addr, sizeof addr) == 0 &&
	       listen(listener, 8192) == 0;
}

static bool
listen_tcp(const char *text)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	const char *colon = strrchr(text, ':');
	char host[64];
	int on = 1;

	if (colon == NULL || (size_t)(colon - text) >= sizeof host)
		return false;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (inet_pton(AF_INET, host, &addr.sin_addr) != 1)
		return false;
	addr.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	return bind(listener, (struct sockaddr *)&addr, sizeof addr) == 0 &&
	       listen(listener, 8192) == 0;
}

/* The first line on stdout: whoever started us with port 0 waits for it. */
static void
tell_address(const char *asked)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof addr;
	char host[INET_ADDRSTRLEN];

	if (unix_path != NULL) {
		printf("listening %s\n", asked);
	} else if (getsockname(listener, (struct sockaddr *)&addr, &len) == 0) {
		inet_ntop(AF_INET, &addr.sin_addr, host, sizeof host);
		printf("listening %s:%u\n", host, ntohs(addr.sin_port));
	}
	fflush(stdout);
}

static void
raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void
add_credential(const char *key)
{
	struct options *o = &standin_options;

	if (o->n_credentials < DR_N_ELEMENTS(o->credentials))
		o->credentials[o->n_credentials++] = key;
}

enum {
	OPT_LISTEN = 1,
	OPT_CREDENTIAL,
	OPT_LOG,
	OPT_LOG_BODY,
	OPT_NAME,
	OPT_FAULT,
	OPT_STRICT,
	OPT_FAULTS
};

static const struct option long_options[] = {
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "credential", required_argument, NULL, OPT_CREDENTIAL },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "log-body", required_argument, NULL, OPT_LOG_BODY },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "fault", required_argument, NULL, OPT_FAULT },
	{ "strict", no_argument, NULL, OPT_STRICT },
	{ "faults", no_argument, NULL, OPT_FAULTS },
	{ NULL, 0, NULL, 0 },
};

/* Fills standin_options; false: say how it is used. */
static bool
read_options(int argc, char **argv, const char **address, const char **log)
{
	for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
		switch (c) {
		case OPT_LISTEN:
			*address = optarg;
			break;
		case OPT_CREDENTIAL:
			add_credential(optarg);
			break;
		case OPT_LOG:
			*log = optarg;
			break;
		case OPT_LOG_BODY:
			standin_options.log_body = strtoll(optarg, NULL, 10);
			break;
		case OPT_NAME:
			standin_options.name = optarg;
			break;
		case OPT_FAULT:
			standin_options.fault = optarg;
			break;
		case OPT_STRICT:
			standin_options.strict = true;
			break;
		case OPT_FAULTS:
			standin_list_faults();
			exit(0);
		default:
			return false;
		}
	}
	return *address != NULL && optind == argc;
}

int
main(int argc, char **argv)
{
	struct watch accepting = { .ready = on_accept },
		     stopping = { .ready = on_signal };
	const char *address = NULL, *log = NULL;
	sigset_t set;

	if (!read_options(argc, argv, &address, &log)) {
		fputs(usage, stderr);
		return 2;
	}
	if (!standin_log_open(log)) {
		fprintf(stderr, "derouter-standin: %s: %s\n", log, strerror(errno));
		return 1;
	}
	if (!(strncmp(address, "unix:", 5) == 0 ? listen_unix(address + 5)
						: listen_tcp(address))) {
		fprintf(stderr, "derouter-standin: %s: %s\n", address, strerror(errno));
		return 1;
	}
	raise_fd_limit();
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);

	standin_loop_open();
	standin_loop_add(listener, EPOLLIN, &accepting);
	standin_loop_add(signals, EPOLLIN, &stopping);
	tell_address(address);
	standin_loop_run();

	standin_conn_close_all();
	close(listener);
	if (unix_path != NULL)
		unlink(unix_path);
	return 0;
}
