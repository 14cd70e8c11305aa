/*
 * reader - strict reading of a JSON document that people edit: every member is known,
 * of its type and in its range, and each breach is told with file, line, model and
 * field.
 *
 * Private to config/. `at` says where in the document the reading stands; the functions
 * that take a field's name append it for the report only.
 */
#ifndef DR_READER_H
#define DR_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "base/strbuf.h"
#include "config/settings.h"

struct json_object;

struct dr_reader {
	const char *file;  /* borrowed, as are the next three */
	const char *text;  /* the document, for line numbers */
	const char *model; /* the model being read; NULL: none, or it has no name */
	void *report_arg;
	dr_report *report;
	struct dr_strbuf at;  /* "models[3].prices[0]" */
	size_t model_at;      /* bytes of `at` that name the model: left out where it is
				 named */
	int64_t basis_points; /* the markup */
	bool failed;          /* a mistake was told */
};

/* Tell a mistake at `field` of where the reading stands (NULL: of the whole of it). */
void dr_reader_mistake(struct dr_reader *r, const char *field, const char *format, ...)
    DR_PRINTF(3, 4);

/* Go down into "name" or "name[i]" and back; enter returns what leave needs. */
size_t dr_reader_enter(struct dr_reader *r, const char *name);
size_t dr_reader_enter_element(struct dr_reader *r, const char *name, size_t i);
void dr_reader_leave(struct dr_reader *r, size_t mark);

/* Every member of `object` is one of `known` (NULL-terminated), else a mistake each. */
void dr_reader_only(
    struct dr_reader *r, struct json_object *object, const char *const *known);

/*
 * One member each. Absent: `required` makes it a mistake. Returns NULL or false where
 * there is no usable value, a mistake being told unless it is merely absent.
 */
const char *dr_reader_text(
    struct dr_reader *r, struct json_object *object, const char *field, bool required);
bool dr_reader_whole(struct dr_reader *r, struct json_object *object, const char *field,
    int64_t least, int64_t most, int64_t *out);
/* A decimal string of dollars, from least to most nano-USD. */
bool dr_reader_decimal(struct dr_reader *r, struct json_object *object,
    const char *field, bool required, int64_t least, int64_t most, int64_t *out);
struct json_object *dr_reader_array(
    struct dr_reader *r, struct json_object *object, const char *field, bool required);

/* "2026-10-01" as ms since 1970 of that day's first moment, UTC. */
bool dr_date_parse(const char *text, int64_t *wall_ms) DR_MUSTCHECK;

#endif
