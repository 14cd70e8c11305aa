/*
 * setting_value - one value of a setting: from text to number and back, by kind.
 *
 * Private to config/ and its tests; the rest of the program sees config/settings.h.
 */
#ifndef DR_SETTING_VALUE_H
#define DR_SETTING_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "base/strbuf.h"

/* Bytes of one value: longer than any path may be. */
#define DR_MAX_SETTING_VALUE 4096

enum dr_setting_kind {
	DR_KIND_STRING,
	DR_KIND_SECRET,
	DR_KIND_PATH,
	DR_KIND_NUMBER,
	DR_KIND_BYTES,
	DR_KIND_DURATION,
	DR_KIND_SWITCH,
	DR_KIND_OCTAL,
	DR_KIND_MONEY
};

struct dr_setting_row {
	const char *name;
	enum dr_setting_kind kind;
	const char *def; /* as text */
	int64_t least, most;
	bool restart;
	const char *text;
	size_t offset; /* of the member in struct dr_settings */
};

extern const struct dr_setting_row dr_setting_rows[];
extern const size_t dr_n_setting_rows;

static inline bool
dr_setting_is_text(const struct dr_setting_row *row)
{
	return row->kind == DR_KIND_STRING || row->kind == DR_KIND_SECRET ||
	       row->kind == DR_KIND_PATH;
}

/*
 * Judge `text` as a value of this row. Numbers of every kind land in *value, in the
 * kind's unit (switches 0 or 1); for texts it stays unchanged. False: `problem` has got
 * what was expected, and the text unless it is a secret.
 */
bool dr_setting_parse(const struct dr_setting_row *row, const char *text,
    int64_t *value, struct dr_strbuf *problem) DR_MUSTCHECK;

/* The bounds as a reader of the file would write them: "1KiB to 1GiB"; "" for texts. */
void dr_setting_range(const struct dr_setting_row *row, struct dr_strbuf *out);

#endif
