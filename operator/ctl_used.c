/*
 * ctl_used - see the header; and the verb `usage`. Trimmed rows count too: their sums
 * stand in the opening.
 */
#include "operator/ctl_used.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* WHAT of a sum: the fields of a row that it adds up, and its column. */
static const struct {
	const char *name, *field, *field_too, *column;
} what[] = {
	{ "requests", NULL, NULL, "#requests" },
	{ "in", "in", NULL, "#input_tokens" },
	{ "out", "out", NULL, "#output_tokens" },
	{ "cw", "cw5", "cw1", "#cache_creation_input_tokens" },
	{ "cr", "cr", NULL, "#cache_read_input_tokens" },
	{ "nano", "nano", NULL, "#cost_nano_usd" },
};

void
ctl_used_add(struct ctl_sums *sums, const char *id, const struct ctl_reply *fields)
{
	/* a late row books the rest of a request that an abandoned one has counted */
	bool late = strncmp(ctl_field(fields, "flags"), "late", 4) == 0;
	char name[128];

	(void)id;
	for (size_t i = 0; i < DR_N_ELEMENTS(what); i++) {
		int64_t n = what[i].field != NULL
				? ctl_field_number(fields, what[i].field)
				: !late;

		if (what[i].field_too != NULL)
			n += ctl_field_number(fields, what[i].field_too);
		snprintf(name, sizeof name, "used:%s:%s", ctl_field(fields, "key"),
		    what[i].name);
		ctl_sums_add(sums, name, strcmp(what[i].name, "nano") == 0 ? -n : n);
	}
}

/* ---- usage ---- */

struct totals {
	const char *key; /* NULL: all */
	int64_t n[DR_N_ELEMENTS(what)];
};

static void
add_to_totals(void *arg, const char *name, int64_t n)
{
	struct totals *t = arg;
	const char *key = name + strlen("used:"), *colon = strchr(key, ':');

	if (colon == NULL ||
	    (t->key != NULL && (strlen(t->key) != (size_t)(colon - key) ||
				   strncmp(key, t->key, strlen(t->key)) != 0)))
		return;
	for (size_t i = 0; i < DR_N_ELEMENTS(what); i++)
		if (strcmp(colon + 1, what[i].name) == 0)
			t->n[i] += n;
}

/* KEY as an id, as ACCOUNT-ID or ACCOUNT/ID, or as the whole key: its id. */
static void
id_of_key(const struct ctl *ctl, const char *text, char id[DR_KEY_ID_LEN + 1])
{
	struct dr_api_key key;

	if (dr_api_key_parse(ctl->config->settings->key_prefix, text, &key))
		text = key.key_id;
	else if (strlen(text) == DR_ACCOUNT_LEN + 1 + DR_KEY_ID_LEN)
		text += DR_ACCOUNT_LEN + 1;
	snprintf(id, DR_KEY_ID_LEN + 1, "%s", text);
}

static void
print_totals(struct ctl *ctl, const struct totals *t)
{
	const char *columns[DR_N_ELEMENTS(what) + 2];
	struct ctl_table *table;
	size_t n = DR_N_ELEMENTS(what);

	for (size_t i = 0; i < n; i++)
		columns[i] = what[i].column;
	columns[n] = "cost_usd";
	columns[n + 1] = NULL;
	table = ctl_table_new(columns);
	for (size_t i = 0; i < n; i++)
		ctl_table_number(table, t->n[i]);
	ctl_table_usd(table, t->n[n - 1]);
	ctl_table_print(ctl, &table, true);
}

int
ctl_usage(struct ctl *ctl, int argc, char **argv)
{
	const char *account, *key = NULL;
	struct ctl_option options[] = { { "--key", &key, 1, 0 }, { NULL, NULL, 0, 0 } };
	char id[DR_KEY_ID_LEN + 1];
	struct totals totals = { 0 };
	struct ctl_sums *sums;
	size_t n;
	bool ok;

	if (!ctl_options(
		argc, argv, options, &account, 1, 1, &n, "usage ACCOUNT [--key K]"))
		return CTL_USAGE;
	if (!ctl_account_exists(ctl, account))
		return CTL_FAILED;
	if (key != NULL) {
		id_of_key(ctl, key, id);
		totals.key = id;
	}
	sums = ctl_sums_new();
	ok = ctl_books_sum(ctl, account, "used:", ctl_used_add, sums);
	ctl_sums_each(sums, add_to_totals, &totals);
	ctl_sums_free(&sums);
	if (ok)
		print_totals(ctl, &totals);
	return ok ? CTL_OK : CTL_FAILED;
}
