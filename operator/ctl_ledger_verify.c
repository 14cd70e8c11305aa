/*
 * ctl_ledger_verify - ledger verify: do an account's books add up?
 *
 * The account as it stands is read in one script, with the id of the ledger's last row;
 * then the rows up to that one are read in pages, from the opening that a trim has
 * left, or from nothing. What they say must be what stands in the account: balance and
 * its chain from row to row, what each key has spent in each window, what is held and
 * by how many. It may run while requests are served. Every difference is a line.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/money.h"
#include "base/strbuf.h"
#include "operator/ctl_ledger.h"

#define MAX_TOLD (64 * 1024 * 1024)

struct verification {
	struct ctl *ctl;
	const char *account;
	bool receipts;
	bool trimmed;               /* rows before the first one stand in a file */
	int64_t balance;            /* after the rows so far */
	struct ctl_sums *spent;     /* "spent:KID:WINDOW" */
	struct ctl_sums *requests;  /* id -> rows: 1 charge, 2 abandoned, 3 both */
	struct ctl_sums *abandoned; /* id -> what its abandoned row has charged */
	unsigned long rows, differences;
	struct dr_strbuf told; /* a line for each difference */
};

/* A number as the scripts write one, which they can count with exactly. */
static bool
is_whole(const char *text, int64_t *out)
{
	const char *digits = text + (text[0] == '-');
	size_t n = strspn(digits, "0123456789");

	if (n == 0 || n > 16 || digits[n] != '\0')
		return false;
	*out = strtoll(text, NULL, 10);
	return *out <= DR_MONEY_MAX && *out >= -DR_MONEY_MAX;
}

static void
add_value(struct dr_strbuf *out, const char *text)
{
	int64_t n;

	if (is_whole(text, &n))
		dr_strbuf_adds(out, text);
	else
		dr_json_add_string(out, text);
}

/* One difference, for people or as JSON. */
static void
differs_text(
    struct verification *v, const char *where, const char *expected, const char *found)
{
	struct dr_strbuf *out = &v->told;

	if (v->ctl->json) {
		dr_strbuf_addf(out,
		    "%s{\"account\":\"%s\",\"where\":", v->differences > 0 ? ",\n" : "",
		    v->account);
		dr_json_add_string(out, where);
		dr_strbuf_adds(out, ",\"expected\":");
	} else {
		dr_strbuf_addf(out, "%s: %s: expected ", v->account, where);
	}
	add_value(out, expected);
	dr_strbuf_adds(out, v->ctl->json ? ",\"found\":" : ", found ");
	add_value(out, found);
	dr_strbuf_addc(out, v->ctl->json ? '}' : '\n');
	v->differences++;
}

static void
differs(struct verification *v, const char *where, int64_t expected, int64_t found)
{
	char texts[2][24];

	snprintf(texts[0], sizeof texts[0], "%" PRId64, expected);
	snprintf(texts[1], sizeof texts[1], "%" PRId64, found);
	differs_text(v, where, texts[0], texts[1]);
}

static void
compare(struct verification *v, const char *where, int64_t expected, int64_t found)
{
	if (expected != found)
		differs(v, where, expected, found);
}

/* What stands in Redis: the scripts refuse to go on with what is no number, so that is
 * a difference whatever its beginning looks like. A field that is not there is 0. */
static void
compare_stored(
    struct verification *v, const char *where, int64_t expected, const char *stored)
{
	char text[24];
	int64_t found = 0;

	snprintf(text, sizeof text, "%" PRId64, expected);
	if (stored[0] != '\0' && !is_whole(stored, &found))
		differs_text(v, where, text, stored);
	else
		compare(v, where, expected, found);
}

/* ---- the rows ---- */

static void
add_spent(struct verification *v, const struct ctl_reply *fields, int64_t nano)
{
	const char *key = ctl_field(fields, "key"),
		   *window = ctl_field(fields, "window");
	char name[128];

	snprintf(name, sizeof name, "spent:%s:total", key);
	ctl_sums_add(v->spent, name, nano);
	if (window[0] == '\0' || strcmp(window, "total") == 0)
		return;
	snprintf(name, sizeof name, "spent:%s:%s", key, window);
	ctl_sums_add(v->spent, name, nano);
}

/*
 * A request is charged once; one that was abandoned may be settled late, once: then the
 * late row names what the abandoned one has charged (rows of older versions do not).
 */
static void
count_request(struct verification *v, const char *row, const struct ctl_reply *fields,
    bool abandoned)
{
	const char *id = ctl_field(fields, "req");
	bool late = strncmp(ctl_field(fields, "flags"), "late", 4) == 0;
	int64_t before = ctl_sums_get(v->requests, id);
	int64_t wanted = late ? 2 : 0;
	char where[200];

	snprintf(
	    where, sizeof where, "row %s: request %s: rows before this one", row, id);
	/* the abandoned row of a late one may have been trimmed */
	if (before != wanted && !(late && before == 0 && v->trimmed))
		differs(v, where, wanted, before);
	ctl_sums_add(v->requests, id, abandoned ? 2 : 1);
	if (abandoned)
		ctl_sums_add(v->abandoned, id, -ctl_field_number(fields, "nano"));
	if (!late || before != 2 || ctl_field(fields, "was")[0] == '\0')
		return;
	snprintf(where, sizeof where,
	    "row %s: request %s: charged when it was abandoned", row, id);
	compare(
	    v, where, ctl_sums_get(v->abandoned, id), ctl_field_number(fields, "was"));
}

/* The receipt, where it is still there, says the same charge. */
static void
check_receipt(struct verification *v, const char *row, const struct ctl_reply *fields)
{
	char name[128], key[CTL_KEY_SIZE], where[200];
	struct ctl_reply receipt;
	const char *at;

	snprintf(name, sizeof name, "receipt:%s", ctl_field(fields, "req"));
	ctl_account_key(v->account, name, key);
	if (!ctl_command(v->ctl, &receipt, (const char *[]){ "GET", key, NULL }))
		return;
	at = strstr(receipt.text, "\"charge_nano_usd\":");
	snprintf(where, sizeof where, "row %s: charge on the receipt", row);
	if (at != NULL && strncmp(ctl_field(fields, "flags"), "late", 4) != 0)
		compare(v, where, -ctl_field_number(fields, "nano"),
		    strtoll(at + strlen("\"charge_nano_usd\":"), NULL, 10));
	ctl_reply_free(&receipt);
}

static bool
check_row(void *arg, const char *id, const struct ctl_reply *fields)
{
	struct verification *v = arg;
	const char *type = ctl_field(fields, "type");
	bool charge = strcmp(type, "charge") == 0;
	bool abandoned = strcmp(type, "abandoned") == 0;
	int64_t nano = ctl_field_number(fields, "nano");
	char where[100];

	v->rows++;
	v->balance += nano;
	snprintf(where, sizeof where, "row %s: balance after it", id);
	compare_stored(v, where, v->balance, ctl_field(fields, "balance"));
	/* one wrong row is one difference, not one for each after it */
	v->balance = ctl_field_number(fields, "balance");
	if (!charge && !abandoned)
		return true;
	add_spent(v, fields, -nano);
	count_request(v, id, fields, abandoned);
	if (v->receipts && charge)
		check_receipt(v, id, fields);
	return true;
}

/* ---- the account ---- */

/* "KID.spent:WINDOW" and "spent:KID:WINDOW" are the same sum. */
static void
check_spent_field(struct verification *v, const char *field, const char *stored)
{
	const char *dot = strchr(field, '.');
	char name[128];

	snprintf(name, sizeof name, "spent:%.*s:%s", (int)(dot - field), field,
	    dot + strlen(".spent:"));
	compare_stored(v, field, ctl_sums_get(v->spent, name), stored);
}

struct expected_fields {
	struct verification *v;
	const struct ctl_reply *account;
};

/* What the rows say was spent must stand in the account, too. */
static void
check_spent_is_there(void *arg, const char *name, int64_t n)
{
	struct expected_fields *e = arg;
	char field[128];
	const char *key = name + strlen("spent:"), *colon = strchr(key, ':');

	if (colon == NULL)
		return;
	snprintf(
	    field, sizeof field, "%.*s.spent:%s", (int)(colon - key), key, colon + 1);
	if (ctl_field(e->account, field)[0] == '\0' && n != 0)
		differs(e->v, field, n, 0);
}

/* What entries hold must stand in the account under their key and window, too. */
static void
check_held_is_there(void *arg, const char *field, int64_t n)
{
	struct expected_fields *e = arg;

	if (ctl_field(e->account, field)[0] == '\0' && n != 0)
		differs(e->v, field, n, 0);
}

/* Holds: the account's sum, their number, and each key's by window. */
static void
check_running(struct verification *v, const struct ctl_reply *account,
    const struct ctl_reply *running)
{
	struct ctl_sums *held = ctl_sums_new();
	struct expected_fields expected = { v, account };
	int64_t sum = 0, hold;
	char window[32], name[128];

	for (size_t i = 0; i + 2 < running->n; i += 3) {
		if (sscanf(running->items[i + 2].text, "%" SCNd64 " %*d %*d %31s",
			&hold, window) != 2) {
			snprintf(name, sizeof name, "open:%s: entry of %.80s",
			    running->items[i].text, running->items[i + 1].text);
			differs_text(v, name, "HOLD EXPIRY COST WINDOW",
			    running->items[i + 2].text);
			continue;
		}
		sum += hold;
		snprintf(
		    name, sizeof name, "%s.held:%s", running->items[i].text, window);
		ctl_sums_add(held, name, hold);
	}
	compare_stored(v, "held", sum, ctl_field(account, "held"));
	compare_stored(
	    v, "running", (int64_t)(running->n / 3), ctl_field(account, "running"));
	for (size_t i = 0; i + 1 < account->n; i += 2)
		if (strstr(account->items[i].text, ".held:") != NULL)
			compare_stored(v, account->items[i].text,
			    ctl_sums_get(held, account->items[i].text),
			    account->items[i + 1].text);
	ctl_sums_each(held, check_held_is_there, &expected);
	ctl_sums_free(&held);
}

static void
check_account(struct verification *v, const struct ctl_reply *books)
{
	const struct ctl_reply *account = &books->items[1];
	struct expected_fields expected = { v, account };

	compare_stored(v, "balance", v->balance, ctl_field(account, "balance"));
	for (size_t i = 0; i + 1 < account->n; i += 2)
		if (strstr(account->items[i].text, ".spent:") != NULL)
			check_spent_field(
			    v, account->items[i].text, account->items[i + 1].text);
	ctl_sums_each(v->spent, check_spent_is_there, &expected);
	check_running(v, account, &books->items[3]);
}

/* ---- the verb ---- */

struct run {
	bool receipts;
	unsigned long accounts, rows, differences;
	struct dr_strbuf told; /* JSON: printed as one document at the end */
};

/* One look at the books. *changed: rows were trimmed away while they were read, so what
 * was found means nothing. */
static bool
look(struct verification *v, const struct ctl_reply *books, bool *changed)
{
	char key[CTL_KEY_SIZE];
	bool ok = true;

	v->balance = ctl_field_number(&books->items[2], "balance");
	v->trimmed = ctl_field(&books->items[2], "until")[0] != '\0';
	ctl_sums_take(v->spent, &books->items[2], "spent:");
	ctl_account_key(v->account, "ledger", key);
	if (books->items[0].text[0] != '\0')
		ok = ctl_each_row(v->ctl, key, "-", books->items[0].text, check_row, v);
	if (!ok || !ctl_trimmed_since(v->ctl, v->account, books, changed))
		return false;
	if (!*changed)
		check_account(v, books);
	return true;
}

/* Differences are told only once it is known that the rows were all there. */
static bool
verify_account(struct ctl *ctl, const char *account, void *arg)
{
	struct run *run = arg;
	bool ok = true, changed = true;

	while (ok && changed) {
		struct verification v = { .ctl = ctl,
			.account = account,
			.receipts = run->receipts,
			.spent = ctl_sums_new(),
			.requests = ctl_sums_new(),
			.abandoned = ctl_sums_new() };
		struct ctl_reply books;

		dr_strbuf_init(&v.told, MAX_TOLD);
		ok = ctl_account_read(ctl, account, &books);
		if (ok) {
			ok = look(&v, &books, &changed);
			ctl_reply_free(&books);
		}
		if (ok && !changed) {
			if (!ctl->json)
				fputs(v.told.data, stdout);
			else if (v.told.len > 0)
				dr_strbuf_addf(&run->told, "%s%s",
				    run->told.len > 0 ? ",\n" : "", v.told.data);
			run->accounts++;
			run->rows += v.rows;
			run->differences += v.differences;
		}
		dr_strbuf_fini(&v.told);
		ctl_sums_free(&v.spent);
		ctl_sums_free(&v.requests);
		ctl_sums_free(&v.abandoned);
	}
	return ok;
}

int
ctl_ledger_verify(struct ctl *ctl, int argc, char **argv)
{
	const char *account = NULL;
	struct ctl_option options[] = { { "--receipts", NULL, 1, 0 },
		{ NULL, NULL, 0, 0 } };
	struct run run = { 0 };
	size_t n = 0;
	bool ok;

	if (!ctl_options(argc, argv, options, &account, 0, 1, &n,
		"ledger verify [ACCOUNT] [--receipts]"))
		return CTL_USAGE;
	run.receipts = options[0].n > 0;
	dr_strbuf_init(&run.told, MAX_TOLD);
	ok = ctl_each_account(ctl, n > 0 ? account : NULL, verify_account, &run);
	if (ok && ctl->json)
		printf("{\"accounts\":%lu,\"rows\":%lu,\"differences\":[%s]}\n",
		    run.accounts, run.rows, run.told.data);
	else if (ok)
		printf("%lu accounts, %lu rows, %lu differences\n", run.accounts,
		    run.rows, run.differences);
	dr_strbuf_fini(&run.told);
	return ok && run.differences == 0 ? CTL_OK : CTL_FAILED;
}
