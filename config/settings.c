/*
 * settings - see the header. Lays four layers over each other: defaults, file, command
 * line, environment. Each value is judged in the layer where it stands, so that a
 * mistake in the file is told even where the environment covers it. Relies on conf_file
 * for the file's syntax, on setting_value for kinds and units, on settings_check for
 * what must fit together.
 */
#include "config/settings.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/conf_file.h"
#include "config/setting_value.h"
#include "config/settings_check.h"

#define ENV_PREFIX "DEROUTER_"

const struct dr_setting_row dr_setting_rows[] = {
#define DR_SETTING_IS_RELOAD  false
#define DR_SETTING_IS_RESTART true
#define DR_SETTING(name, KIND, def, least, most, reload, text)                         \
	{ #name, DR_KIND_##KIND, def, least, most, DR_SETTING_IS_##reload, text,       \
		offsetof(struct dr_settings, name) },
#include "config/settings.def"
#undef DR_SETTING
};
const size_t dr_n_setting_rows = DR_N_ELEMENTS(dr_setting_rows);

/* ---- members by row ---- */

static char **
text_of(const struct dr_settings *s, const struct dr_setting_row *row)
{
	DR_ASSERT(dr_setting_is_text(row));
	return (char **)(void *)((char *)(uintptr_t)s + row->offset);
}

static int64_t
number_of(const struct dr_settings *s, const struct dr_setting_row *row)
{
	const char *member = (const char *)s + row->offset;

	if (row->kind == DR_KIND_SWITCH)
		return *(const bool *)(const void *)member;
	return *(const int64_t *)(const void *)member;
}

static void
set_number(struct dr_settings *s, const struct dr_setting_row *row, int64_t value)
{
	char *member = (char *)s + row->offset;

	if (row->kind == DR_KIND_SWITCH)
		*(bool *)(void *)member = value != 0;
	else
		*(int64_t *)(void *)member = value;
}

/* Every text, since a secret may have been put into the wrong setting. */
static void
drop_text(char **text)
{
	if (*text != NULL)
		dr_wipe(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

/* ---- one assignment, from whichever layer ---- */

/* Some fifty names, looked up once per line: a search from the front is enough. */
static const struct dr_setting_row *
find_row(const char *name)
{
	for (size_t i = 0; i < dr_n_setting_rows; i++)
		if (strcmp(dr_setting_rows[i].name, name) == 0)
			return &dr_setting_rows[i];
	return NULL;
}

/* The value below is gone now; where this one came from is kept for later checks. */
static void
keep(struct dr_setting_load *load, const struct dr_setting_row *row, const char *text,
    int64_t number, const char *where)
{
	size_t i = (size_t)(row - dr_setting_rows);

	if (dr_setting_is_text(row)) {
		drop_text(text_of(load->settings, row));
		*text_of(load->settings, row) = dr_strdup(text);
	} else {
		set_number(load->settings, row, number);
	}
	free(load->where[i]);
	load->where[i] = where != NULL ? dr_strdup(where) : NULL;
}

/* A wrong value leaves the one below it in place, so that later checks still make
 * sense. */
static void
assign(struct dr_setting_load *load, const struct dr_setting_row *row, const char *text,
    const char *where)
{
	struct dr_strbuf problem;
	int64_t number = 0;

	dr_strbuf_init(&problem, 1024);
	if (dr_setting_parse(row, text, &number, &problem))
		keep(load, row, text, number, where);
	else
		dr_setting_mistake(load, where, row->name, "%s", problem.data);
	dr_strbuf_fini(&problem);
}

void
dr_setting_mistake(struct dr_setting_load *load, const char *where, const char *name,
    const char *format, ...)
{
	struct dr_strbuf line;
	va_list ap;

	dr_strbuf_init(&line, 8192);
	dr_strbuf_addf(&line, "%s: ", where != NULL ? where : "built-in value");
	if (name != NULL)
		dr_strbuf_addf(&line, "%s: ", name);
	va_start(ap, format);
	dr_strbuf_addv(&line, format, ap);
	va_end(ap);
	load->failed = true;
	load->report(load->report_arg, line.data);
	dr_strbuf_fini(&line);
}

/* ---- the layers ---- */

/* Defaults go through the same parser: a row that contradicts itself stops every start.
 */
static void
take_defaults(struct dr_setting_load *load)
{
	for (size_t i = 0; i < dr_n_setting_rows; i++)
		assign(load, &dr_setting_rows[i], dr_setting_rows[i].def, NULL);
	DR_ASSERT(!load->failed); /* settings.def contradicts itself */
}

static void
on_assignment(void *arg, unsigned line, const char *name, const char *value)
{
	struct dr_setting_load *load = arg;
	const struct dr_setting_row *row = find_row(name);
	char where[600];

	snprintf(where, sizeof where, "%.512s:%u", load->path, line);
	if (row == NULL) {
		dr_setting_mistake(load, where, name, "unknown setting");
		return;
	}
	if (load->first_line[row - dr_setting_rows] != 0) {
		dr_setting_mistake(load, where, name, "stands in line %u already",
		    load->first_line[row - dr_setting_rows]);
		return;
	}
	load->first_line[row - dr_setting_rows] = line;
	assign(load, row, value, where);
}

static void
on_mistake(void *arg, unsigned line, const char *what)
{
	struct dr_setting_load *load = arg;
	char where[600];

	if (line > 0)
		snprintf(where, sizeof where, "%.512s:%u", load->path, line);
	else
		snprintf(where, sizeof where, "%.512s", load->path);
	dr_setting_mistake(load, where, NULL, "%s", what);
}

/* Of two assignments to one name the later one wins, so that a script can add its own.
 */
static void
take_command_line(struct dr_setting_load *load, const char *const *assignments)
{
	for (; assignments != NULL && *assignments != NULL; assignments++) {
		size_t len = strcspn(*assignments, "=");
		char *name = dr_strndup(*assignments, len);
		const struct dr_setting_row *row = find_row(name);

		if ((*assignments)[len] != '=')
			dr_setting_mistake(
			    load, "command line", name, "expected NAME=VALUE");
		else if (row == NULL)
			dr_setting_mistake(
			    load, "command line", name, "unknown setting");
		else
			assign(load, row, *assignments + len + 1, "command line");
		free(name);
	}
}

/* DEROUTER_STORE_TIMEOUT is store_timeout; lower case letters in the variable fit
 * nothing. */
static const struct dr_setting_row *
row_of_variable(const char *variable, size_t len)
{
	size_t prefix = strlen(ENV_PREFIX), i;
	char name[64];

	if (len - prefix >= sizeof name)
		return NULL;
	for (i = prefix; i < len; i++) {
		if (islower((unsigned char)variable[i]))
			return NULL;
		name[i - prefix] = (char)tolower((unsigned char)variable[i]);
	}
	name[i - prefix] = '\0';
	return find_row(name);
}

/* A misspelt variable would otherwise be ignored in silence: it is a mistake, too. */
static void
take_environment(struct dr_setting_load *load)
{
	for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
		size_t len = strcspn(*entry, "=");
		const struct dr_setting_row *row;
		char variable[128];

		if (strncmp(*entry, ENV_PREFIX, strlen(ENV_PREFIX)) != 0)
			continue;
		snprintf(variable, sizeof variable, "%.*s",
		    (int)(len < 127 ? len : 127), *entry);
		if (strcmp(variable, ENV_PREFIX "CONFIG") == 0)
			continue; /* names the file; the programs read it themselves */
		row = row_of_variable(*entry, len);
		if (row == NULL)
			dr_setting_mistake(load, variable, NULL,
			    "no setting belongs to this environment variable");
		else
			assign(load, row, (*entry)[len] == '=' ? *entry + len + 1 : "",
			    variable);
	}
}

/* Paths in a configuration mean the same wherever the program was started. */
static void
join_paths(struct dr_setting_load *load)
{
	const char *slash = load->path != NULL ? strrchr(load->path, '/') : NULL;

	for (size_t i = 0; i < dr_n_setting_rows && slash != NULL; i++) {
		const struct dr_setting_row *row = &dr_setting_rows[i];
		struct dr_strbuf joined;
		char **text;

		if (row->kind != DR_KIND_PATH)
			continue;
		text = text_of(load->settings, row);
		if (**text == '\0' || **text == '/')
			continue;
		dr_strbuf_init(&joined, 4 * DR_MAX_SETTING_VALUE);
		dr_strbuf_add(&joined, load->path, (size_t)(slash - load->path) + 1);
		dr_strbuf_adds(&joined, *text);
		free(*text);
		*text = dr_strbuf_take(&joined);
	}
}

struct dr_settings *
dr_settings_gather(const char *path, const char *const *assignments, bool *whole,
    dr_report *report, void *report_arg)
{
	static const struct dr_conf_events events = { on_assignment, on_mistake };
	struct dr_setting_load load = { .path = path,
		.settings = dr_calloc(1, sizeof(struct dr_settings)),
		.where = dr_calloc(dr_n_setting_rows, sizeof(char *)),
		.first_line = dr_calloc(dr_n_setting_rows, sizeof(unsigned)),
		.report = report,
		.report_arg = report_arg };

	take_defaults(&load);
	if (path != NULL)
		dr_conf_read(path, &events, &load);
	take_command_line(&load, assignments);
	take_environment(&load);
	join_paths(&load);
	dr_settings_check(&load);
	for (size_t i = 0; i < dr_n_setting_rows; i++)
		free(load.where[i]);
	free(load.where);
	free(load.first_line);
	*whole = !load.failed;
	return load.settings;
}

bool
dr_settings_load(const char *path, const char *const *assignments,
    struct dr_settings **out, dr_report *report, void *report_arg)
{
	bool whole;
	struct dr_settings *settings =
	    dr_settings_gather(path, assignments, &whole, report, report_arg);

	if (whole)
		*out = settings;
	else
		dr_settings_free(&settings);
	return whole;
}

void
dr_settings_free(struct dr_settings **settings)
{
	if (*settings == NULL)
		return;
	for (size_t i = 0; i < dr_n_setting_rows; i++)
		if (dr_setting_is_text(&dr_setting_rows[i]))
			drop_text(text_of(*settings, &dr_setting_rows[i]));
	free(*settings);
	*settings = NULL;
}

bool
dr_settings_differ(const struct dr_settings *a, const struct dr_settings *b,
    size_t *pos, const char **name)
{
	while (*pos < dr_n_setting_rows) {
		const struct dr_setting_row *row = &dr_setting_rows[(*pos)++];
		bool same = dr_setting_is_text(row)
				? strcmp(*text_of(a, row), *text_of(b, row)) == 0
				: number_of(a, row) == number_of(b, row);

		if (row->restart && !same) {
			*name = row->name;
			return true;
		}
	}
	return false;
}
