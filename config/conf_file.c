/*
 * conf_file - see the header. One pass over the file's bytes, in place. A broken line
 * is told and left; the next one is read as if nothing had been.
 */
#include "config/conf_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* More than settings use, so that "store-timeout" is told as unknown, not as nonsense.
 */
static bool
is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static char *
skip_blank(char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

/* Unescape in place; NULL when fine, else what is wrong. *rest is behind the closing
 * quote. */
static const char *
read_quoted(char *p, char **rest)
{
	char *out = p;

	for (; *p != '"'; p++) {
		if (*p == '\0')
			return "the closing quote is missing";
		if (*p == '\\') {
			p++;
			if (*p != '"' && *p != '\\')
				return "only \\\" and \\\\ may follow a backslash in quotes";
		}
		*out++ = *p;
	}
	*rest = p + 1;
	*out = '\0';
	return NULL;
}

/* A bare value ends at the line's end or at a '#' behind a blank. */
static void
cut_bare(char *value)
{
	char *end = value, *p;

	for (p = value; *p != '\0' && !(*p == '#' && (p == value || is_blank(p[-1])));
	     p++)
		if (!is_blank(*p))
			end = p + 1;
	*end = '\0';
}

/* `text` ends with a NUL and holds no other. NULL: handed on, or nothing on this line.
 */
static const char *
read_line(char *text, unsigned line, const struct dr_conf_events *events, void *arg)
{
	char *name = skip_blank(text), *name_end = name, *value, *rest;
	const char *wrong;

	if (*name == '\0' || *name == '#')
		return NULL;
	while (is_name_byte(*name_end))
		name_end++;
	value = skip_blank(name_end);
	if (name_end == name || *value != '=')
		return "expected: name = value";
	*name_end = '\0';
	value = skip_blank(value + 1);
	if (*value == '"') {
		wrong = read_quoted(++value, &rest);
		if (wrong != NULL)
			return wrong;
		rest = skip_blank(rest);
		if (*rest != '\0' && *rest != '#')
			return "text behind the closing quote";
	} else {
		cut_bare(value);
	}
	events->assignment(arg, line, name, value);
	return NULL;
}

void
dr_conf_parse(char *text, size_t len, const struct dr_conf_events *events, void *arg)
{
	char *end = text + len;
	unsigned line = 0;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3; /* editors on Windows put it there */
	while (text < end) {
		char *stop = memchr(text, '\n', (size_t)(end - text));
		char *next = stop != NULL ? stop + 1 : end;
		const char *wrong;

		if (stop == NULL)
			stop = end;
		if (stop > text && stop[-1] == '\r')
			stop--;
		line++;
		if (stop - text > DR_MAX_CONF_LINE)
			wrong = "the line is too long";
		else if (memchr(text, '\0', (size_t)(stop - text)) != NULL)
			wrong = "the line holds a NUL byte";
		else {
			*stop = '\0';
			wrong = read_line(text, line, events, arg);
		}
		if (wrong != NULL)
			events->mistake(arg, line, wrong);
		text = next;
	}
}

/* Unbuffered and wiped on the way out: the file may hold a password. */
char *
dr_conf_slurp(const char *path, size_t max, size_t *len, char *why, size_t size)
{
	FILE *file = fopen(path, "re");
	char *text;

	if (file == NULL) {
		snprintf(why, size, "cannot be read: %s", strerror(errno));
		return NULL;
	}
	setvbuf(file, NULL, _IONBF, 0); /* no second copy of a secret */
	text = dr_malloc(max + 2);
	*len = fread(text, 1, max + 1, file);
	if (ferror(file) != 0)
		snprintf(why, size, "cannot be read: %s", strerror(errno));
	else if (*len > max)
		snprintf(why, size, "is larger than %zu bytes", max);
	else {
		fclose(file);
		text[*len] = '\0';
		return text;
	}
	fclose(file);
	dr_wipe(text, *len);
	free(text);
	return NULL;
}

void
dr_conf_read(const char *path, const struct dr_conf_events *events, void *arg)
{
	char why[256];
	size_t len;
	char *text = dr_conf_slurp(path, DR_MAX_CONF_BYTES, &len, why, sizeof why);

	if (text == NULL) {
		events->mistake(arg, 0, why);
		return;
	}
	dr_conf_parse(text, len, events, arg);
	dr_wipe(text, len);
	free(text);
}
