/*
 * start - see the header.
 */
#include "gateway/start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/log.h"

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
