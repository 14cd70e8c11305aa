/*
 * ctl_ledger_trim - ledger trim ACCOUNT --before DATE --export FILE: old rows leave
 * Redis for a file.
 *
 * First the rows are written to a new file and synced to disk; then one script takes
 * them out and leaves their sums as the opening that `ledger verify` and `provider
 * usage` begin with. A crash in between leaves a file more, and the ledger whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "operator/ctl_ledger.h"
#include "operator/ctl_served.h"
#include "scripts/scripts.h"

#define MAX_WORDS 100000 /* fields of an opening */

struct trimming {
	FILE *file;
	struct ctl_sums *sums; /* of the opening: spent:..., served:... */
	unsigned long rows;
	int64_t balance;
	char last[CTL_ROW_ID];
};

static void
write_row(FILE *file, const char *id, const struct ctl_reply *fields)
{
	struct dr_strbuf line;

	dr_strbuf_init(&line, 64 * 1024);
	dr_strbuf_adds(&line, "{\"id\":");
	dr_json_add_string(&line, id);
	for (size_t i = 0; i + 1 < fields->n; i += 2) {
		dr_strbuf_addc(&line, ',');
		dr_json_add_string(&line, fields->items[i].text);
		dr_strbuf_addc(&line, ':');
		dr_json_add_string(&line, fields->items[i + 1].text);
	}
	fprintf(file, "%s}\n", line.data);
	dr_strbuf_fini(&line);
}

static bool
trim_row(void *arg, const char *id, const struct ctl_reply *fields)
{
	struct trimming *t = arg;
	const char *type = ctl_field(fields, "type");
	const char *key = ctl_field(fields, "key"),
		   *window = ctl_field(fields, "window");
	int64_t nano = -ctl_field_number(fields, "nano");
	char name[128];

	write_row(t->file, id, fields);
	t->rows++;
	t->balance = ctl_field_number(fields, "balance");
	snprintf(t->last, sizeof t->last, "%s", id);
	if (strcmp(type, "charge") == 0 || strcmp(type, "abandoned") == 0) {
		snprintf(name, sizeof name, "spent:%s:total", key);
		ctl_sums_add(t->sums, name, nano);
		snprintf(name, sizeof name, "spent:%s:%s", key, window);
		if (window[0] != '\0' && strcmp(window, "total") != 0)
			ctl_sums_add(t->sums, name, nano);
		ctl_served_add(t->sums, id, fields);
	}
	return ferror(t->file) == 0;
}

/* Everything is on disk, the folder's entry too far as the file system says so. */
static bool
finish_file(FILE *file, const char *path)
{
	bool ok = fflush(file) == 0 && ferror(file) == 0 && fsync(fileno(file)) == 0;

	ok = fclose(file) == 0 && ok;
	if (!ok)
		ctl_fail(CTL_FAILED, "--export: %s: %s: nothing was trimmed", path,
		    strerror(errno));
	return ok;
}

struct word_list {
	const char **words;
	size_t n;
};

static void
add_word(void *arg, const char *name, int64_t n)
{
	struct word_list *list = arg;
	char *text = dr_malloc(24);

	DR_ASSERT(list->n + 2 < MAX_WORDS);
	snprintf(text, 24, "%" PRId64, n);
	list->words[list->n++] = name;
	list->words[list->n++] = text;
}

/* -1: said so. */
static int64_t
take_out(struct ctl *ctl, const char *account, const char *until, const char *keep,
    const struct trimming *t)
{
	char ledger[CTL_KEY_SIZE], opening[CTL_KEY_SIZE], tag[CTL_KEY_SIZE],
	    balance[24];
	struct word_list list = { dr_calloc(MAX_WORDS + 1, sizeof(char *)), 0 };
	struct ctl_reply reply;
	int64_t n = -1;
	size_t fixed;

	ctl_account_key(account, "ledger", ledger);
	ctl_account_key(account, "opening", opening);
	snprintf(tag, sizeof tag, "{a:%s}", account);
	snprintf(balance, sizeof balance, "%" PRId64, t->balance);
	const char *const first[] = { ledger, opening, until, keep, "until", t->last,
		"balance", balance };

	memcpy(list.words, first, sizeof first);
	list.n = fixed = DR_N_ELEMENTS(first);
	ctl_sums_each(t->sums, add_word, &list);
	list.words[list.n] = NULL;
	if (ctl_script(ctl, &reply, tag, &dr_script_ledger_trim, 2, list.words)) {
		n = reply.number;
		ctl_reply_free(&reply);
		if (n < 0)
			ctl_fail(CTL_FAILED,
			    "%s: somebody else has trimmed it meanwhile", account);
	}
	for (size_t i = fixed + 1; i < list.n; i += 2)
		free((char *)list.words[i]);
	free(list.words);
	return n;
}

static int
trim(struct ctl *ctl, const char *account, int64_t before_ms, const char *path)
{
	char ledger[CTL_KEY_SIZE], to[CTL_ROW_ID], keep[CTL_ROW_ID];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct trimming t = { .file = fd >= 0 ? fdopen(fd, "w") : NULL };
	struct ctl_reply books;
	int64_t n = 0;
	bool ok;

	if (t.file == NULL)
		return ctl_fail(CTL_FAILED, "--export: %s: %s", path, strerror(errno));
	if (!ctl_account_read(ctl, account, &books)) {
		fclose(t.file);
		return CTL_FAILED;
	}
	t.sums = ctl_sums_new();
	ctl_sums_take(t.sums, &books.items[2], "spent:");
	ctl_sums_take(t.sums, &books.items[2], "served:");
	ctl_account_key(account, "ledger", ledger);
	snprintf(to, sizeof to, "(%" PRId64 "-0", before_ms);
	snprintf(keep, sizeof keep, "%" PRId64 "-0", before_ms);
	ok = ctl_each_row(ctl, ledger, "-", to, trim_row, &t);
	ok = finish_file(t.file, path) && ok;
	if (ok && t.rows > 0)
		n = take_out(
		    ctl, account, ctl_field(&books.items[2], "until"), keep, &t);
	else
		unlink(path);
	ctl_reply_free(&books);
	ctl_sums_free(&t.sums);
	if (!ok || n < 0)
		return CTL_FAILED;
	if (ctl->json)
		printf("{\"rows\":%" PRId64 "}\n", n);
	else
		printf("%" PRId64 " rows in %s\n", n, n > 0 ? path : "no file");
	return CTL_OK;
}

int
ctl_ledger_trim(struct ctl *ctl, int argc, char **argv)
{
	const char *account, *before = NULL, *path = NULL;
	struct ctl_option options[] = { { "--before", &before, 1, 0 },
		{ "--export", &path, 1, 0 }, { NULL, NULL, 0, 0 } };
	int64_t before_ms;
	size_t n;

	if (!ctl_options(argc, argv, options, &account, 1, 1, &n,
		"ledger trim ACCOUNT --before 2026-11-01 --export FILE"))
		return CTL_USAGE;
	if (before == NULL || path == NULL)
		return ctl_fail(CTL_USAGE, "%s: is missing",
		    before == NULL ? "--before" : "--export");
	if (!ctl_time("--before", before, &before_ms))
		return CTL_USAGE;
	if (!ctl_account_exists(ctl, account))
		return CTL_FAILED;
	return trim(ctl, account, before_ms, path);
}
