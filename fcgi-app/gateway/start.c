/*
 * start - see the header.
 */
#include "gateway/start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "base/mem.h"
#include "io/crypto.h"

/* ---- the configuration ---- */

static void
report(void *arg, const char *line)
{
	(void)arg;
	dr_log_error(config, "%s", line);
}

static void
report_plainly(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

void
dr_start_source_init(struct dr_start_source *source, const char *program)
{
	*source = (struct dr_start_source){ .program = program,
		.path = getenv("DEROUTER_CONFIG") };
}

void
dr_start_assign(struct dr_start_source *source, const char *text)
{
	const size_t most = DR_N_ELEMENTS(source->assignments) - 1;

	if (source->n_assignments == most) {
		fprintf(stderr, "%s: more than %zu --set\n", source->program, most);
		exit(2);
	}
	source->assignments[source->n_assignments++] = text;
}

struct dr_config *
dr_start_load(const struct dr_start_source *source)
{
	return dr_config_load(source->path, source->assignments, report_plainly, NULL);
}

struct dr_config *
dr_start_reload(const struct dr_start_source *source)
{
	struct dr_config *config =
	    dr_config_load(source->path, source->assignments, report, NULL);

	if (config == NULL)
		dr_log_error(
		    config, "reload refused: the old configuration stays in force");
	return config;
}

int
dr_start_test(const struct dr_start_source *source)
{
	struct dr_config *config = dr_start_load(source);
	struct dr_seal_key key;
	char err[256];
	bool ok;

	if (config == NULL)
		return 1;
	ok =
	    dr_seal_key_load(config->settings->secrets_key_file, &key, err, sizeof err);
	dr_wipe(&key, sizeof key);
	dr_config_unref(&config);
	if (ok)
		fprintf(stderr, "%s: the configuration is fine\n",
		    source->path != NULL ? source->path : "built-in values");
	else
		fprintf(stderr, "secrets_key_file: %s\n", err);
	return ok ? 0 : 1;
}

/* ---- log and store ---- */

bool
dr_start_log(const struct dr_settings *settings)
{
	int fd;

	if (settings->log_file[0] == '\0')
		return true;
	fd = open(settings->log_file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	if (fd < 0) {
		dr_log_error(
		    main, "log_file %s: %s", settings->log_file, strerror(errno));
		return false;
	}
	dr_log_set_fd(fd);
	return true;
}

void
dr_start_log_levels(const struct dr_settings *settings)
{
	dr_log_set_level(settings->log_level[0] == 'e'   ? DR_LOG_ERROR
			 : settings->log_level[0] == 'w' ? DR_LOG_WARN
							 : DR_LOG_INFO);
	(void)dr_log_set_areas(
	    settings->log_areas); /* checked when the settings were loaded */
}

struct dr_store *
dr_start_store(struct dr_loop *loop, const struct dr_settings *settings)
{
	struct dr_store_options options = {
		.address = settings->redis_address,
		.username = settings->redis_username,
		.password = settings->redis_password,
		.database = (unsigned)settings->redis_database,
		.timeout_ms = (unsigned)settings->store_timeout,
	};

	return dr_store_new(loop, &options);
}

void
dr_start_guard(void)
{
#ifndef DR_DEBUG /* the leak checker of debug builds needs to look inside */
	prctl(PR_SET_DUMPABLE, 0);
#endif
	signal(SIGPIPE, SIG_IGN);
}
