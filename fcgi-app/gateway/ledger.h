/*
 * ledger - the rows that scripts write into an account's streams, as structs and as
 * JSON.
 *
 * {a:ACCT}:ledger has a row for each time the balance moved, and for each settled
 * request that used something; the sum of all `nano` is the balance. {a:ACCT}:requests
 * has a row for each request, refused ones too. Pure: reading the streams is the
 * caller's.
 */
#ifndef DR_LEDGER_H
#define DR_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "base/strbuf.h"
#include "dialects/dialect.h"
#include "io/store.h"

/* Texts are borrowed from the reply; "" where a row lacks them. */
struct dr_ledger_row {
	const char *cursor; /* the entry's id in the stream: "1795433901925-0" */
	int64_t time_ms;
	const char *type; /* charge, abandoned, credit, deposit, adjustment, ... */
	const char *request_id, *key_id, *model, *provider, *price_date, *window;
	const char *flags;    /* "estimated", "late", both, or "" */
	const char *reason;   /* of a credit or an adjustment */
	int64_t nano;         /* by which the balance moved: charges are negative */
	int64_t balance_nano; /* after it */
	struct dr_usage usage;
};

/* One entry of XRANGE or XREVRANGE; false where it is none. */
bool dr_ledger_row_read(
    const struct dr_reply *entry, struct dr_ledger_row *out) DR_MUSTCHECK;
/* Append it as a JSON object; amounts are decimal USD as text and whole nano-USD. */
void dr_ledger_row_json(const struct dr_ledger_row *row, struct dr_strbuf *out);

struct dr_activity_row {
	const char *cursor;
	int64_t time_ms;
	const char *request_id, *key_id, *model;
	int status;        /* 0: nobody was left to be told */
	const char *error; /* name of the catalogue's row; "": none */
};

bool dr_activity_row_read(
    const struct dr_reply *entry, struct dr_activity_row *out) DR_MUSTCHECK;
void dr_activity_row_json(const struct dr_activity_row *row, struct dr_strbuf *out);

#endif
