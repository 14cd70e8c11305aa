/*
 * derouter-watcher - one small daemon for what runs by the clock: options, start,
 * signals, the table of duties. What a duty does is in its own file.
 *
 * Two of them at once are harmless (watcher.h). SIGTERM and SIGINT stop it, SIGHUP
 * reads the configuration anew; a bad file keeps the old one. -t checks the
 * configuration and exits.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/start.h"
#include "operator/duties.h"

#define MAX_IDLE 64 /* connections kept to providers and nodes */

/* Every duty, one row each. */
static const struct dr_duty *const duties[] = {
	&dr_duty_beat,
	&dr_duty_probes,
	&dr_duty_sweeps,
	&dr_duty_deposits,
};

#define N_DUTIES DR_N_ELEMENTS(duties)

struct process {
	struct dr_watcher watcher;
	struct dr_start_source source;
	bool only_check;
	const char *only;        /* --once NAME; NULL: all */
	void *running[N_DUTIES]; /* what start() gave; NULL: not started */
};

static const char usage[] =
    "usage: derouter-watcher [-c FILE] [--set NAME=VALUE]... [--once [DUTY]] [-t]\n"
    "  -c, --config FILE     the configuration (default: $DEROUTER_CONFIG, else built-in values)\n"
    "      --set NAME=VALUE  one setting, wins over the file; repeatable\n"
    "      --once [DUTY]     do every duty, or this one, one time and exit: 0 when all went well\n"
    "      --replay          follow chains of which Redis knows nothing from their start_block, though it is old\n"
    "  -t, -n, --test        check the configuration, report every mistake, exit\n"
    "  -V, --version\n"
    "  -h, --help\n";

/* ---- duties ---- */

void
dr_watcher_round_over(struct dr_watcher *watcher, bool ok)
{
	DR_CHECK(watcher, DR_WATCHER_MAGIC);
	if (!watcher->once)
		return;
	DR_ASSERT(watcher->rounds_left > 0);
	watcher->failed = watcher->failed || !ok;
	if (--watcher->rounds_left == 0)
		dr_loop_stop(watcher->loop);
}

static bool
is_wanted(const struct process *p, size_t i)
{
	return p->only == NULL || strcmp(p->only, duties[i]->name) == 0;
}

static void
start_duties(struct process *p)
{
	for (size_t i = 0; i < N_DUTIES; i++)
		p->watcher.rounds_left += is_wanted(p, i);
	for (size_t i = 0; i < N_DUTIES; i++)
		if (is_wanted(p, i))
			p->running[i] = duties[i]->start(&p->watcher);
}

static void
stop_duties(struct process *p)
{
	for (size_t i = N_DUTIES; i-- > 0;)
		if (p->running[i] != NULL)
			duties[i]->stop(p->running[i]);
}

/* ---- signals ---- */

static void
on_terminate(void *arg)
{
	struct process *p = arg;

	dr_loop_stop(p->watcher.loop);
}

static void
on_hangup(void *arg)
{
	struct process *p = arg;
	struct dr_watcher *w = &p->watcher;
	struct dr_config *config = dr_start_reload(&p->source);
	const char *name;
	size_t pos = 0;

	if (config == NULL)
		return;
	while (dr_settings_differ(w->config->settings, config->settings, &pos, &name))
		dr_log_warn(config, "%s changed: in force only after a restart", name);
	dr_config_unref(&w->config);
	w->config = config;
	dr_start_log_levels(config->settings);
	for (size_t i = 0; i < N_DUTIES; i++)
		if (p->running[i] != NULL && duties[i]->reload != NULL)
			duties[i]->reload(p->running[i]);
	dr_log_info(config, "configuration read anew");
}

/* ---- start and end ---- */

static void
say_help(FILE *to, int status)
{
	fputs(usage, to);
	fputs("duties:", to);
	for (size_t i = 0; i < N_DUTIES; i++)
		fprintf(to, " %s", duties[i]->name);
	fputc('\n', to);
	exit(status);
}

static void
set_only(struct process *p, const char *name)
{
	p->only = name;
	for (size_t i = 0; i < N_DUTIES; i++)
		if (is_wanted(p, i))
			return;
	fprintf(stderr, "derouter-watcher: --once: there is no duty \"%s\"\n", name);
	say_help(stderr, 2);
}

static void
read_options(struct process *p, int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL,
						     'c' },
		{ "set", required_argument, NULL, 's' },
		{ "once", no_argument, NULL, 'o' },
		{ "replay", no_argument, NULL, 'r' },
		{ "test", no_argument, NULL, 't' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	int c;

	dr_start_source_init(&p->source, "derouter-watcher");
	while ((c = getopt_long(argc, argv, "c:tnVh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			p->source.path = optarg;
			break;
		case 's':
			dr_start_assign(&p->source, optarg);
			break;
		case 'o':
			p->watcher.once = true;
			break;
		case 'r':
			p->watcher.replay = true;
			break;
		case 't':
		case 'n':
			p->only_check = true;
			break;
		case 'V':
			puts("derouter-watcher " PACKAGE_VERSION);
			exit(0);
		case 'h':
			say_help(stdout, 0);
			break;
		default:
			say_help(stderr, 2);
		}
	}
	if (p->watcher.once && optind < argc)
		set_only(p, argv[optind++]);
	if (optind < argc) {
		fprintf(stderr, "derouter-watcher: unexpected argument \"%s\"\n",
		    argv[optind]);
		say_help(stderr, 2);
	}
}

/* What is under way in Redis may still land. */
static void
let_calls_land(struct dr_watcher *w)
{
	uint64_t end_ms = dr_clock_ms() + (uint64_t)w->config->settings->store_timeout;

	while (dr_store_in_flight(w->store) > 0 && dr_clock_ms() < end_ms)
		dr_loop_turn(w->loop);
}

static bool
open_parts(struct dr_watcher *w)
{
	const struct dr_settings *s = w->config->settings;
	struct dr_http_options http = { .max_idle_connections = MAX_IDLE };
	char err[256];

	if (!dr_start_log(s))
		return false;
	dr_start_log_levels(s);
	if (!dr_seal_key_load(s->secrets_key_file, &w->seal_key, err, sizeof err)) {
		dr_log_error(watcher, "%s", err);
		return false;
	}
	w->loop = dr_loop_new();
	w->store = dr_start_store(w->loop, s);
	w->http = dr_http_new(w->loop, &http);
	return true;
}

static void
run(struct process *p)
{
	struct dr_watcher *w = &p->watcher;
	unsigned patience_ms = (unsigned)w->config->settings->store_timeout;

	dr_loop_on_signal(w->loop, SIGTERM, on_terminate, p);
	dr_loop_on_signal(w->loop, SIGINT, on_terminate, p);
	dr_loop_on_signal(w->loop, SIGHUP, on_hangup, p);
	if (!dr_store_wait_up(w->store, patience_ms) && w->once) {
		dr_log_error(watcher, "Redis at %s is unreachable",
		    w->config->settings->redis_address);
		w->failed = true;
		return;
	}
	dr_log_info(watcher, "derouter-watcher " PACKAGE_VERSION " begins");
	start_duties(p);
	if (!w->once || w->rounds_left > 0)
		dr_loop_run(w->loop);
	stop_duties(p);
	let_calls_land(w);
	dr_log_info(watcher, "derouter-watcher ends");
}

int
main(int argc, char **argv)
{
	static struct process p = { .watcher = { .magic = DR_WATCHER_MAGIC } };
	struct dr_watcher *w = &p.watcher;

	dr_mem_tune();
	read_options(&p, argc, argv);
	if (p.only_check)
		return dr_start_test(&p.source);
	w->config = dr_start_load(&p.source);
	if (w->config == NULL)
		return 1;
	dr_start_guard();
	if (open_parts(w))
		run(&p);
	else
		w->failed = true;
	dr_http_free(&w->http);
	dr_store_free(&w->store);
	dr_loop_free(&w->loop);
	dr_config_unref(&w->config);
	dr_wipe(&w->seal_key, sizeof w->seal_key);
	return w->failed ? 1 : 0;
}
