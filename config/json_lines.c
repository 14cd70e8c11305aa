/*
 * json_lines - see the header. One walk over the text by recursive descent; what it
 * calls for each member does the work. Relies on the text being JSON: depth and nesting
 * were judged by the library before.
 */
#include "config/json_lines.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"

#define MAX_PATH_BYTES 4096

struct walk {
	const char *p;
	const char *text;
	unsigned line;
	struct dr_strbuf path;
	/* what is looked for: the line of `wanted`, or keys that stand twice */
	const char *wanted;
	unsigned found; /* line of `wanted`; 0: not seen */
	void (*twice)(void *arg, const char *path, unsigned line);
	void *arg;
};

struct key {
	const char *at;
	size_t len;
};

static void walk_value(struct walk *w);

static void
skip_space(struct walk *w)
{
	for (; *w->p == ' ' || *w->p == '\t' || *w->p == '\r' || *w->p == '\n'; w->p++)
		if (*w->p == '\n')
			w->line++;
}

/* From the opening quote to behind the closing one. */
static struct key
skip_string(struct walk *w)
{
	struct key key = { .at = ++w->p };

	for (; *w->p != '"' && *w->p != '\0'; w->p++) {
		if (*w->p == '\n')
			w->line++;
		if (*w->p == '\\' && w->p[1] != '\0')
			w->p++;
	}
	key.len = (size_t)(w->p - key.at);
	if (*w->p == '"')
		w->p++;
	return key;
}

/* The first place that has the path counts: of two keys the reader is told about both.
 */
static void
enter(struct walk *w, const char *joint, const char *name, size_t len)
{
	dr_strbuf_adds(&w->path, joint);
	dr_strbuf_add(&w->path, name, len);
	if (w->wanted != NULL && w->found == 0 && strcmp(w->path.data, w->wanted) == 0)
		w->found = w->line;
}

static void
leave(struct walk *w, size_t len)
{
	w->path.len = len;
	w->path.data[len] = '\0';
}

static bool
is_among(const struct key *keys, size_t n, struct key key)
{
	for (size_t i = 0; i < n; i++)
		if (keys[i].len == key.len && memcmp(keys[i].at, key.at, key.len) == 0)
			return true;
	return false;
}

/* Keys are compared as written; an escape in one of two equal keys goes unnoticed. */
static void
walk_object(struct walk *w)
{
	size_t outside = w->path.len, n = 0;
	struct key *keys = NULL;

	w->p++;
	for (skip_space(w); *w->p == '"'; skip_space(w)) {
		struct key key = skip_string(w);

		enter(w, outside > 0 ? "." : "", key.at, key.len);
		if (w->twice != NULL && is_among(keys, n, key))
			w->twice(w->arg, w->path.data, w->line);
		keys = dr_realloc(keys, (n + 1) * sizeof *keys);
		keys[n++] = key;
		skip_space(w);
		if (*w->p == ':')
			w->p++;
		walk_value(w);
		leave(w, outside);
		skip_space(w);
		if (*w->p == ',')
			w->p++;
	}
	if (*w->p == '}')
		w->p++;
	free(keys);
}

static void
walk_array(struct walk *w)
{
	size_t outside = w->path.len;
	unsigned i = 0;

	w->p++;
	for (skip_space(w); *w->p != ']' && *w->p != '\0'; skip_space(w)) {
		const char *start = w->p;

		dr_strbuf_addf(&w->path, "[%u]", i++);
		enter(w, "", "", 0);
		walk_value(w);
		leave(w, outside);
		skip_space(w);
		if (*w->p == ',')
			w->p++;
		if (w->p == start)
			return; /* not JSON after all: do not stand still */
	}
	if (*w->p == ']')
		w->p++;
}

static void
walk_value(struct walk *w)
{
	skip_space(w);
	if (*w->p == '{')
		walk_object(w);
	else if (*w->p == '[')
		walk_array(w);
	else if (*w->p == '"')
		(void)skip_string(w);
	else
		w->p += strcspn(w->p, ",]} \t\r\n");
}

static void
walk_text(struct walk *w)
{
	w->p = w->text;
	w->line = 1;
	dr_strbuf_init(&w->path, MAX_PATH_BYTES);
	walk_value(w);
	dr_strbuf_fini(&w->path);
}

unsigned
dr_json_line(const char *text, const char *path)
{
	struct walk w = { .text = text, .wanted = path };

	walk_text(&w);
	return w.found > 0 ? w.found : 1;
}

unsigned
dr_json_line_of_byte(const char *text, size_t at)
{
	unsigned line = 1;

	for (size_t i = 0; i < at && text[i] != '\0'; i++)
		if (text[i] == '\n')
			line++;
	return line;
}

void
dr_json_each_twice(const char *text,
    void (*twice)(void *arg, const char *path, unsigned line), void *arg)
{
	struct walk w = { .text = text, .twice = twice, .arg = arg };

	walk_text(&w);
}
