/*
 * usage_sums - see the header. Groups are found by json-c's hash table; its name of a
 * group is "DAY KEY MODEL", as far as they matter.
 */
#include "handlers/usage_sums.h"

#include <inttypes.h>
#include <json-c/linkhash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "handlers/api_json.h"

#define MAX_GROUPS 20000

struct sums {
	int64_t requests, input, output, cache_write, cache_read, searches, nano;
};

struct group {
	int64_t day;
	char *model; /* owned */
	char key[DR_KEY_ID_LEN + 1];
	struct sums sums;
};

struct dr_usage_sums {
	const struct dr_usage_query *query; /* borrowed */
	struct lh_table *table;             /* name -> struct group, both owned */
	struct lh_table *names;             /* of keys: id -> name or NULL, owned */
	struct sums total;
	bool overflowed;
};

static void
free_entry(struct lh_entry *entry)
{
	struct group *group = (void *)lh_entry_v(entry);

	free(group->model);
	free(group);
	free(lh_entry_k(entry));
}

static void
free_name(struct lh_entry *entry)
{
	free((void *)lh_entry_v(entry));
	free(lh_entry_k(entry));
}

struct dr_usage_sums *
dr_usage_sums_new(const struct dr_usage_query *query)
{
	struct dr_usage_sums *sums = dr_calloc(1, sizeof *sums);

	sums->query = query;
	sums->table = lh_kchar_table_new(64, free_entry);
	sums->names = lh_kchar_table_new(16, free_name);
	DR_ASSERT(sums->table != NULL && sums->names != NULL);
	return sums;
}

void
dr_usage_sums_free(struct dr_usage_sums **sums)
{
	if (*sums == NULL)
		return;
	lh_table_free((*sums)->table);
	lh_table_free((*sums)->names);
	free(*sums);
	*sums = NULL;
}

/* ---- rows ---- */

/* The group of a row on that day, a new one where there is none; NULL: too many. */
static struct group *
group_of(struct dr_usage_sums *sums, const struct dr_ledger_row *row, int64_t day)
{
	const struct dr_usage_query *q = sums->query;
	char name[DR_MAX_MODEL_NAME + 64];
	struct group *group;
	void *value;

	snprintf(name, sizeof name, "%" PRId64 " %s %s", q->by_day ? day : 0,
	    q->by_key ? row->key_id : "", q->by_model ? row->model : "");
	if (lh_table_lookup_ex(sums->table, name, &value))
		return value;
	if (lh_table_length(sums->table) >= MAX_GROUPS) {
		sums->overflowed = true;
		return NULL;
	}
	group = dr_calloc(1, sizeof *group);
	group->day = day;
	group->model = dr_strdup(row->model);
	snprintf(group->key, sizeof group->key, "%s", row->key_id);
	DR_ASSERT(lh_table_insert(sums->table, dr_strdup(name), group) == 0);
	if (q->by_key && lh_table_lookup_entry(sums->names, group->key) == NULL)
		DR_ASSERT(
		    lh_table_insert(sums->names, dr_strdup(group->key), NULL) == 0);
	return group;
}

static void
add(struct sums *to, const struct dr_ledger_row *row)
{
	const struct dr_usage *u = &row->usage;

	/* a late row books the rest of a request that an abandoned one has counted */
	to->requests += strncmp(row->flags, "late", 4) != 0;
	to->input += u->input;
	to->output += u->output;
	to->cache_write += u->cache_write_5m + u->cache_write_1h;
	to->cache_read += u->cache_read;
	to->searches += u->web_searches;
	to->nano -= row->nano;
}

void
dr_usage_sums_add(struct dr_usage_sums *sums, const struct dr_ledger_row *row)
{
	const struct dr_usage_query *q = sums->query;
	struct group *group;
	int64_t day;

	if (strcmp(row->type, "charge") != 0 && strcmp(row->type, "abandoned") != 0)
		return;
	if ((q->key != NULL && strcmp(q->key, row->key_id) != 0) ||
	    (q->model != NULL && strcmp(q->model, row->model) != 0))
		return;
	day = dr_zone_day(&q->zone, row->time_ms);
	if (day < q->first_day || day > q->last_day)
		return;
	add(&sums->total, row);
	group = group_of(sums, row, day);
	if (group != NULL)
		add(&group->sums, row);
}

bool
dr_usage_sums_overflowed(const struct dr_usage_sums *sums)
{
	return sums->overflowed;
}

/* ---- the keys' names ---- */

const char **
dr_usage_sums_keys(const struct dr_usage_sums *sums, size_t *n)
{
	const char **ids;
	struct lh_entry *entry;
	size_t i = 0;

	*n = (size_t)lh_table_length(sums->names);
	if (*n == 0)
		return NULL;
	ids = dr_calloc(*n, sizeof *ids);
	lh_foreach(sums->names, entry) ids[i++] = lh_entry_k(entry);
	return ids;
}

void
dr_usage_sums_name_key(struct dr_usage_sums *sums, const char *id, const char *name)
{
	struct lh_entry *entry = lh_table_lookup_entry(sums->names, id);

	DR_ASSERT(entry != NULL);
	free((void *)lh_entry_v(entry));
	lh_entry_set_val(entry, dr_strdup(name));
}

/* ---- writing ---- */

static void
write_sums(struct dr_strbuf *out, const struct sums *s)
{
	dr_api_add_whole(out, "requests", s->requests);
	dr_api_add_whole(out, "input_tokens", s->input);
	dr_api_add_whole(out, "output_tokens", s->output);
	dr_api_add_whole(out, "cache_creation_input_tokens", s->cache_write);
	dr_api_add_whole(out, "cache_read_input_tokens", s->cache_read);
	dr_api_add_whole(out, "web_searches", s->searches);
	dr_api_add_money(out, "cost", s->nano);
}

static void
write_group(
    struct dr_strbuf *out, const struct dr_usage_sums *sums, const struct group *group)
{
	const struct dr_usage_query *q = sums->query;
	char day[DR_DAY_TEXT];
	void *name = NULL;

	dr_api_item(out);
	dr_strbuf_addc(out, '{');
	dr_day_format(group->day, day);
	if (q->by_day)
		dr_api_add_text(out, "day", day);
	if (q->by_model)
		dr_api_add_text(out, "model", group->model);
	if (q->by_key)
		dr_api_add_text(out, "key", group->key);
	if (q->by_key) {
		(void)lh_table_lookup_ex(sums->names, group->key, &name);
		dr_api_add_text(out, "key_name", name);
	}
	write_sums(out, &group->sums);
	dr_strbuf_addc(out, '}');
}

static int
compare(const void *a, const void *b)
{
	const struct group *x = *(const struct group *const *)a,
			   *y = *(const struct group *const *)b;
	int models = strcmp(x->model, y->model);

	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	return models != 0 ? models : strcmp(x->key, y->key);
}

/* What does not tell groups apart has no part in their order either: members that no
 * group was made by are those of whatever row came first. */
static void
forget_what_is_not_asked(struct group *group, const struct dr_usage_query *q)
{
	if (!q->by_day)
		group->day = 0;
	if (!q->by_model)
		group->model[0] = '\0';
	if (!q->by_key)
		group->key[0] = '\0';
}

/* Days of which no row told, up to the one before `end`. */
static void
write_idle_days(
    struct dr_strbuf *out, const struct dr_usage_sums *sums, int64_t *next, int64_t end)
{
	char nothing[] = "";

	for (; *next < end; ++*next) {
		const struct group idle = { .day = *next, .model = nothing };

		write_group(out, sums, &idle);
	}
}

void
dr_usage_sums_write(struct dr_usage_sums *sums, struct dr_strbuf *out)
{
	const struct dr_usage_query *q = sums->query;
	bool by_day_alone = q->by_day && !q->by_model && !q->by_key;
	size_t n = (size_t)lh_table_length(sums->table), i = 0;
	struct group **groups = dr_calloc(n + 1, sizeof(struct group *));
	int64_t next = q->first_day;
	struct lh_entry *entry;

	lh_foreach(sums->table, entry)
	{
		groups[i] = (void *)lh_entry_v(entry);
		forget_what_is_not_asked(groups[i++], q);
	}
	qsort(groups, n, sizeof *groups, compare);
	dr_api_name(out, "total");
	dr_strbuf_addc(out, '{');
	write_sums(out, &sums->total);
	dr_strbuf_addc(out, '}');
	dr_api_name(out, "data");
	dr_strbuf_addc(out, '[');
	for (i = 0; i < n; i++) {
		if (by_day_alone)
			write_idle_days(out, sums, &next, groups[i]->day);
		write_group(out, sums, groups[i]);
		next = groups[i]->day + 1;
	}
	if (by_day_alone)
		write_idle_days(out, sums, &next, q->last_day + 1);
	dr_strbuf_addc(out, ']');
	free(groups);
}
