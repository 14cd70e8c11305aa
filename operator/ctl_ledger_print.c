/*
 * ctl_ledger_print - ledger ACCOUNT: the rows, as a table for people, or row by row as
 * CSV or JSON, however many there are.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/csv.h"
#include "base/json.h"
#include "gateway/ledger_columns.h"
#include "operator/ctl_ledger.h"

#define MAX_ROW     (64 * 1024)
#define MAX_COLUMNS 40

struct printing {
	bool csv, json;
	struct ctl_table *table; /* neither of them */
	unsigned long n;
};

static const char *
cell(const struct dr_ledger_column *column, const char *id,
    const struct ctl_reply *fields, char text[DR_LEDGER_CELL])
{
	return dr_ledger_cell(column, id,
	    column->field != NULL ? ctl_field(fields, column->field) : "", text);
}

static void
print_csv(const char *id, const struct ctl_reply *fields)
{
	char text[DR_LEDGER_CELL];
	struct dr_strbuf out;

	dr_strbuf_init(&out, MAX_ROW);
	for (const struct dr_ledger_column *c = dr_ledger_columns; c->name != NULL;
	     c++) {
		if (c != dr_ledger_columns)
			dr_strbuf_addc(&out, ',');
		dr_csv_add(&out, cell(c, id, fields, text), c->kind == DR_LEDGER_TEXT);
	}
	puts(out.data);
	dr_strbuf_fini(&out);
}

static void
print_json(const char *id, const struct ctl_reply *fields)
{
	char text[DR_LEDGER_CELL];
	struct dr_strbuf out;

	dr_strbuf_init(&out, MAX_ROW);
	for (const struct dr_ledger_column *c = dr_ledger_columns; c->name != NULL;
	     c++) {
		dr_strbuf_addf(
		    &out, "%s\"%s\":", c != dr_ledger_columns ? "," : "{", c->name);
		if (c->kind == DR_LEDGER_NUMBER)
			dr_strbuf_addi(&out, ctl_field_number(fields, c->field));
		else
			dr_json_add_string(&out, cell(c, id, fields, text));
	}
	printf("%s}", out.data);
	dr_strbuf_fini(&out);
}

static bool
print_row(void *arg, const char *id, const struct ctl_reply *fields)
{
	struct printing *p = arg;
	char text[DR_LEDGER_CELL];

	if (p->json) {
		fputs(p->n > 0 ? ",\n" : "", stdout);
		print_json(id, fields);
	} else if (p->csv) {
		print_csv(id, fields);
	} else {
		for (const struct dr_ledger_column *c = dr_ledger_columns;
		     c->name != NULL; c++)
			ctl_table_cell(p->table, cell(c, id, fields, text));
	}
	p->n++;
	return ferror(stdout) == 0;
}

static void
print_header(void)
{
	for (const struct dr_ledger_column *c = dr_ledger_columns; c->name != NULL; c++)
		printf("%s%s", c != dr_ledger_columns ? "," : "", c->name);
	putchar('\n');
}

static struct ctl_table *
new_table(void)
{
	static char names[MAX_COLUMNS][40]; /* the table keeps pointers to them */
	const char *columns[MAX_COLUMNS + 1] = { NULL };

	for (size_t i = 0; dr_ledger_columns[i].name != NULL; i++) {
		DR_ASSERT(i < MAX_COLUMNS);
		snprintf(names[i], sizeof names[i], "%s%s",
		    dr_ledger_columns[i].kind == DR_LEDGER_NUMBER ? "#" : "",
		    dr_ledger_columns[i].name);
		columns[i] = names[i];
	}
	return ctl_table_new(columns);
}

/* A date, or the id of a row ("1795433901925-0"). NULL stays what `at` holds. */
static bool
read_bound(const char *name, const char *value, char at[CTL_ROW_ID])
{
	int64_t ms;
	char dash;
	unsigned long long a, b;

	if (value == NULL)
		return true;
	if (strspn(value, "0123456789-") == strlen(value) &&
	    sscanf(value, "%llu%c%llu", &a, &dash, &b) == 3 && a > 100000000000ULL) {
		snprintf(at, CTL_ROW_ID, "%s", value);
		return strlen(value) < CTL_ROW_ID;
	}
	if (!ctl_time(name, value, &ms))
		return false;
	snprintf(at, CTL_ROW_ID, "%" PRId64, ms);
	return true;
}

int
ctl_ledger_print(struct ctl *ctl, int argc, char **argv)
{
	const char *account, *since = NULL, *before = NULL;
	struct ctl_option options[] = { { "--csv", NULL, 1, 0 },
		{ "--since", &since, 1, 0 }, { "--until", &before, 1, 0 },
		{ NULL, NULL, 0, 0 } };
	char key[CTL_KEY_SIZE], from[CTL_ROW_ID] = "-", to[CTL_ROW_ID] = "+";
	struct printing p = { .json = ctl->json };
	size_t n;
	bool ok;

	if (!ctl_options(argc, argv, options, &account, 1, 1, &n,
		"ledger ACCOUNT [--csv] [--since DATE|ID] [--until DATE|ID]") ||
	    !read_bound("--since", since, from) || !read_bound("--until", before, to))
		return CTL_USAGE;
	p.csv = options[0].n > 0;
	if (p.csv && p.json)
		return ctl_fail(CTL_USAGE, "--csv: --json is there too");
	if (!ctl_account_exists(ctl, account))
		return CTL_FAILED;
	ctl_account_key(account, "ledger", key);
	if (p.json)
		putchar('[');
	else if (p.csv)
		print_header();
	else
		p.table = new_table();
	ok = ctl_each_row(ctl, key, from, to, print_row, &p);
	if (p.json)
		puts("]");
	else if (!p.csv) {
		ctl_table_narrow(p.table);
		ctl_table_print(ctl, &p.table, false);
	}
	return ok ? CTL_OK : CTL_FAILED;
}
