/*
 * ledger_columns - see the header.
 */
#include "gateway/ledger_columns.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/csv.h"
#include "base/json.h"
#include "base/money.h"

const struct dr_ledger_column dr_ledger_columns[] = {
	{ "time", NULL, DR_LEDGER_TIME, false },
	{ "type", "type", DR_LEDGER_TEXT, false },
	{ "usd", "nano", DR_LEDGER_USD, false },
	{ "balance_usd", "balance", DR_LEDGER_USD, false },
	{ "request", "req", DR_LEDGER_TEXT, false },
	{ "key", "key", DR_LEDGER_TEXT, false },
	{ "model", "model", DR_LEDGER_TEXT, false },
	{ "provider", "provider", DR_LEDGER_TEXT, true },
	{ "price_date", "price", DR_LEDGER_TEXT, false },
	{ "input_tokens", "in", DR_LEDGER_NUMBER, false },
	{ "cache_write_5m_tokens", "cw5", DR_LEDGER_NUMBER, false },
	{ "cache_write_1h_tokens", "cw1", DR_LEDGER_NUMBER, false },
	{ "cache_read_tokens", "cr", DR_LEDGER_NUMBER, false },
	{ "output_tokens", "out", DR_LEDGER_NUMBER, false },
	{ "web_searches", "web", DR_LEDGER_NUMBER, false },
	{ "window", "window", DR_LEDGER_TEXT, false },
	{ "flags", "flags", DR_LEDGER_TEXT, false },
	{ "reason", "reason", DR_LEDGER_TEXT, false },
	{ "nano_usd", "nano", DR_LEDGER_NUMBER, false },
	{ "balance_nano_usd", "balance", DR_LEDGER_NUMBER, false },
	{ "id", NULL, DR_LEDGER_ID, false },
	{ NULL, NULL, DR_LEDGER_TEXT, false },
};

const char *
dr_ledger_cell(const struct dr_ledger_column *column, const char *id, const char *value,
    char text[DR_LEDGER_CELL])
{
	switch (column->kind) {
	case DR_LEDGER_TEXT:
	case DR_LEDGER_NUMBER:
		return value;
	case DR_LEDGER_ID:
		return id;
	case DR_LEDGER_USD:
		dr_money_format(strtoll(value, NULL, 10), text);
		return text;
	case DR_LEDGER_TIME:
		dr_clock_format(strtoll(id, NULL, 10), text);
		return text;
	}
	return "";
}

/* ---- entries ---- */

const char *
dr_entry_id(const struct dr_reply *entry)
{
	return dr_reply_string(dr_reply_at(entry, 0), NULL);
}

const char *
dr_entry_field(const struct dr_reply *entry, const char *name)
{
	const struct dr_reply *fields = dr_reply_at(entry, 1);

	for (size_t i = 0; i + 1 < dr_reply_count(fields); i += 2)
		if (strcmp(dr_reply_string(dr_reply_at(fields, i), NULL), name) == 0)
			return dr_reply_string(dr_reply_at(fields, i + 1), NULL);
	return "";
}

static const char *
cell(const struct dr_ledger_column *column, const struct dr_reply *entry,
    char text[DR_LEDGER_CELL])
{
	return dr_ledger_cell(column, dr_entry_id(entry),
	    column->field != NULL ? dr_entry_field(entry, column->field) : "", text);
}

/* The first column from `c` on that an account's owner sees; the last one has no name.
 */
static const struct dr_ledger_column *
shown(const struct dr_ledger_column *c)
{
	while (c->operators)
		c++;
	return c;
}

#define EACH_SHOWN(c)                                                                  \
	const struct dr_ledger_column *c = shown(dr_ledger_columns);                   \
	c->name != NULL;                                                               \
	c = shown(c + 1)

void
dr_ledger_add_json(struct dr_strbuf *out, const struct dr_reply *entry)
{
	char text[DR_LEDGER_CELL], comma = '{';

	if (dr_reply_count(entry) != 2)
		return;
	for (EACH_SHOWN(c)) {
		dr_strbuf_addc(out, comma);
		comma = ',';
		dr_json_add_string(out, c->name);
		dr_strbuf_addc(out, ':');
		if (c->kind == DR_LEDGER_NUMBER)
			dr_strbuf_addi(out, strtoll(cell(c, entry, text), NULL, 10));
		else
			dr_json_add_string(out, cell(c, entry, text));
	}
	dr_strbuf_addc(out, '}');
}

void
dr_ledger_add_csv(struct dr_strbuf *out, const struct dr_reply *entry)
{
	char text[DR_LEDGER_CELL];
	const char *comma = "";

	if (dr_reply_count(entry) != 2)
		return;
	for (EACH_SHOWN(c)) {
		dr_strbuf_adds(out, comma);
		comma = ",";
		dr_csv_add(out, cell(c, entry, text), c->kind == DR_LEDGER_TEXT);
	}
	dr_strbuf_addc(out, '\n');
}

void
dr_ledger_add_csv_head(struct dr_strbuf *out)
{
	const char *comma = "";

	for (EACH_SHOWN(c)) {
		dr_strbuf_adds(out, comma);
		comma = ",";
		dr_strbuf_adds(out, c->name);
	}
	dr_strbuf_addc(out, '\n');
}
