/*
 * ctl_provider_show - provider list | show: the record, and what is known of the
 * provider just now.
 */
#include <stdio.h>
#include <string.h>

#include "operator/ctl_provider.h"

static const char *const columns[] = { "name", "enabled", "dialects", "base_url",
	"#max_concurrency", "#running", "#weight", "#priority", "rest", "liveness",
	"org", "models", NULL };

static void
add_cell(
    struct ctl_table *table, const struct dr_provider_record *record, const char *field)
{
	struct dr_strbuf text;

	dr_strbuf_init(&text, CTL_MAX_TEXT);
	(void)dr_provider_record_get(record, field, &text);
	ctl_table_cell(table, text.data);
	dr_strbuf_fini(&text);
}

static bool
add_row(struct ctl *ctl, struct ctl_table *table, const char *name)
{
	struct dr_provider_record *record = ctl_provider_read(ctl, name, NULL);
	char key[DR_PROVIDER_KEY_SIZE];
	struct ctl_reply running;

	if (record == NULL)
		return false;
	dr_provider_key_running(name, key);
	if (!ctl_command(ctl, &running, (const char *[]){ "ZCARD", key, NULL })) {
		dr_provider_record_free(&record);
		return false;
	}
	for (size_t i = 0; columns[i] != NULL; i++) {
		if (strcmp(columns[i], "#running") == 0)
			ctl_table_number(table, running.number);
		else
			add_cell(table, record, columns[i] + (columns[i][0] == '#'));
	}
	ctl_reply_free(&running);
	dr_provider_record_free(&record);
	return true;
}

int
ctl_provider_list(struct ctl *ctl, int argc, char **argv)
{
	const char *word;
	struct ctl_reply names;
	struct ctl_table *table;
	int status = CTL_OK;
	size_t n;

	if (!ctl_options(argc, argv, NULL, &word, 0, 0, &n, "provider list"))
		return CTL_USAGE;
	if (!ctl_command(
		ctl, &names, (const char *[]){ "HKEYS", DR_PROVIDERS_KEY, NULL }))
		return CTL_FAILED;
	table = ctl_table_new(columns);
	for (size_t i = 0; i < names.n; i++)
		if (!add_row(ctl, table, names.items[i].text))
			status = CTL_FAILED; /* a damaged one was named; the others are
						shown */
	ctl_reply_free(&names);
	ctl_table_print(ctl, &table, false);
	return status;
}

int
ctl_provider_show(struct ctl *ctl, int argc, char **argv)
{
	const char *name;
	struct ctl_table *table;
	size_t n;
	bool found;

	if (!ctl_options(argc, argv, NULL, &name, 1, 1, &n, "provider show NAME"))
		return CTL_USAGE;
	table = ctl_table_new(columns);
	found = add_row(ctl, table, name);
	if (found)
		ctl_table_print(ctl, &table, true);
	else
		ctl_table_free(&table);
	return found ? CTL_OK : CTL_FAILED;
}
