/*
 * ctl_session - see the header.
 *
 * They are what gateway/session.h says: `{a:ACCT}:sessions`, a row for each. One whose
 * time is over opens nothing, whether its row still stands or not.
 */
#include "operator/ctl_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/schema.h"

struct row {
	char sha[65], wallet[43];
	int64_t created_ms, expires_ms;
};

static bool
read_row(const char *text, struct row *row)
{
	return sscanf(text, "%64s %42s %" SCNd64 " %" SCNd64, row->sha, row->wallet,
		   &row->created_ms, &row->expires_ms) == 4;
}

static bool
read_all(struct ctl *ctl, const char *account, struct ctl_reply *all)
{
	char key[CTL_KEY_SIZE];

	ctl_account_key(account, DR_SCHEMA_SESSIONS, key);
	return ctl_command(ctl, all, (const char *[]){ "HGETALL", key, NULL });
}

/* ---- list ---- */

static const char *const columns[] = { "session", "wallet", "created", "expires",
	"#created_ms", "#expires_ms", NULL };

static void
add_row(struct ctl_table *table, const char *id, const struct row *row)
{
	char when[DR_CLOCK_TEXT];

	ctl_table_cell(table, id);
	ctl_table_cell(table, row->wallet);
	dr_clock_format_s(row->created_ms, when);
	ctl_table_cell(table, when);
	dr_clock_format_s(row->expires_ms, when);
	ctl_table_cell(table, when);
	ctl_table_number(table, row->created_ms);
	ctl_table_number(table, row->expires_ms);
}

static int
session_list(struct ctl *ctl, int argc, char **argv)
{
	const char *account;
	struct ctl_table *table;
	struct ctl_reply all;
	struct row row;
	size_t n;

	if (!ctl_options(argc, argv, NULL, &account, 1, 1, &n, "session list ACCOUNT"))
		return CTL_USAGE;
	if (!ctl_account_exists(ctl, account) || !read_all(ctl, account, &all))
		return CTL_FAILED;
	table = ctl_table_new(columns);
	for (size_t i = 0; i + 1 < all.n; i += 2)
		if (read_row(all.items[i + 1].text, &row) &&
		    row.expires_ms > dr_clock_wall_ms())
			add_row(table, all.items[i].text, &row);
	ctl_reply_free(&all);
	ctl_table_print(ctl, &table, false);
	return CTL_OK;
}

/* ---- end ---- */

static bool
end_one(struct ctl *ctl, const char *account, const char *id)
{
	char rows[CTL_KEY_SIZE];
	struct ctl_reply reply;

	ctl_account_key(account, DR_SCHEMA_SESSIONS, rows);
	if (!ctl_command(ctl, &reply, (const char *[]){ "HDEL", rows, id, NULL }))
		return false;
	ctl_reply_free(&reply);
	return true;
}

int64_t
ctl_sessions_end(
    struct ctl *ctl, const char *account, const char *id, const char *wallet)
{
	struct ctl_reply all;
	int64_t n = 0;

	if (!read_all(ctl, account, &all))
		return -1;
	for (size_t i = 0; n >= 0 && i + 1 < all.n; i += 2) {
		struct row row;

		if (!read_row(all.items[i + 1].text, &row) ||
		    (id != NULL && strcmp(id, all.items[i].text) != 0) ||
		    (wallet != NULL && strcmp(wallet, row.wallet) != 0))
			continue;
		n = end_one(ctl, account, all.items[i].text) ? n + 1 : -1;
	}
	ctl_reply_free(&all);
	return n;
}

static int
session_end(struct ctl *ctl, int argc, char **argv)
{
	const char *words[2];
	struct ctl_option options[] = { { "--all", NULL, 0, 0 }, { NULL, NULL, 0, 0 } };
	int64_t ended;
	size_t n;

	if (!ctl_options(argc, argv, options, words, 1, 2, &n,
		"session end ACCOUNT SESSION|--all"))
		return CTL_USAGE;
	if ((n == 2) == (options[0].n > 0))
		return ctl_fail(CTL_USAGE, n == 2 ? "--all: takes no SESSION beside it"
						  : "SESSION: is missing (or --all)");
	if (!ctl_account_exists(ctl, words[0]))
		return CTL_FAILED;
	ended = ctl_sessions_end(ctl, words[0], n == 2 ? words[1] : NULL, NULL);
	if (ended < 0)
		return CTL_FAILED;
	if (n == 2 && ended == 0)
		return ctl_fail(CTL_FAILED, "SESSION: account %s has no session \"%s\"",
		    words[0], words[1]);
	if (ctl->json)
		printf("{\"account\":\"%s\",\"sessions_ended\":%" PRId64 "}\n",
		    words[0], ended);
	else
		printf("sessions ended: %" PRId64 "\n", ended);
	return CTL_OK;
}

const struct ctl_verb ctl_session_verbs[] = {
	{ "session", "list", "ACCOUNT", true, session_list },
	{ "session", "end", "ACCOUNT SESSION|--all", true, session_end },
	{ NULL, NULL, NULL, false, NULL },
};
