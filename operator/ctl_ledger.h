/*
 * ctl_ledger - what the verbs about an account's books share: reading a stream page by
 * page, and the books of one moment.
 */
#ifndef DR_CTL_LEDGER_H
#define DR_CTL_LEDGER_H

#include "gateway/api_key.h"
#include "operator/ctl.h"

#define CTL_ROW_ID 64 /* "1795433901925-0" with room */

/*
 * Call `row` for each entry of the stream from `from` ("-": the first) to `to` ("+":
 * the last), oldest first; it gets the entry's id and its fields, and may stop by
 * false. False: Redis failed.
 */
bool ctl_each_row(struct ctl *ctl, const char *key, const char *from, const char *to,
    bool (*row)(void *arg, const char *id, const struct ctl_reply *fields), void *arg);

/* A field of a row as a number; 0 where it is none. */
int64_t ctl_field_number(const struct ctl_reply *fields, const char *name);

/* scripts/account_read.lua: { last id, account, opening, running }. False: said so. */
bool ctl_account_read(struct ctl *ctl, const char *account, struct ctl_reply *out);

/* Call `each` for every account there is, or for `only` (NULL: all). False: it failed.
 */
bool ctl_each_account(struct ctl *ctl, const char *only,
    bool (*each)(struct ctl *ctl, const char *account, void *arg), void *arg);

/* ---- sums by name ---- */

struct ctl_sums; /* opaque: name -> whole number */

struct ctl_sums *ctl_sums_new(void);
void ctl_sums_free(struct ctl_sums **sums); /* NULL is fine */
void ctl_sums_add(struct ctl_sums *sums, const char *name, int64_t n);
int64_t ctl_sums_get(const struct ctl_sums *sums, const char *name); /* 0: not there */
bool ctl_sums_has(const struct ctl_sums *sums, const char *name);
/* In the order in which they were first added. */
void ctl_sums_each(const struct ctl_sums *sums,
    void (*each)(void *arg, const char *name, int64_t n), void *arg);
/* Is it a field of the opening that begins so ("spent:")? Then add it. */
void ctl_sums_take(
    struct ctl_sums *sums, const struct ctl_reply *fields, const char *prefix);

/* ---- an account's rows, trimmed ones too, as sums ---- */

/* *changed: rows were trimmed away since `books` were read; what was read of the ledger
 * meanwhile means nothing. False: said so. */
bool ctl_trimmed_since(
    struct ctl *ctl, const char *account, const struct ctl_reply *books, bool *changed);
/*
 * Add to `into` what the opening has under names that begin with `prefix`, and what
 * `add` makes of each row "charge" or "abandoned". False: said so, nothing was added.
 */
bool ctl_books_sum(struct ctl *ctl, const char *account, const char *prefix,
    void (*add)(struct ctl_sums *, const char *id, const struct ctl_reply *fields),
    struct ctl_sums *into);

/* ---- verbs ---- */

int ctl_ledger_print(struct ctl *ctl, int argc, char **argv);
int ctl_ledger_verify(struct ctl *ctl, int argc, char **argv);
int ctl_ledger_trim(struct ctl *ctl, int argc, char **argv);

#endif
