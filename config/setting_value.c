/*
 * setting_value - see the header. Knows kinds and units, not which settings exist or
 * where a value came from.
 */
#include "config/setting_value.h"

#include <inttypes.h>
#include <string.h>

#include "base/money.h"

struct unit {
	const char *name;
	int64_t size;
};

/* smallest first */
static const struct unit duration_units[] = { { "ms", 1 }, { "s", 1000 },
	{ "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 } };
static const struct unit byte_units[] = { { "", 1 }, { "KiB", 1024 },
	{ "MiB", 1024 * 1024 }, { "GiB", 1024 * 1024 * 1024 }, { NULL, 0 } };

static const char *const expected[] = {
	[DR_KIND_STRING] = "text without control characters",
	[DR_KIND_SECRET] = "text without control characters",
	[DR_KIND_PATH] = "a path without control characters",
	[DR_KIND_NUMBER] = "a whole number",
	[DR_KIND_BYTES] = "bytes, with KiB, MiB or GiB behind the number if wanted,",
	[DR_KIND_DURATION] = "a time with its unit (ms, s, m, h or d)",
	[DR_KIND_SWITCH] = "on or off",
	[DR_KIND_OCTAL] = "an octal number",
	[DR_KIND_MONEY] = "an amount in dollars",
};

/* Digits of `base` from *text on; false where there are none or they leave int64_t. */
static bool
read_digits(const char **text, int base, int64_t *value)
{
	const char *start = *text;

	*value = 0;
	for (; **text >= '0' && **text < '0' + base; (*text)++) {
		int digit = **text - '0';

		if (*value > (INT64_MAX - digit) / base)
			return false;
		*value = *value * base + digit;
	}
	return *text > start;
}

/* "5m": digits, then exactly one of the units; no blank, no fraction, no second unit.
 */
static bool
read_with_unit(const char *text, const struct unit *units, int64_t *value)
{
	if (!read_digits(&text, 10, value))
		return false;
	for (; units->name != NULL; units++) {
		if (strcmp(text, units->name) != 0)
			continue;
		if (*value > INT64_MAX / units->size)
			return false;
		*value *= units->size;
		return true;
	}
	return false;
}

/* One spelling each: a file in which "yes", "1" and "true" mix is hard to search. */
static bool
read_switch(const char *text, int64_t *value)
{
	*value = strcmp(text, "on") == 0;
	return *value == 1 || strcmp(text, "off") == 0;
}

/* A control character in a value could forge a header or a log line further on. */
static bool
is_plain_text(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static bool
read_value(const struct dr_setting_row *row, const char *text, int64_t *value)
{
	switch (row->kind) {
	case DR_KIND_STRING:
	case DR_KIND_SECRET:
	case DR_KIND_PATH:
		return is_plain_text(text);
	case DR_KIND_NUMBER:
		return read_digits(&text, 10, value) && *text == '\0';
	case DR_KIND_OCTAL:
		return read_digits(&text, 8, value) && *text == '\0';
	case DR_KIND_BYTES:
		return read_with_unit(text, byte_units, value);
	case DR_KIND_DURATION:
		return read_with_unit(text, duration_units, value);
	case DR_KIND_SWITCH:
		return read_switch(text, value);
	case DR_KIND_MONEY:
		return dr_money_parse(text, value);
	}
	DR_WRONG("kind of setting");
}

/* In the largest unit that leaves a whole number: 3600000 ms are "1h". */
static void
add_with_unit(struct dr_strbuf *out, int64_t value, const struct unit *units)
{
	const struct unit *best = units;

	for (; units->name != NULL; units++)
		if (value != 0 && value % units->size == 0)
			best = units;
	dr_strbuf_addf(out, "%" PRId64 "%s", value / best->size, best->name);
}

static void
add_bound(struct dr_strbuf *out, enum dr_setting_kind kind, int64_t value)
{
	char usd[DR_MONEY_TEXT];

	if (kind == DR_KIND_BYTES)
		add_with_unit(out, value, byte_units);
	else if (kind == DR_KIND_DURATION)
		add_with_unit(out, value, duration_units);
	else if (kind == DR_KIND_OCTAL)
		dr_strbuf_addf(out, "%04" PRIo64, (uint64_t)value);
	else if (kind == DR_KIND_MONEY) {
		dr_money_format(value, usd);
		dr_strbuf_adds(out, usd);
	} else
		dr_strbuf_addf(out, "%" PRId64, value);
}

void
dr_setting_range(const struct dr_setting_row *row, struct dr_strbuf *out)
{
	if (dr_setting_is_text(row) || row->kind == DR_KIND_SWITCH)
		return;
	add_bound(out, row->kind, row->least);
	dr_strbuf_adds(out, " to ");
	add_bound(out, row->kind, row->most);
}

bool
dr_setting_parse(const struct dr_setting_row *row, const char *text, int64_t *value,
    struct dr_strbuf *problem)
{
	bool bounded = !dr_setting_is_text(row) && row->kind != DR_KIND_SWITCH;
	int64_t read = 0;

	if (strlen(text) > DR_MAX_SETTING_VALUE) {
		dr_strbuf_addf(problem, "longer than %d bytes", DR_MAX_SETTING_VALUE);
		return false;
	}
	if (read_value(row, text, &read) &&
	    (!bounded || (read >= row->least && read <= row->most))) {
		if (!dr_setting_is_text(row))
			*value = read;
		return true;
	}
	dr_strbuf_addf(problem, "must be %s", expected[row->kind]);
	if (bounded) {
		dr_strbuf_adds(problem, " from ");
		dr_setting_range(row, problem);
	}
	if (row->kind != DR_KIND_SECRET)
		dr_strbuf_addf(problem, ", not \"%.64s\"", text);
	return false;
}
