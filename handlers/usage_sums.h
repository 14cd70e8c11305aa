/*
 * usage_sums - what an account has used, summed from the rows of its ledger by day,
 * model and key. Pure: reading the ledger is the caller's.
 *
 * Days are local ones (gateway/zone.h); rows of other days are passed over, so the
 * caller may read a little more than it has to.
 */
#ifndef DR_USAGE_SUMS_H
#define DR_USAGE_SUMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "gateway/api_key.h"
#include "gateway/ledger.h"
#include "gateway/zone.h"

struct dr_usage_query {
	struct dr_zone zone;
	int64_t first_day, last_day; /* inclusive */
	bool by_day, by_model, by_key;
	const char *key, *model; /* borrowed; NULL: all */
};

struct dr_usage_sums; /* opaque */

/* `query` is borrowed. */
struct dr_usage_sums *dr_usage_sums_new(const struct dr_usage_query *query);
void dr_usage_sums_free(struct dr_usage_sums **sums); /* NULL is fine */

/* Add a row; charges count, other types are passed over. */
void dr_usage_sums_add(struct dr_usage_sums *sums, const struct dr_ledger_row *row);

/* There were more groups than are kept: those that came last are in the total alone. */
bool dr_usage_sums_overflowed(const struct dr_usage_sums *sums);

/* The ids of the keys that there are groups of, each once. The list is the caller's to
 * free; its texts are borrowed. NULL: none, or the groups are not by key. */
const char **dr_usage_sums_keys(const struct dr_usage_sums *sums, size_t *n);

/* What "key_name" says of one of them; of the others it is null. */
void dr_usage_sums_name_key(
    struct dr_usage_sums *sums, const char *id, const char *name);

/* The members "total" and "data" of an object that is open. By day, model and key, in
 * this order; by day alone, days without use are there with zeros. */
void dr_usage_sums_write(struct dr_usage_sums *sums, struct dr_strbuf *out);

#endif
