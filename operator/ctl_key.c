/*
 * ctl_key - key add | list | show | set | rotate | disable | enable | delete.
 *
 * A key is named by its id (six letters), by ACCOUNT-ID, or by the whole key. `keys` is
 * a hash of all ids with their accounts, so that an id alone finds its slot.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/key_make.h"
#include "operator/ctl_key.h"
#include "scripts/scripts.h"

/* "abc123" -> its account, asked of Redis. */
static bool
look_up(struct ctl *ctl, struct ctl_key_name *name)
{
	struct ctl_reply reply;
	bool found;

	if (!ctl_command(
		ctl, &reply, (const char *[]){ "HGET", "keys", name->id, NULL }))
		return false;
	found = strlen(reply.text) == DR_ACCOUNT_LEN;
	snprintf(name->account, sizeof name->account, "%s", reply.text);
	ctl_reply_free(&reply);
	if (!found)
		ctl_fail(CTL_FAILED, "KEY: there is no key \"%s\"", name->id);
	return found;
}

bool
ctl_key_name(struct ctl *ctl, const char *text, struct ctl_key_name *name, int *status)
{
	struct dr_api_key key;
	size_t n = strlen(text);

	*status = CTL_FAILED;
	if (dr_api_key_parse(ctl->config->settings->key_prefix, text, &key)) {
		memcpy(name->account, key.account, sizeof name->account);
		memcpy(name->id, key.key_id, sizeof name->id);
		return true;
	}
	if (n == DR_KEY_ID_LEN) {
		memcpy(name->id, text, n + 1);
		return look_up(ctl, name);
	}
	if (n == DR_ACCOUNT_LEN + 1 + DR_KEY_ID_LEN && text[DR_ACCOUNT_LEN] == '-') {
		snprintf(name->account, sizeof name->account, "%s", text);
		memcpy(name->id, text + DR_ACCOUNT_LEN + 1, DR_KEY_ID_LEN + 1);
		return true;
	}
	*status = CTL_USAGE;
	ctl_fail(CTL_USAGE,
	    "KEY: want a key's id (six letters or digits) or the key itself");
	return false;
}

/* ---- add ---- */

struct making {
	struct dr_key_make make;
	bool done;
	enum dr_key_made how;
};

static void
on_made(struct dr_key_make *make, enum dr_key_made how, enum dr_error err)
{
	struct making *making = DR_CONTAINER_OF(make, struct making, make);

	making->done = true;
	making->how = how;
	if (err != DR_OK)
		ctl_fail(CTL_FAILED, "%s", dr_error_info(err)->message);
}

/* True: the key is in Redis; its text is the caller's to wipe. */
static bool
store_key(struct ctl *ctl, const char *account, const struct dr_key_change *change,
    struct making *making)
{
	*making =
	    (struct making){ .make = { .prefix = ctl->config->settings->key_prefix,
				 .change = change,
				 .done = on_made } };
	snprintf(making->make.account, sizeof making->make.account, "%s", account);
	dr_key_make(ctl->store, &making->make);
	while (!making->done) /* several calls of the store */
		dr_store_wait(ctl->store, &making->make.call);
	return making->how == DR_KEY_MADE;
}

static int
key_add(struct ctl *ctl, int argc, char **argv)
{
	struct ctl_key_limits k = { .name = "" };
	struct ctl_option options[] = { CTL_KEY_LIMIT_OPTIONS(&k),
		{ NULL, NULL, 0, 0 } };
	struct making making;
	const char *account;
	size_t n;

	if (!ctl_options(argc, argv, options, &account, 1, 1, &n,
		"key add ACCOUNT " CTL_KEY_OPTIONS) ||
	    !ctl_key_limits_check(ctl, &k, true))
		return CTL_USAGE;
	if (!ctl_account_exists(ctl, account))
		return CTL_FAILED;
	if (!store_key(ctl, account, &k.change, &making))
		return ctl_fail(CTL_FAILED, "the key could not be stored");
	if (ctl->json)
		printf("{\"key\":\"%s\",\"id\":\"%s\",\"account\":\"%s\"}\n",
		    making.make.text, making.make.key.key_id, account);
	else
		puts(making.make.text);
	dr_wipe(&making, sizeof making);
	return CTL_OK;
}

/* ---- list, show ---- */

#define KEY_COLUMNS                                                                    \
	"id", "account", "name", "status", "#rpm", "#concurrency", "budget_usd",       \
	    "budget_period", "models", "created", "expires", "old_until", "used",      \
	    "spent_total_usd"

static const char *const list_columns[] = { KEY_COLUMNS, NULL };
static const char *const show_columns[] = { KEY_COLUMNS, "window", "resets",
	"spent_usd", "held_usd", "left_usd", "#rpm_used", "#running", NULL };

static const char *
key_field(const struct ctl_reply *account, const char *id, const char *field)
{
	char name[64];

	snprintf(name, sizeof name, "%s.%s", id, field);
	return ctl_field(account, name);
}

/* "" for a field that is not there. */
static const char *
date_of(const char *field, char when[DR_CLOCK_TEXT])
{
	if (field[0] == '\0')
		return "";
	dr_clock_format_s(strtoll(field, NULL, 10), when);
	return when;
}

static void
add_key_row(struct ctl *ctl, struct ctl_table *table, const char *account_id,
    const struct ctl_reply *account, const char *id)
{
	const struct dr_settings *s = ctl->config->settings;
	const char *rpm = key_field(account, id, "rpm"),
		   *conc = key_field(account, id, "conc");
	const char *budget = key_field(account, id, "budget");
	char when[DR_CLOCK_TEXT];

	dr_clock_format_s(strtoll(key_field(account, id, "created"), NULL, 10), when);
	ctl_table_cell(table, id);
	ctl_table_cell(table, account_id);
	ctl_table_cell(table, key_field(account, id, "name"));
	ctl_table_cell(table, key_field(account, id, "status"));
	ctl_table_number(
	    table, rpm[0] != '\0' ? strtoll(rpm, NULL, 10) : s->default_rpm);
	ctl_table_number(
	    table, conc[0] != '\0' ? strtoll(conc, NULL, 10) : s->default_concurrency);
	if (budget[0] != '\0')
		ctl_table_usd(table, strtoll(budget, NULL, 10));
	else
		ctl_table_cell(table, "");
	ctl_table_cell(table, key_field(account, id, "period"));
	ctl_table_cell(table, key_field(account, id, "models"));
	ctl_table_cell(table, when);
	ctl_table_cell(table, date_of(key_field(account, id, "expires"), when));
	ctl_table_cell(table, date_of(key_field(account, id, "old_until"), when));
	ctl_table_cell(table, date_of(key_field(account, id, "used"), when));
	ctl_table_usd(table, strtoll(key_field(account, id, "spent:total"), NULL, 10));
}

/* What scripts/key_state.lua gives, by its places there; a deleted key has no state. */
enum {
	RPM_USED = 7,
	RUNNING = 9,
	BUDGET = 10,
	WINDOW = 12,
	SPENT = 13,
	HELD = 14,
	RESETS = 21
};

static void
add_state(struct ctl_table *table, const struct ctl_reply *states)
{
	const struct ctl_reply *k = states->n > 0 ? states->items[0].items : NULL;
	char when[DR_CLOCK_TEXT] = "";
	int64_t left;

	for (size_t i = 0; k == NULL && show_columns[i] != NULL; i++)
		if (i >= DR_N_ELEMENTS(list_columns) - 1)
			ctl_table_cell(table, "");
	if (k == NULL)
		return;
	left = k[BUDGET].number - k[SPENT].number - k[HELD].number;
	ctl_table_cell(table, k[WINDOW].text);
	if (k[RESETS].number > 0)
		dr_clock_format_s(k[RESETS].number, when);
	ctl_table_cell(table, when);
	ctl_table_usd(table, k[SPENT].number);
	ctl_table_usd(table, k[HELD].number);
	if (k[BUDGET].number >= 0)
		ctl_table_usd(table, left > 0 ? left : 0);
	else
		ctl_table_cell(table, "");
	ctl_table_number(table, k[RPM_USED].number);
	ctl_table_number(table, k[RUNNING].number);
}

static bool
read_state(struct ctl *ctl, const struct ctl_key_name *name, struct ctl_reply *out)
{
	const struct dr_settings *s = ctl->config->settings;
	char key[CTL_KEY_SIZE], tag[CTL_KEY_SIZE], rpm[24], conc[24], offset[24] = "0";

	ctl_account_key(name->account, "account", key);
	snprintf(tag, sizeof tag, "{a:%s}", name->account);
	snprintf(rpm, sizeof rpm, "%" PRId64, s->default_rpm);
	snprintf(conc, sizeof conc, "%" PRId64, s->default_concurrency);
#ifdef DR_DEBUG
	snprintf(offset, sizeof offset, "%" PRId64, s->test_clock_offset);
#endif
	return ctl_script(ctl, out, tag, &dr_script_keys_read, 1,
	    (const char *[]){ key, rpm, conc, offset, name->id, "1", "", "", NULL });
}

static bool
read_account(struct ctl *ctl, const char *id, struct ctl_reply *out)
{
	char key[CTL_KEY_SIZE];

	ctl_account_key(id, "account", key);
	return ctl_command(ctl, out, (const char *[]){ "HGETALL", key, NULL });
}

static int
key_list(struct ctl *ctl, int argc, char **argv)
{
	const char *account_id;
	struct ctl_reply account;
	struct ctl_table *table;
	size_t n;

	if (!ctl_options(argc, argv, NULL, &account_id, 1, 1, &n, "key list ACCOUNT"))
		return CTL_USAGE;
	if (!ctl_account_exists(ctl, account_id) ||
	    !read_account(ctl, account_id, &account))
		return CTL_FAILED;
	table = ctl_table_new(list_columns);
	for (size_t i = 0; i < account.n; i += 2) {
		const char *field = account.items[i].text, *dot = strchr(field, '.');

		if (dot == NULL || strcmp(dot, ".status") != 0)
			continue;
		account.items[i].text[dot - field] = '\0';
		char id[DR_KEY_ID_LEN + 1];

		snprintf(id, sizeof id, "%s", field);
		account.items[i].text[dot - field] = '.';
		add_key_row(ctl, table, account_id, &account, id);
	}
	ctl_reply_free(&account);
	ctl_table_print(ctl, &table, false);
	return CTL_OK;
}

static int
key_show(struct ctl *ctl, int argc, char **argv)
{
	const char *word;
	struct ctl_key_name name;
	struct ctl_reply account, states;
	struct ctl_table *table;
	size_t n;
	int status;

	if (!ctl_options(argc, argv, NULL, &word, 1, 1, &n, "key show KEY"))
		return CTL_USAGE;
	if (!ctl_key_name(ctl, word, &name, &status))
		return status;
	if (!read_account(ctl, name.account, &account))
		return CTL_FAILED;
	if (key_field(&account, name.id, "status")[0] == '\0') {
		ctl_reply_free(&account);
		return ctl_fail(CTL_FAILED, "KEY: there is no key \"%s\"", name.id);
	}
	if (!read_state(ctl, &name, &states)) {
		ctl_reply_free(&account);
		return CTL_FAILED;
	}
	table = ctl_table_new(show_columns);
	add_key_row(ctl, table, name.account, &account, name.id);
	add_state(table, &states);
	ctl_reply_free(&account);
	ctl_reply_free(&states);
	ctl_table_print(ctl, &table, true);
	return CTL_OK;
}

/* ---- disable, enable, delete ---- */

static int
set_status(struct ctl *ctl, int argc, char **argv, const char *to)
{
	char key[CTL_KEY_SIZE], tag[CTL_KEY_SIZE];
	const char *word;
	struct ctl_key_name name;
	struct ctl_reply reply;
	int status;
	size_t n;

	if (!ctl_options(
		argc, argv, NULL, &word, 1, 1, &n, "key disable|enable|delete KEY"))
		return CTL_USAGE;
	if (!ctl_key_name(ctl, word, &name, &status))
		return status;
	status = CTL_OK;
	ctl_account_key(name.account, "account", key);
	snprintf(tag, sizeof tag, "{a:%s}", name.account);
	if (!ctl_script(ctl, &reply, tag, &dr_script_key_status, 1,
		(const char *[]){ key, name.id, to, NULL }))
		return CTL_FAILED;
	if (strcmp(reply.text, "OK") != 0)
		status = ctl_key_refused(reply.text, name.id);
	else if (ctl->json)
		printf("{\"id\":\"%s\",\"status\":\"%s\"}\n", name.id, to);
	ctl_reply_free(&reply);
	return status;
}

static int
key_disable(struct ctl *ctl, int argc, char **argv)
{
	return set_status(ctl, argc, argv, "off");
}

static int
key_enable(struct ctl *ctl, int argc, char **argv)
{
	return set_status(ctl, argc, argv, "on");
}

static int
key_delete(struct ctl *ctl, int argc, char **argv)
{
	return set_status(ctl, argc, argv, "deleted");
}

const struct ctl_verb ctl_key_verbs[] = {
	{ "key", "add", "ACCOUNT " CTL_KEY_OPTIONS, true, key_add },
	{ "key", "list", "ACCOUNT", true, key_list },
	{ "key", "show", "KEY", true, key_show },
	{ "key", "set", "KEY " CTL_KEY_OPTIONS " [--no-budget]", true, ctl_key_set },
	{ "key", "rotate", "KEY [--grace 24h]", true, ctl_key_rotate },
	{ "key", "disable", "KEY", true, key_disable },
	{ "key", "enable", "KEY", true, key_enable },
	{ "key", "delete", "KEY", true, key_delete },
	{ NULL, NULL, NULL, false, NULL },
};
