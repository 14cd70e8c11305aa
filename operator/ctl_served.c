/*
 * ctl_served - see the header; and the verb `provider usage`, what an operator pays
 * out.
 */
#include "operator/ctl_served.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

/* What is summed: a field of the row, and its column. */
static const struct {
	const char *field, *column;
} what[] = {
	{ "requests", "#requests" },
	{ "in", "#input_tokens" },
	{ "cw5", "#cache_write_5m_tokens" },
	{ "cw1", "#cache_write_1h_tokens" },
	{ "cr", "#cache_read_tokens" },
	{ "out", "#output_tokens" },
	{ "web", "#web_searches" },
	{ "list", "#list_nano_usd" },
	{ "nano", "#charged_nano_usd" },
};
#define CHARGED (DR_N_ELEMENTS(what) - 1)
#define LISTED  (DR_N_ELEMENTS(what) - 2)

/*
 * A late row names what its abandoned one has booked. Where that one did not know who
 * served the request (`waslist` is empty), it counts nowhere, and the late one for all.
 * The tokens are all in the late one.
 */
static bool
counts_for_all(const struct ctl_reply *fields)
{
	return ctl_field(fields, "waslist")[0] == '\0';
}

static int64_t
charged(const struct ctl_reply *fields)
{
	int64_t nano = -ctl_field_number(fields, "nano");

	return counts_for_all(fields) ? nano + ctl_field_number(fields, "was") : nano;
}

/* By the vendor's list. Rows of older versions do not tell: they count as charged. */
static int64_t
listed(const struct ctl_reply *fields)
{
	if (ctl_field(fields, "list")[0] == '\0')
		return charged(fields);
	return ctl_field_number(fields, "list") - ctl_field_number(fields, "waslist");
}

void
ctl_served_add(struct ctl_sums *sums, const char *id, const struct ctl_reply *fields)
{
	const char *provider = ctl_field(fields, "provider");
	bool late = strncmp(ctl_field(fields, "flags"), "late", 4) == 0;
	char name[256], day[DR_CLOCK_TEXT];

	if (provider[0] == '\0')
		return; /* abandoned before anything was told: nobody knows */
	dr_clock_format_s(strtoll(id, NULL, 10), day);
	for (size_t i = 0; i < DR_N_ELEMENTS(what); i++) {
		const char *field = what[i].field;
		int64_t n =
		    strcmp(field, "requests") == 0 ? !late || counts_for_all(fields)
		    : strcmp(field, "nano") == 0   ? charged(fields)
		    : strcmp(field, "list") == 0   ? listed(fields)
						   : ctl_field_number(fields, field);

		snprintf(name, sizeof name, "served:%s:%.10s:%s", provider, day, field);
		ctl_sums_add(sums, name, n);
	}
}

/* ---- provider usage ---- */

static bool
add_account(struct ctl *ctl, const char *account, void *arg)
{
	return ctl_books_sum(ctl, account, "served:", ctl_served_add, arg);
}

struct day {
	char provider[DR_MAX_PROVIDER_NAME + 1], day[11];
	int64_t requests;
};

struct listing {
	struct day *days; /* owned */
	size_t n, size;
	const char *provider;                            /* NULL: all */
	char since[DR_CLOCK_TEXT], until[DR_CLOCK_TEXT]; /* days; "": no bound */
};

/* The sum of requests stands for its provider and day: the others belong to it. */
static void
take_day(void *arg, const char *name, int64_t n)
{
	struct listing *l = arg;
	struct day d = { .requests = n };
	char field[16];

	if (sscanf(name, "served:%64[^:]:%10[^:]:%15s", d.provider, d.day, field) !=
		3 ||
	    strcmp(field, "requests") != 0)
		return;
	if ((l->provider != NULL && strcmp(d.provider, l->provider) != 0) ||
	    (l->since[0] != '\0' && strcmp(d.day, l->since) < 0) ||
	    (l->until[0] != '\0' && strcmp(d.day, l->until) >= 0))
		return;
	if (l->n == l->size) {
		l->size = l->size == 0 ? 64 : l->size * 2;
		l->days = dr_realloc(l->days, l->size * sizeof *l->days);
	}
	l->days[l->n++] = d;
}

static int
by_provider_and_day(const void *a, const void *b)
{
	const struct day *x = a, *y = b;
	int order = strcmp(x->provider, y->provider);

	return order != 0 ? order : strcmp(x->day, y->day);
}

static void
add_day(struct ctl_table *table, const struct ctl_sums *sums, const struct day *d)
{
	int64_t sum[DR_N_ELEMENTS(what)];
	char name[256];

	ctl_table_cell(table, d->provider);
	ctl_table_cell(table, d->day);
	ctl_table_number(table, d->requests);
	for (size_t i = 1; i < DR_N_ELEMENTS(what); i++) {
		snprintf(name, sizeof name, "served:%s:%s:%s", d->provider, d->day,
		    what[i].field);
		sum[i] = ctl_sums_get(sums, name);
		ctl_table_number(table, sum[i]);
	}
	ctl_table_usd(table, sum[LISTED]);
	ctl_table_usd(table, sum[CHARGED]);
}

/* One that is gone may have served; one of which nothing is known is a slip of the pen.
 */
static bool
is_known(struct ctl *ctl, const struct listing *l)
{
	struct ctl_reply reply;
	bool known = l->provider == NULL || l->n > 0;

	if (known || !ctl_command(ctl, &reply,
			 (const char *[]){ "HEXISTS", "providers", l->provider, NULL }))
		return known;
	known = reply.number == 1;
	ctl_reply_free(&reply);
	if (!known)
		ctl_fail(CTL_FAILED,
		    "NAME: there is no provider \"%s\", and none has served in that "
		    "time",
		    l->provider);
	return known;
}

static bool
read_day(const char *name, const char *value, char day[DR_CLOCK_TEXT])
{
	int64_t ms;

	if (value == NULL)
		return true;
	if (!ctl_time(name, value, &ms))
		return false;
	dr_clock_format_s(ms, day);
	day[10] = '\0';
	return true;
}

static struct ctl_table *
new_table(void)
{
	const char *columns[DR_N_ELEMENTS(what) + 5] = { "provider", "day" };
	size_t n = 2;

	for (size_t i = 0; i < DR_N_ELEMENTS(what); i++)
		columns[n++] = what[i].column;
	columns[n++] = "list_usd";
	columns[n++] = "charged_usd";
	columns[n] = NULL;
	return ctl_table_new(columns);
}

int
ctl_provider_usage(struct ctl *ctl, int argc, char **argv)
{
	const char *since = NULL, *until = NULL, *name = NULL;
	struct ctl_option options[] = { { "--since", &since, 1, 0 },
		{ "--until", &until, 1, 0 }, { "--csv", NULL, 1, 0 },
		{ NULL, NULL, 0, 0 } };
	struct listing l = { .provider = NULL };
	struct ctl_sums *sums;
	struct ctl_table *table;
	size_t n = 0;
	bool ok;

	if (!ctl_options(argc, argv, options, &name, 0, 1, &n,
		"provider usage [NAME] [--since DATE] [--until DATE] [--csv]") ||
	    !read_day("--since", since, l.since) ||
	    !read_day("--until", until, l.until))
		return CTL_USAGE;
	if (options[2].n > 0 && ctl->json)
		return ctl_fail(CTL_USAGE, "--csv: --json is there too");
	l.provider = n > 0 ? name : NULL;
	sums = ctl_sums_new();
	ok = ctl_each_account(ctl, NULL, add_account, sums);
	ctl_sums_each(sums, take_day, &l);
	ok = ok && is_known(ctl, &l);
	if (ok) {
		table = new_table();
		if (l.n > 0)
			qsort(l.days, l.n, sizeof *l.days, by_provider_and_day);
		for (size_t i = 0; i < l.n; i++)
			add_day(table, sums, &l.days[i]);
		ctl_table_narrow(table);
		if (options[2].n > 0)
			ctl_table_print_csv(&table);
		else
			ctl_table_print(ctl, &table, false);
	}
	free(l.days);
	ctl_sums_free(&sums);
	return ok ? CTL_OK : CTL_FAILED;
}
