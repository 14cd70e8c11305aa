/*
 * derouterctl - everything that an operator does: accounts, keys, credit, providers,
 * models, traces.
 *
 * This file finds the verb and connects; the verbs are in ctl_*.c, one file per noun.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "gateway/start.h"
#include "operator/ctl.h"

#define DEFAULT_CONFIG "/etc/derouter/derouter.conf"
#define CONNECT_MS     5000

static const struct ctl_verb *const nouns[] = { ctl_account_verbs, ctl_key_verbs,
	ctl_provider_verbs, ctl_model_verbs, ctl_ledger_verbs, ctl_secrets_verbs,
	ctl_deposit_verbs, ctl_wallet_verbs, ctl_session_verbs };

int
ctl_fail(int status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("derouterctl: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	return status;
}

static void
print_usage(FILE *to)
{
	fputs(
	    "usage: derouterctl [-c FILE] [--json] NOUN VERB ...\n"
	    "  -c, --config FILE  the configuration (default: $DEROUTER_CONFIG, else " DEFAULT_CONFIG
	    ")\n"
	    "      --json         for scripts: one JSON document on standard output\n\n",
	    to);
	for (size_t i = 0; i < DR_N_ELEMENTS(nouns); i++)
		for (const struct ctl_verb *v = nouns[i]; v->noun != NULL; v++)
			fprintf(to, "  %s%s%s %s\n", v->noun,
			    v->verb[0] != '\0' ? " " : "", v->verb, v->usage);
}

static const struct ctl_verb *
find_verb(int argc, char **argv)
{
	for (size_t i = 0; i < DR_N_ELEMENTS(nouns); i++)
		for (const struct ctl_verb *v = nouns[i]; v->noun != NULL; v++) {
			if (strcmp(v->noun, argv[0]) != 0)
				continue;
			if (v->verb[0] == '\0' ||
			    (argc > 1 && strcmp(v->verb, argv[1]) == 0))
				return v;
		}
	return NULL;
}

static void
report(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "derouterctl: %s\n", line);
}

static bool
connect_store(struct ctl *ctl)
{
	const struct dr_settings *s = ctl->config->settings;
	struct dr_store_options options = { .address = s->redis_address,
		.username = s->redis_username,
		.password = s->redis_password,
		.database = (unsigned)s->redis_database,
		.timeout_ms = CONNECT_MS };

	ctl->store = dr_store_new(ctl->loop, &options);
	if (dr_store_wait_up(ctl->store, CONNECT_MS))
		return true;
	ctl_fail(CTL_FAILED, "Redis at %s is unreachable", s->redis_address);
	return false;
}

/* A script that keeps an export must not take half of it for the whole. Who reads no
 * further (`| head`) is told nothing. */
static int
end_output(int status)
{
	errno = 0;
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return status;
	if (errno == EPIPE)
		return status != CTL_OK ? status : CTL_FAILED;
	return ctl_fail(CTL_FAILED, "standard output: %s",
	    errno != 0 ? strerror(errno) : "not all of it could be written");
}

static int
run(struct ctl *ctl, const struct ctl_verb *verb, int argc, char **argv)
{
	int skip = verb->verb[0] == '\0' ? 1 : 2, status = CTL_FAILED;

	ctl->loop = dr_loop_new();
	dr_log_set_level(DR_LOG_ERROR);
	if (!verb->needs_store || connect_store(ctl))
		status = verb->run(ctl, argc - skip, argv + skip);
	dr_store_free(&ctl->store);
	dr_loop_free(&ctl->loop);
	return status;
}

/* Take the options that stand for all verbs out of argv, wherever they stand. False:
 * one lacks its value. */
static bool
common_options(int *argc, char **argv, const char **path, bool *json, bool *help)
{
	int n = 1;

	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--config") == 0) {
			if (++i == *argc)
				return false;
			*path = argv[i];
		} else if (strcmp(argv[i], "--json") == 0) {
			*json = true;
		} else if (strcmp(argv[i], "--help") == 0 ||
			   strcmp(argv[i], "-h") == 0) {
			*help = true;
		} else {
			argv[n++] = argv[i];
		}
	}
	*argc = n;
	return true;
}

int
main(int argc, char **argv)
{
	struct ctl ctl = { 0 };
	const char *path = getenv("DEROUTER_CONFIG");
	const struct ctl_verb *verb;
	bool help = false;
	int status;

	dr_start_guard(); /* credentials pass through here */
	if (!common_options(&argc, argv, &path, &ctl.json, &help))
		return ctl_fail(CTL_USAGE, "-c wants a file");
	if (help || argc < 2) {
		print_usage(help ? stdout : stderr);
		return help ? end_output(CTL_OK) : CTL_USAGE;
	}
	verb = find_verb(argc - 1, argv + 1);
	if (verb == NULL)
		return ctl_fail(CTL_USAGE,
		    "unknown command \"%s%s%s\" (derouterctl --help lists them)",
		    argv[1], argc > 2 ? " " : "", argc > 2 ? argv[2] : "");
	ctl.config =
	    dr_config_load(path != NULL ? path : DEFAULT_CONFIG, NULL, report, NULL);
	if (ctl.config == NULL)
		return CTL_FAILED;
	status = end_output(run(&ctl, verb, argc - 1, argv + 1));
	dr_config_unref(&ctl.config);
	return status;
}
