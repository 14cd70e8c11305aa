/*
 * log - see the header. One write(2) per line, so that lines of several processes on
 * one file (O_APPEND) do not mix.
 */
#include "base/log.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/strbuf.h"

#define LINE_MAX_BYTES 8192

static int log_fd = STDERR_FILENO;
static enum dr_log_level log_level = DR_LOG_INFO;
static uint32_t traced;

static const char *const level_names[] = { "error", "warn", "info", "trace" };
static const char *const area_names[] = {
#define X(name) #name,
	DR_LOG_AREAS(X)
#undef X
};

void
dr_log_set_fd(int fd)
{
	log_fd = fd;
}

void
dr_log_set_level(enum dr_log_level level)
{
	log_level = level;
}

static int
area_named(const char *name, size_t len)
{
	for (int i = 0; i < DR_N_AREAS; i++)
		if (strlen(area_names[i]) == len &&
		    memcmp(area_names[i], name, len) == 0)
			return i;
	return -1;
}

static bool
read_areas(const char *names, uint32_t *mask)
{
	*mask = 0;
	if (strcmp(names, "all") == 0) {
		*mask = UINT32_MAX;
		return true;
	}
	while (*names != '\0') {
		size_t len = strcspn(names, ", ");

		if (len > 0) {
			int area = area_named(names, len);

			if (area < 0)
				return false;
			*mask |= UINT32_C(1) << area;
			names += len;
		} else {
			names++;
		}
	}
	return true;
}

bool
dr_log_areas_known(const char *names)
{
	uint32_t mask;

	return read_areas(names, &mask);
}

bool
dr_log_set_areas(const char *names)
{
	uint32_t mask;

	if (!read_areas(names, &mask))
		return false;
	traced = mask;
	return true;
}

bool
dr_log_traces(enum dr_log_area area)
{
	return (traced >> area & 1) != 0;
}

/* Control bytes could forge a line or drive a terminal. */
static void
add_printable(struct dr_strbuf *line, const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < 0x20 || c == 0x7f)
			dr_strbuf_addf(line, "\\x%02x", c);
		else
			dr_strbuf_addc(line, (char)c);
	}
}

void
dr_log(enum dr_log_level level, enum dr_log_area area, const char *format, ...)
{
	char when[DR_CLOCK_TEXT], text[LINE_MAX_BYTES / 2];
	struct dr_strbuf line;
	va_list ap;
	ssize_t n;

	if (level > log_level && level != DR_LOG_TRACE)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	dr_clock_format(dr_clock_wall_ms(), when);
	dr_strbuf_init(&line, LINE_MAX_BYTES * 3);
	dr_strbuf_addf(&line, "%s [%d] %s %s: ", when, (int)getpid(),
	    level_names[level], area_names[area]);
	add_printable(&line, text);
	dr_strbuf_addc(&line, '\n');
	n = write(log_fd, line.data, line.len);
	(void)n; /* a log that cannot be written has nobody to tell */
	dr_strbuf_fini(&line);
}
