/*
 * ctl_ledger_print - ledger ACCOUNT: the rows, as a table for people, or row by row as
 * CSV or JSON, however many there are.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/money.h"
#include "operator/ctl_ledger.h"

/* Columns: a leading '#' is a number. The second row says where each comes from: a
 * field of the row, or '=' and what is made of it. */
static const char *const columns[] = { "time", "type", "usd", "balance_usd", "request",
	"key", "model", "provider", "price_date", "#input_tokens",
	"#cache_write_5m_tokens", "#cache_write_1h_tokens", "#cache_read_tokens",
	"#output_tokens", "#web_searches", "window", "flags", "reason", "#nano_usd",
	"#balance_nano_usd", "id", NULL };
static const char *const sources[] = { "=time", "type", "=nano", "=balance", "req",
	"key", "model", "provider", "price", "in", "cw5", "cw1", "cr", "out", "web",
	"window", "flags", "reason", "nano", "balance", "=id" };

struct printing {
	bool csv, json;
	struct ctl_table *table; /* neither of them */
	unsigned long n;
};

static const char *
cell(size_t i, const char *id, const struct ctl_reply *fields, char text[64])
{
	const char *source = sources[i];

	if (*source != '=')
		return ctl_field(fields, source);
	if (strcmp(source, "=id") == 0)
		return id;
	if (strcmp(source, "=time") == 0)
		dr_clock_format(strtoll(id, NULL, 10), text);
	else
		dr_money_format(ctl_field_number(fields, source + 1), text);
	return text;
}

static void
print_csv_cell(const char *text)
{
	if (text[strcspn(text, ",\"\r\n")] == '\0') {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

static void
print_csv(const char *id, const struct ctl_reply *fields)
{
	char text[64];

	for (size_t i = 0; columns[i] != NULL; i++) {
		if (i > 0)
			putchar(',');
		print_csv_cell(cell(i, id, fields, text));
	}
	putchar('\n');
}

static void
print_json(const char *id, const struct ctl_reply *fields)
{
	struct dr_strbuf out;
	char text[64];

	dr_strbuf_init(&out, 64 * 1024);
	for (size_t i = 0; columns[i] != NULL; i++) {
		bool number = columns[i][0] == '#';

		dr_strbuf_addf(
		    &out, "%s\"%s\":", i > 0 ? "," : "{", columns[i] + number);
		if (number)
			dr_strbuf_addi(&out, ctl_field_number(fields, sources[i]));
		else
			dr_json_add_string(&out, cell(i, id, fields, text));
	}
	printf("%s}", out.data);
	dr_strbuf_fini(&out);
}

static bool
print_row(void *arg, const char *id, const struct ctl_reply *fields)
{
	struct printing *p = arg;
	char text[64];

	if (p->json) {
		fputs(p->n > 0 ? ",\n" : "", stdout);
		print_json(id, fields);
	} else if (p->csv) {
		print_csv(id, fields);
	} else {
		for (size_t i = 0; columns[i] != NULL; i++)
			ctl_table_cell(p->table, cell(i, id, fields, text));
	}
	p->n++;
	return ferror(stdout) == 0;
}

static void
print_header(void)
{
	for (size_t i = 0; columns[i] != NULL; i++)
		printf("%s%s", i > 0 ? "," : "", columns[i] + (columns[i][0] == '#'));
	putchar('\n');
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
		p.table = ctl_table_new(columns);
	ok = ctl_each_row(ctl, key, from, to, print_row, &p);
	if (p.json)
		puts("]");
	else if (!p.csv)
		ctl_table_print(ctl, &p.table, false);
	return ok ? CTL_OK : CTL_FAILED;
}
