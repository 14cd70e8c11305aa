/*
 * ctl_books - reading an account's books: streams in pages, everything else at one
 * moment, and sums by name over both. Names of sums are kept in json-c's hash table.
 */
#include <inttypes.h>
#include <json-c/linkhash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "operator/ctl_ledger.h"
#include "scripts/scripts.h"

#define PAGE_TEXT "1000"
#define PAGE      1000

bool
ctl_each_row(struct ctl *ctl, const char *key, const char *from, const char *to,
    bool (*row)(void *arg, const char *id, const struct ctl_reply *fields), void *arg)
{
	char at[CTL_ROW_ID];
	bool more = true;

	snprintf(at, sizeof at, "%s", from);
	while (more) {
		struct ctl_reply page;

		if (!ctl_command(ctl, &page,
			(const char *[]){
			    "XRANGE", key, at, to, "COUNT", PAGE_TEXT, NULL }))
			return false;
		more = page.n == PAGE;
		for (size_t i = 0; i < page.n; i++) {
			const struct ctl_reply *entry = &page.items[i];

			if (!row(arg, entry->items[0].text, &entry->items[1])) {
				ctl_reply_free(&page);
				return true;
			}
			snprintf(at, sizeof at, "(%s", entry->items[0].text);
		}
		ctl_reply_free(&page);
	}
	return true;
}

int64_t
ctl_field_number(const struct ctl_reply *fields, const char *name)
{
	return strtoll(ctl_field(fields, name), NULL, 10);
}

bool
ctl_account_read(struct ctl *ctl, const char *account, struct ctl_reply *out)
{
	char keys[3][CTL_KEY_SIZE], tag[CTL_KEY_SIZE];
	static const char *const names[] = { "account", "ledger", "opening" };

	for (size_t i = 0; i < DR_N_ELEMENTS(names); i++)
		ctl_account_key(account, names[i], keys[i]);
	snprintf(tag, sizeof tag, "{a:%s}", account);
	return ctl_script(ctl, out, tag, &dr_script_account_read, 3,
	    (const char *[]){ keys[0], keys[1], keys[2], NULL });
}

bool
ctl_each_account(struct ctl *ctl, const char *only,
    bool (*each)(struct ctl *ctl, const char *account, void *arg), void *arg)
{
	struct ctl_reply all;
	bool ok = true;

	if (only != NULL)
		return ctl_account_exists(ctl, only) && each(ctl, only, arg);
	if (!ctl_command(
		ctl, &all, (const char *[]){ "ZRANGE", "accounts", "0", "-1", NULL }))
		return false;
	for (size_t i = 0; ok && i < all.n; i++)
		ok = each(ctl, all.items[i].text, arg);
	ctl_reply_free(&all);
	return ok;
}

/* ---- sums by name ---- */

struct ctl_sums {
	struct lh_table *table; /* name -> int64_t, both owned */
};

static void
free_entry(struct lh_entry *entry)
{
	free(lh_entry_k(entry));
	free((void *)lh_entry_v(entry));
}

struct ctl_sums *
ctl_sums_new(void)
{
	struct ctl_sums *sums = dr_calloc(1, sizeof *sums);

	sums->table = lh_kchar_table_new(64, free_entry);
	DR_ASSERT(sums->table != NULL);
	return sums;
}

void
ctl_sums_free(struct ctl_sums **sums)
{
	if (*sums == NULL)
		return;
	lh_table_free((*sums)->table);
	free(*sums);
	*sums = NULL;
}

static int64_t *
find(const struct ctl_sums *sums, const char *name)
{
	void *value = NULL;

	return lh_table_lookup_ex(sums->table, name, &value) ? value : NULL;
}

void
ctl_sums_add(struct ctl_sums *sums, const char *name, int64_t n)
{
	int64_t *value = find(sums, name);

	if (value == NULL) {
		value = dr_calloc(1, sizeof *value);
		DR_ASSERT(lh_table_insert(sums->table, dr_strdup(name), value) == 0);
	}
	*value += n;
}

int64_t
ctl_sums_get(const struct ctl_sums *sums, const char *name)
{
	const int64_t *value = find(sums, name);

	return value != NULL ? *value : 0;
}

bool
ctl_sums_has(const struct ctl_sums *sums, const char *name)
{
	return find(sums, name) != NULL;
}

void
ctl_sums_each(const struct ctl_sums *sums,
    void (*each)(void *arg, const char *name, int64_t n), void *arg)
{
	struct lh_entry *entry;

	lh_foreach(sums->table, entry)
	    each(arg, lh_entry_k(entry), *(const int64_t *)lh_entry_v(entry));
}

void
ctl_sums_take(struct ctl_sums *sums, const struct ctl_reply *fields, const char *prefix)
{
	size_t n = strlen(prefix);

	for (size_t i = 0; i + 1 < fields->n; i += 2)
		if (strncmp(fields->items[i].text, prefix, n) == 0)
			ctl_sums_add(sums, fields->items[i].text,
			    strtoll(fields->items[i + 1].text, NULL, 10));
}

/* ---- rows as sums ---- */

bool
ctl_trimmed_since(
    struct ctl *ctl, const char *account, const struct ctl_reply *books, bool *changed)
{
	char key[CTL_KEY_SIZE];
	struct ctl_reply until;

	ctl_account_key(account, "opening", key);
	if (!ctl_command(ctl, &until, (const char *[]){ "HGET", key, "until", NULL }))
		return false;
	*changed = strcmp(until.text, ctl_field(&books->items[2], "until")) != 0;
	ctl_reply_free(&until);
	return true;
}

struct summing {
	void (*add)(struct ctl_sums *, const char *id, const struct ctl_reply *fields);
	struct ctl_sums *sums;
};

static bool
sum_row(void *arg, const char *id, const struct ctl_reply *fields)
{
	struct summing *s = arg;
	const char *type = ctl_field(fields, "type");

	if (strcmp(type, "charge") == 0 || strcmp(type, "abandoned") == 0)
		s->add(s->sums, id, fields);
	return true;
}

static void
add_sum(void *arg, const char *name, int64_t n)
{
	ctl_sums_add(arg, name, n);
}

bool
ctl_books_sum(struct ctl *ctl, const char *account, const char *prefix,
    void (*add)(struct ctl_sums *, const char *id, const struct ctl_reply *fields),
    struct ctl_sums *into)
{
	char ledger[CTL_KEY_SIZE];
	bool ok = true, changed = true;

	ctl_account_key(account, "ledger", ledger);
	while (ok && changed) {
		struct summing s = { add, ctl_sums_new() };
		struct ctl_reply books;

		ok = ctl_account_read(ctl, account, &books);
		if (ok) {
			ctl_sums_take(s.sums, &books.items[2], prefix);
			if (books.items[0].text[0] != '\0')
				ok = ctl_each_row(
				    ctl, ledger, "-", books.items[0].text, sum_row, &s);
			ok = ok && ctl_trimmed_since(ctl, account, &books, &changed);
			ctl_reply_free(&books);
		}
		if (ok && !changed)
			ctl_sums_each(s.sums, add_sum, into);
		ctl_sums_free(&s.sums);
	}
	return ok;
}
