/*
 * ledger_columns - a row of the ledger as people and programs outside see it: which
 * columns there are and what stands in them, once for derouterctl and for /api. Pure.
 */
#ifndef DR_LEDGER_COLUMNS_H
#define DR_LEDGER_COLUMNS_H

#include <stdbool.h>

#include "base/strbuf.h"
#include "io/store.h"

struct dr_ledger_column {
	const char *name;  /* "input_tokens"; NULL ends the table */
	const char *field; /* of the row in Redis; NULL: of its id */
	enum dr_ledger_kind {
		DR_LEDGER_TEXT,   /* as it stands there */
		DR_LEDGER_NUMBER, /* whole; 0 where it is not there */
		DR_LEDGER_USD,    /* nano-USD as decimal text */
		DR_LEDGER_ID,
		DR_LEDGER_TIME /* of the id */
	} kind;
	bool operators; /* the operator's own affair: not for the account's owner */
};

extern const struct dr_ledger_column dr_ledger_columns[];

#define DR_LEDGER_CELL 64

/* What stands in this column for a row with this id whose field is `value` ("" where it
 * is not there): borrowed from value or id, or written into `text`. */
const char *dr_ledger_cell(const struct dr_ledger_column *column, const char *id,
    const char *value, char text[DR_LEDGER_CELL]);

/* ---- for the account's owner: columns that are the operator's are left out ---- */

/* One entry of XRANGE or XREVRANGE; nothing is written where it is none. */
void dr_ledger_add_json(struct dr_strbuf *out, const struct dr_reply *entry);
void dr_ledger_add_csv(struct dr_strbuf *out, const struct dr_reply *entry);
void dr_ledger_add_csv_head(struct dr_strbuf *out);

/* The id of an entry, and a field of it ("" where it is not there). */
const char *dr_entry_id(const struct dr_reply *entry);
const char *dr_entry_field(const struct dr_reply *entry, const char *name);

#endif
