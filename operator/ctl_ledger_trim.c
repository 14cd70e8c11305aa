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
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "operator/ctl_ledger.h"
#include "operator/ctl_served.h"
#include "operator/ctl_used.h"
#include "scripts/scripts.h"

#define MAX_LINE (16 * 1024 * 1024)
/* So long ago, a window is over in every time zone. */
#define OVER_MS (INT64_C(3) * 86400000)

struct trimming {
	FILE *file;
	bool cut;              /* a row could not be written as a whole */
	struct ctl_sums *sums; /* of the opening: spent:..., served:..., used:... */
	unsigned long rows;
	int64_t balance;
	char last[CTL_ROW_ID];
};

/* False: it is not in the file as a whole. */
static bool
write_row(FILE *file, const char *id, const struct ctl_reply *fields)
{
	struct dr_strbuf line;
	bool whole;

	dr_strbuf_init(&line, MAX_LINE);
	dr_strbuf_adds(&line, "{\"id\":");
	dr_json_add_string(&line, id);
	for (size_t i = 0; i + 1 < fields->n; i += 2) {
		dr_strbuf_addc(&line, ',');
		dr_json_add_string(&line, fields->items[i].text);
		dr_strbuf_addc(&line, ':');
		dr_json_add_string(&line, fields->items[i + 1].text);
	}
	whole = !line.failed && fprintf(file, "%s}\n", line.data) > 0;
	dr_strbuf_fini(&line);
	return whole;
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

	t->cut = !write_row(t->file, id, fields);
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
		ctl_used_add(t->sums, id, fields);
	}
	return !t->cut;
}

/* The name of the file is an entry of its folder, which is on disk only once the folder
 * was synced too. */
static bool
sync_folder(const char *path)
{
	char *copy = dr_strdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	free(copy);
	return ok;
}

static bool
finish_file(FILE *file, const char *path, bool cut)
{
	bool ok = fflush(file) == 0 && !cut && fsync(fileno(file)) == 0;

	ok = fclose(file) == 0 && ok && sync_folder(path);
	if (!ok)
		ctl_fail(CTL_FAILED, "--export: %s: %s: nothing was trimmed", path,
		    strerror(errno));
	return ok;
}

/* ---- the script's words ---- */

struct word_list {
	char **words; /* all owned; ended by NULL */
	size_t n, size;
	const char *over; /* windows before this day are long over */
	bool of_old;      /* gather those windows, or else all other sums */
};

static void
add_text(struct word_list *list, const char *text, size_t len)
{
	if (list->n + 1 >= list->size) {
		list->size = list->size == 0 ? 256 : list->size * 2;
		list->words = dr_realloc(list->words, list->size * sizeof *list->words);
	}
	list->words[list->n++] = dr_strndup(text, len);
	list->words[list->n] = NULL;
}

static void
add_number(struct word_list *list, int64_t n)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRId64, n);
	add_text(list, text, strlen(text));
}

/* "spent:KID:2026-11-22", or a month's "spent:KID:2026-11", of a window that ended days
 * ago wherever the account's midnight lies. */
static bool
is_long_over(const char *name, const char *over)
{
	const char *window = strrchr(name, ':') + 1;

	return strncmp(name, "spent:", 6) == 0 && strcmp(window, "total") != 0 &&
	       strncmp(window, over, strlen(window)) < 0;
}

static void
add_sum(void *arg, const char *name, int64_t n)
{
	struct word_list *list = arg;
	bool old = is_long_over(name, list->over);

	if (old != list->of_old)
		return;
	if (old) {
		const char *key = name + strlen("spent:"), *colon = strchr(key, ':');

		add_text(list, key, (size_t)(colon - key));
		add_text(list, colon + 1, strlen(colon + 1));
	} else {
		add_text(list, name, strlen(name));
	}
	add_number(list, n);
}

/* What ledger_trim.lua wants after its keys. */
static void
add_arguments(struct word_list *list, const char *until, const char *keep,
    const struct trimming *t)
{
	char count_text[24];
	size_t count;

	add_text(list, until, strlen(until));
	add_text(list, keep, strlen(keep));
	count = list->n;
	add_text(list, "", 0); /* filled below */
	add_text(list, "until", 5);
	add_text(list, t->last, strlen(t->last));
	add_text(list, "balance", 7);
	add_number(list, t->balance);
	ctl_sums_each(t->sums, add_sum, list);
	snprintf(count_text, sizeof count_text, "%zu", (list->n - count - 1) / 2);
	free(list->words[count]);
	list->words[count] = dr_strdup(count_text);
	list->of_old = true;
	ctl_sums_each(t->sums, add_sum, list);
}

/* The first id that stays: what came after the last row of the file is not in it,
 * whatever date was asked for. */
static void
next_id(const char *last, char keep[CTL_ROW_ID])
{
	const char *dash = strchr(last, '-');

	DR_ASSERT(dash != NULL);
	snprintf(keep, CTL_ROW_ID, "%.*s-%llu", (int)(dash - last), last,
	    strtoull(dash + 1, NULL, 10) + 1);
}

/* A window that still runs is never forgotten, though all rows of it may go: its budget
 * would begin anew. */
static void
over_before(int64_t before_ms, char over[DR_CLOCK_TEXT])
{
	int64_t now_ms = dr_clock_wall_ms();

	dr_clock_format_s((before_ms < now_ms ? before_ms : now_ms) - OVER_MS, over);
	over[10] = '\0';
}

/* -1: said so. */
static int64_t
take_out(struct ctl *ctl, const char *account, const char *until, int64_t before_ms,
    const struct trimming *t)
{
	static const char *const names[] = { "ledger", "opening", "account" };
	char key[CTL_KEY_SIZE], tag[CTL_KEY_SIZE], over[DR_CLOCK_TEXT],
	    keep[CTL_ROW_ID];
	struct word_list list = { .over = over };
	struct ctl_reply reply;
	int64_t n = -1;

	over_before(before_ms, over);
	next_id(t->last, keep);
	for (size_t i = 0; i < DR_N_ELEMENTS(names); i++) {
		ctl_account_key(account, names[i], key);
		add_text(&list, key, strlen(key));
	}
	snprintf(tag, sizeof tag, "{a:%s}", account);
	add_arguments(&list, until, keep, t);
	if (ctl_script(ctl, &reply, tag, &dr_script_ledger_trim, DR_N_ELEMENTS(names),
		(const char *const *)list.words)) {
		n = reply.number;
		ctl_reply_free(&reply);
		if (n < 0)
			ctl_fail(CTL_FAILED,
			    "%s: somebody else has trimmed it meanwhile", account);
	}
	for (size_t i = 0; i < list.n; i++)
		free(list.words[i]);
	free(list.words);
	return n;
}

static int
trim(struct ctl *ctl, const char *account, int64_t before_ms, const char *path)
{
	char ledger[CTL_KEY_SIZE], to[CTL_ROW_ID];
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
	ctl_sums_take(t.sums, &books.items[2], "used:");
	ctl_account_key(account, "ledger", ledger);
	snprintf(to, sizeof to, "(%" PRId64 "-0", before_ms);
	ok = ctl_each_row(ctl, ledger, "-", to, trim_row, &t);
	ok = finish_file(t.file, path, t.cut) && ok;
	if (ok && t.rows > 0)
		n = take_out(
		    ctl, account, ctl_field(&books.items[2], "until"), before_ms, &t);
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
