/*
 * ctl_output - rows as a table for people or as JSON for scripts.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/csv.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/money.h"
#include "operator/ctl.h"

#define MAX_COLUMNS 32
#define MAX_OUTPUT  (256 * 1024 * 1024)

struct ctl_table {
	const char *columns[MAX_COLUMNS];
	size_t n_columns;
	bool narrow;
	char **cells; /* row after row; owned */
	size_t n, size;
};

struct ctl_table *
ctl_table_new(const char *const *columns)
{
	struct ctl_table *table = dr_calloc(1, sizeof *table);

	for (; columns[table->n_columns] != NULL; table->n_columns++) {
		DR_ASSERT(table->n_columns < MAX_COLUMNS);
		table->columns[table->n_columns] = columns[table->n_columns];
	}
	return table;
}

void
ctl_table_cell(struct ctl_table *table, const char *text)
{
	if (table->n == table->size) {
		table->size = table->size == 0 ? 64 : table->size * 2;
		table->cells =
		    dr_realloc(table->cells, table->size * sizeof *table->cells);
	}
	table->cells[table->n++] = dr_strdup(text);
}

void
ctl_table_number(struct ctl_table *table, int64_t n)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)n);
	ctl_table_cell(table, text);
}

void
ctl_table_usd(struct ctl_table *table, int64_t nano)
{
	char text[DR_MONEY_TEXT];

	dr_money_format(nano, text);
	ctl_table_cell(table, text);
}

/* ---- JSON ---- */

static void
add_row_json(struct dr_strbuf *out, const struct ctl_table *table, size_t row)
{
	dr_strbuf_addc(out, '{');
	for (size_t c = 0; c < table->n_columns; c++) {
		const char *name = table->columns[c],
			   *text = table->cells[row * table->n_columns + c];
		bool number = name[0] == '#';

		if (c > 0)
			dr_strbuf_addc(out, ',');
		dr_json_add_string(out, name + number);
		dr_strbuf_addc(out, ':');
		if (number)
			dr_strbuf_adds(out, text[0] != '\0' ? text : "null");
		else
			dr_json_add_string(out, text);
	}
	dr_strbuf_addc(out, '}');
}

static void
print_json(const struct ctl_table *table, bool single)
{
	size_t rows = table->n / table->n_columns;
	struct dr_strbuf out;

	dr_strbuf_init(&out, MAX_OUTPUT);
	if (!single)
		dr_strbuf_addc(&out, '[');
	for (size_t row = 0; row < rows; row++) {
		if (row > 0)
			dr_strbuf_adds(&out, ",\n");
		add_row_json(&out, table, row);
	}
	if (!single)
		dr_strbuf_addc(&out, ']');
	puts(out.data);
	dr_strbuf_fini(&out);
}

/* ---- CSV ---- */

void
ctl_table_print_csv(struct ctl_table **table)
{
	struct ctl_table *t = *table;
	struct dr_strbuf out;

	DR_ASSERT(t->n % t->n_columns == 0);
	dr_strbuf_init(&out, MAX_OUTPUT);
	for (size_t c = 0; c < t->n_columns; c++)
		dr_strbuf_addf(&out, "%s%s", c > 0 ? "," : "",
		    t->columns[c] + (t->columns[c][0] == '#'));
	for (size_t i = 0; i < t->n; i++) {
		dr_strbuf_addc(&out, i % t->n_columns == 0 ? '\n' : ',');
		dr_csv_add(&out, t->cells[i], t->columns[i % t->n_columns][0] != '#');
	}
	puts(out.data);
	dr_strbuf_fini(&out);
	ctl_table_free(table);
}

/* ---- for people ---- */

/* Letters, not bytes: what follows the first byte of a UTF-8 sequence takes no room. */
static size_t
width_of(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* A control character in a name must not drive the terminal; U+0080 to U+009F do, too.
 */
static void
print_text(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		bool c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;

		putchar(c1 || *p < 0x20 || *p == 0x7f ? '?' : *p);
		p += c1;
	}
}

static void
print_cell(const char *text, size_t width, bool right, bool last)
{
	size_t n = width_of(text);

	for (size_t i = n; right && i < width; i++)
		putchar(' ');
	print_text(text);
	for (size_t i = n; !right && !last && i < width; i++)
		putchar(' ');
	fputs(last ? "\n" : "  ", stdout);
}

static bool
is_shown(const struct ctl_table *table, size_t column)
{
	const char *name = table->columns[column];
	size_t len = strlen(name), end = strlen("nano_usd");

	if (!table->narrow || table->n == 0)
		return true;
	if (len >= end && strcmp(name + len - end, "nano_usd") == 0)
		return false;
	for (size_t i = column; i < table->n; i += table->n_columns)
		if (table->cells[i][0] != '\0' &&
		    (name[0] != '#' || strcmp(table->cells[i], "0") != 0))
			return true;
	return false;
}

void
ctl_table_narrow(struct ctl_table *table)
{
	table->narrow = true;
}

static void
print_table(const struct ctl_table *table)
{
	size_t width[MAX_COLUMNS] = { 0 }, columns = table->n_columns, last = 0;
	bool shown[MAX_COLUMNS] = { false };

	for (size_t c = 0; c < columns; c++) {
		width[c] = strlen(table->columns[c]) - (table->columns[c][0] == '#');
		shown[c] = is_shown(table, c);
		last = shown[c] ? c : last;
	}
	for (size_t i = 0; i < table->n; i++)
		if (width_of(table->cells[i]) > width[i % columns])
			width[i % columns] = width_of(table->cells[i]);
	for (size_t c = 0; c < columns; c++) {
		bool number = table->columns[c][0] == '#';

		if (shown[c])
			print_cell(
			    table->columns[c] + number, width[c], number, c == last);
	}
	for (size_t i = 0; i < table->n; i++)
		if (shown[i % columns])
			print_cell(table->cells[i], width[i % columns],
			    table->columns[i % columns][0] == '#', i % columns == last);
}

/* One row: a line per column. */
static void
print_single(const struct ctl_table *table)
{
	for (size_t c = 0; c < table->n_columns && c < table->n; c++) {
		bool number = table->columns[c][0] == '#';

		printf("%-28s", table->columns[c] + number);
		print_cell(table->cells[c], 0, false, true);
	}
}

void
ctl_table_free(struct ctl_table **table)
{
	for (size_t i = 0; i < (*table)->n; i++)
		free((*table)->cells[i]);
	free((*table)->cells);
	free(*table);
	*table = NULL;
}

void
ctl_table_print(struct ctl *ctl, struct ctl_table **table, bool single)
{
	struct ctl_table *t = *table;

	DR_ASSERT(t->n % t->n_columns == 0);
	if (ctl->json)
		print_json(t, single);
	else if (single)
		print_single(t);
	else
		print_table(t);
	ctl_table_free(table);
}
