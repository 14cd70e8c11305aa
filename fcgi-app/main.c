/*
 * derouter-fcgi - the responder: options, configuration, socket, loop, signals.
 *
 * The listening socket is file descriptor 0 (spawn-fcgi, multiwatch, systemd,
 * mod_fcgid) unless the setting `listen` names one. SIGTERM and SIGINT drain, SIGHUP
 * reads the configuration anew; a bad file keeps the old one. -t checks the
 * configuration and exits.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "gateway/gateway.h"
#include "gateway/start.h"
#include "handlers/handlers.h"
#include "io/fcgi_conn.h"
#include "io/loop.h"

struct process {
	struct dr_start_source source;
	bool only_check;
	struct dr_loop *loop;
	struct dr_gateway *gateway;
};

static const char usage[] =
    "usage: derouter-fcgi [-c FILE] [--set NAME=VALUE]... [--listen ADDRESS] [-t]\n"
    "  -c, --config FILE     the configuration (default: $DEROUTER_CONFIG, else built-in values)\n"
    "      --set NAME=VALUE  one setting, wins over the file; repeatable\n"
    "      --listen ADDRESS  unix:PATH or HOST:PORT instead of file descriptor 0\n"
    "  -t, -n, --test        check the configuration, report every mistake, exit\n"
    "  -V, --version\n"
    "  -h, --help\n";

/* ---- signals ---- */

static void
on_drained(void *arg)
{
	struct process *p = arg;

	dr_loop_stop(p->loop);
}

static void
on_terminate(void *arg)
{
	struct process *p = arg;

	dr_gateway_drain(p->gateway, on_drained, p);
}

static void
on_hangup(void *arg)
{
	struct process *p = arg;
	struct dr_config *config = dr_start_reload(&p->source);

	if (config == NULL)
		return;
	dr_gateway_reload(p->gateway, config);
	dr_log_info(config, "configuration read anew");
}

/* ---- start ---- */

static void
read_options(struct process *p, int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL,
						     'c' },
		{ "set", required_argument, NULL, 's' },
		{ "listen", required_argument, NULL, 'l' },
		{ "test", no_argument, NULL, 't' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	static char listen_setting[512];
	int c;

	dr_start_source_init(&p->source, "derouter-fcgi");
	while ((c = getopt_long(argc, argv, "c:tnVh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			p->source.path = optarg;
			break;
		case 's':
			dr_start_assign(&p->source, optarg);
			break;
		case 'l':
			snprintf(
			    listen_setting, sizeof listen_setting, "listen=%s", optarg);
			dr_start_assign(&p->source, listen_setting);
			break;
		case 't':
		case 'n':
			p->only_check = true;
			break;
		case 'V':
			puts("derouter-fcgi " PACKAGE_VERSION);
			exit(0);
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "derouter-fcgi: unexpected argument \"%s\"\n%s",
		    argv[optind], usage);
		exit(2);
	}
}

/* Two descriptors per stream: take what the system allows, and say what that means. */
static void
raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	dr_log_info(main,
	    "derouter-fcgi " PACKAGE_VERSION
	    ": %llu file descriptors, about %llu streams",
	    (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_cur / 2);
}

static int
open_socket(const struct dr_settings *s)
{
	char err[256];
	int fd, accepting = 0;
	socklen_t len = sizeof accepting;

	if (s->listen[0] != '\0') {
		fd = dr_fcgi_listen(s->listen, (unsigned)s->listen_mode,
		    s->listen_group[0] != '\0' ? s->listen_group : NULL,
		    (int)s->listen_backlog, err, sizeof err);
		if (fd < 0)
			dr_log_error(main, "%s", err);
		return fd;
	}
	if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &len) !=
		0 ||
	    !accepting) {
		dr_log_error(main,
		    "file descriptor 0 is no listening socket: start me through "
		    "spawn-fcgi, or set `listen`");
		return -1;
	}
	return STDIN_FILENO;
}

static int
serve(struct process *p, struct dr_config *config)
{
	int fd = -1;

	if (dr_start_log(config->settings))
		fd = open_socket(config->settings);
	if (fd < 0) {
		dr_config_unref(&config);
		return 1;
	}
	raise_fd_limit();
	dr_start_guard();
	p->loop = dr_loop_new();
	p->gateway = dr_gateway_new(p->loop, config, fd, dr_handlers);
	if (p->gateway == NULL) {
		dr_loop_free(&p->loop);
		return 1;
	}
	dr_loop_on_signal(p->loop, SIGTERM, on_terminate, p);
	dr_loop_on_signal(p->loop, SIGINT, on_terminate, p);
	dr_loop_on_signal(p->loop, SIGHUP, on_hangup, p);
	dr_loop_run(p->loop);
	dr_gateway_free(&p->gateway);
	dr_loop_free(&p->loop);
	return 0;
}

int
main(int argc, char **argv)
{
	struct process p = { 0 };
	struct dr_config *config;

	dr_mem_tune();
	read_options(&p, argc, argv);
	if (p.only_check)
		return dr_start_test(&p.source);
	config = dr_start_load(&p.source);
	return config != NULL ? serve(&p, config) : 1;
}
