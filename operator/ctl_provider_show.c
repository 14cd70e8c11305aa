/*
 * ctl_provider_show - provider list | show: the record, and what is known of the
 * provider just now, as a responder would judge it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/liveness.h"
#include "operator/ctl_provider.h"
#include "scripts/scripts.h"

#define MAX_STATE 128 /* texts of a state */

/* One provider of the directory. */
struct shown {
	struct dr_provider_record *record; /* owned */
	bool locked;                       /* its credential does not open */
	struct dr_provider_state state;
	int64_t running;
	struct dr_rest_plan rest;
};

struct directory {
	struct shown *rows; /* owned; by name */
	size_t n;
	bool watched; /* the watcher lives */
	bool damaged; /* a record could not be read, and was named */
};

/* ---- reading ---- */

static bool
read_live(struct ctl *ctl, struct shown *row)
{
	char tag[DR_PROVIDER_KEY_SIZE], keys[3][DR_PROVIDER_KEY_SIZE], err[512];
	const char *name = row->record->name, *texts[MAX_STATE], generation[] = "-";
	const struct ctl_reply *state;
	struct ctl_reply reply;
	size_t n;

	dr_provider_key_tag(name, tag);
	dr_provider_key_record(name, keys[0]);
	dr_provider_key_running(name, keys[1]);
	dr_provider_key_state(name, keys[2]);
	if (!ctl_script(ctl, &reply, tag, &dr_script_provider_read, 3,
		(const char *[]){ keys[0], keys[1], keys[2], generation, NULL }))
		return false;
	row->running = reply.items[0].number;
	state = &reply.items[1];
	n = state->n < MAX_STATE ? state->n : MAX_STATE;
	for (size_t i = 0; i < n; i++)
		texts[i] = state->items[i].text;
	if (dr_provider_state_read(&row->state, texts, n, err, sizeof err) > 0)
		ctl_fail(0, "%s: of its state: %s", name, err);
	ctl_reply_free(&reply);
	return true;
}

/* Where the key is at hand; what it opens is not looked at. */
static void
try_credential(struct ctl *ctl, struct shown *row)
{
	struct dr_seal_key key;
	char *plain, err[256];

	if (!dr_seal_key_load(
		ctl->config->settings->secrets_key_file, &key, err, sizeof err))
		return;
	row->locked = !dr_provider_record_open(row->record, &key, &plain);
	if (plain != NULL)
		dr_wipe(plain, strlen(plain));
	free(plain);
	dr_wipe(&key, sizeof key);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct shown *)a)->record->name,
	    ((const struct shown *)b)->record->name);
}

static void
lay_out_rests(struct directory *d)
{
	const struct dr_provider_record **records =
	    dr_calloc(d->n + 1, sizeof(const struct dr_provider_record *));
	struct dr_rest_plan *plans = dr_calloc(d->n + 1, sizeof *plans);

	qsort(d->rows, d->n, sizeof *d->rows, by_name);
	for (size_t i = 0; i < d->n; i++)
		records[i] = d->rows[i].record;
	dr_rest_layout(records, d->n, plans);
	for (size_t i = 0; i < d->n; i++)
		d->rows[i].rest = plans[i];
	free(plans);
	free(records);
}

static void
directory_free(struct directory *d)
{
	for (size_t i = 0; i < d->n; i++) {
		dr_provider_record_free(&d->rows[i].record);
		dr_provider_state_fini(&d->rows[i].state);
	}
	free(d->rows);
}

/* All of them, since who rests when is a matter of all. False: said so. */
static bool
directory_read(struct ctl *ctl, struct directory *d)
{
	struct ctl_reply names, watcher;
	bool ok = true;

	*d = (struct directory){ .rows = NULL };
	if (!ctl_command(
		ctl, &watcher, (const char *[]){ "EXISTS", DR_WATCHER_KEY, NULL }))
		return false;
	d->watched = watcher.number == 1;
	ctl_reply_free(&watcher);
	if (!ctl_command(
		ctl, &names, (const char *[]){ "HKEYS", DR_PROVIDERS_KEY, NULL }))
		return false;
	d->rows = dr_calloc(names.n + 1, sizeof *d->rows);
	for (size_t i = 0; i < names.n && ok; i++) {
		struct shown *row = &d->rows[d->n];

		row->record = ctl_provider_read(ctl, names.items[i].text, NULL);
		if (row->record == NULL) {
			d->damaged = true; /* it was named; the others are shown */
			continue;
		}
		d->n++;
		try_credential(ctl, row);
		ok = read_live(ctl, row);
	}
	ctl_reply_free(&names);
	lay_out_rests(d);
	if (!ok)
		directory_free(d);
	return ok;
}

/* ---- what it comes to ---- */

static unsigned
seconds_since(const struct dr_provider_state *state, int64_t at_ms)
{
	return at_ms > 0 && at_ms < state->now_ms
		   ? (unsigned)((state->now_ms - at_ms) / 1000)
		   : 0;
}

static void
say_when(struct dr_strbuf *out, const char *what, int64_t wall_ms)
{
	char text[DR_CLOCK_TEXT];

	dr_clock_format_s(wall_ms, text);
	dr_strbuf_addf(out, "%s %s", what, text);
}

/* Is it out of rotation for what its node or a probe said? NULL: it is there. */
static const char *
judge_presence(
    const struct shown *row, const struct dr_presence *presence, struct dr_strbuf *why)
{
	const struct dr_provider_state *state = &row->state;

	switch (presence->err) {
	case DR_ERR_RESTING:
		say_when(why, "its node said so:", state->hb_resting_at_ms);
		return "resting";
	case DR_ERR_PROVIDER_AUTH:
		dr_strbuf_addf(why, "probe %u s ago: %s",
		    seconds_since(state, state->probe_at_ms), state->probe_why);
		return "flagged";
	case DR_ERR_OFFLINE:
		if (row->record->liveness == DR_LIVENESS_PROBE)
			dr_strbuf_addf(why, "%lld probes failed, the last %u s ago: %s",
			    (long long)state->probe_failures,
			    seconds_since(state, state->probe_at_ms), state->probe_why);
		else if (state->hb_at_ms == 0)
			dr_strbuf_adds(why, "its node was never heard");
		else
			dr_strbuf_addf(why, "last heartbeat %u s ago",
			    seconds_since(state, state->hb_at_ms));
		return "offline";
	default:
		return NULL;
	}
}

/* Is it out of rotation for what responders met? NULL: no. */
static const char *
judge_trouble(const struct shown *row, const struct dr_breaker_shared *trouble,
    struct dr_strbuf *why)
{
	const struct dr_provider_state *state = &row->state;

	if (trouble->cool_ms > 0) {
		say_when(why, "overloaded, rests until", state->cool_until_ms);
		return "cooling";
	}
	if (trouble->doubted && trouble->turn_ms > 0)
		say_when(why, "failed, others are asked first; a request tries it at",
		    state->open_until_ms);
	else if (trouble->doubted)
		dr_strbuf_adds(why, "failed, others are asked first: the next request "
				    "tries it");
	if (trouble->doubted)
		return "doubted";
	if (!trouble->open)
		return NULL;
	if (trouble->turn_ms > 0)
		say_when(
		    why, "failed, its circuit is open until", state->open_until_ms);
	else
		dr_strbuf_adds(why, "failed, its circuit is half open: the next "
				    "request tries it");
	return "open";
}

/* What else is known of one that is there. */
static void
say_alive(const struct directory *d, const struct shown *row,
    const struct dr_presence *presence, struct dr_strbuf *why)
{
	const struct dr_provider_record *record = row->record;
	const struct dr_provider_state *state = &row->state;

	if (record->liveness == DR_LIVENESS_NODE)
		dr_strbuf_addf(
		    why, "heartbeat %u s ago", seconds_since(state, state->hb_at_ms));
	else if (record->liveness == DR_LIVENESS_PROBE && !d->watched)
		dr_strbuf_adds(why, "taken for alive: no watcher probes it");
	else if (state->probe_at_ms > 0)
		dr_strbuf_addf(why, "probe %u s ago: %s",
		    seconds_since(state, state->probe_at_ms), state->probe_why);
	if (presence->slots < record->max_concurrency)
		dr_strbuf_addf(why, "%sits node takes %u at a time",
		    why->len > 0 ? ", " : "", presence->slots);
	if (presence->rests_at_ms > 0)
		say_when(
		    why, why->len > 0 ? ", rests" : "rests", state->hb_resting_at_ms);
}

/* Why an enabled one is what it is; the order is dr_provider_standing()'s. */
static const char *
judge(const struct directory *d, const struct shown *row, struct dr_strbuf *why)
{
	int64_t now_ms = dr_clock_wall_ms();
	uint64_t rests_ms = dr_rest_wakes_in_ms(&row->rest, now_ms);
	struct dr_breaker_shared trouble;
	struct dr_presence presence;
	const char *word;

	dr_liveness_read(&presence, row->record, &row->state, d->watched, 0);
	dr_provider_state_breaker(&row->state, row->record->generation, &trouble);
	if (rests_ms > 0) {
		say_when(why, "wakes", now_ms + (int64_t)rests_ms);
		return "resting";
	}
	if (row->locked) {
		dr_strbuf_adds(why,
		    "its credential does not open with the key of secrets_key_file");
		return "flagged";
	}
	if (trouble.flagged && presence.err != DR_ERR_RESTING) {
		dr_strbuf_addf(why,
		    "refused its credential or account %u s ago: until it is changed "
		    "or a probe goes well",
		    seconds_since(&row->state, row->state.flag_at_ms));
		return "flagged";
	}
	word = judge_presence(row, &presence, why);
	if (word == NULL)
		word = judge_trouble(row, &trouble, why);
	if (word != NULL)
		return word;
	say_alive(d, row, &presence, why);
	return "alive";
}

/* ---- showing ---- */

/* Of the list, and of one alone: all that can be set, but its secrets only whether they
 * are there. */
#define FIRST_COLUMNS                                                                  \
	"name", "state", "why", "enabled", "dialects", "base_url", "#max_concurrency", \
	    "#running", "#weight", "#priority", "rest", "rests", "liveness", "node",   \
	    "org", "models"

static const char *const columns[] = { FIRST_COLUMNS, NULL };
static const char *const all_columns[] = { FIRST_COLUMNS, "header", "api_path", "query",
	"extra_headers", "rename_answers", "ca_file", "allow_http", "credential",
	"token", "changed", NULL };

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

/* A record's generation is the time at which it was written, or just above it. */
static void
add_changed(struct ctl_table *table, const struct dr_provider_record *record)
{
	char text[DR_CLOCK_TEXT];

	dr_clock_format_s(record->generation, text);
	ctl_table_cell(table, text);
}

/* The windows in force, also of an automatic rest. */
static void
add_rests(struct ctl_table *table, const struct dr_rest_plan *plan)
{
	struct dr_strbuf text;

	dr_strbuf_init(&text, CTL_MAX_TEXT);
	for (size_t i = 0; i < plan->n; i++) {
		const struct dr_rest_window *w = &plan->windows[i];

		dr_strbuf_addf(&text, "%s%02u:%02u-%02u:%02u", i > 0 ? "," : "",
		    w->from / 60, w->from % 60, w->to / 60, w->to % 60);
	}
	ctl_table_cell(table, text.data);
	dr_strbuf_fini(&text);
}

static void
add_row(const struct directory *d, struct ctl_table *table, const char *const *names,
    const struct shown *row)
{
	struct dr_strbuf why;
	const char *state = "disabled";

	dr_strbuf_init(&why, CTL_MAX_TEXT);
	if (row->record->enabled)
		state = judge(d, row, &why);
	for (; *names != NULL; names++) {
		if (strcmp(*names, "#running") == 0)
			ctl_table_number(table, row->running);
		else if (strcmp(*names, "state") == 0)
			ctl_table_cell(table, state);
		else if (strcmp(*names, "why") == 0)
			ctl_table_cell(table, why.data);
		else if (strcmp(*names, "rests") == 0)
			add_rests(table, &row->rest);
		else if (strcmp(*names, "node") == 0)
			ctl_table_cell(table, row->state.hb_version);
		else if (strcmp(*names, "credential") == 0)
			ctl_table_cell(
			    table, row->record->credential != NULL ? "set" : "none");
		else if (strcmp(*names, "token") == 0)
			ctl_table_cell(
			    table, row->record->token_sha[0] != '\0' ? "set" : "none");
		else if (strcmp(*names, "changed") == 0)
			add_changed(table, row->record);
		else
			add_cell(table, row->record, *names + (**names == '#'));
	}
	dr_strbuf_fini(&why);
}

int
ctl_provider_list(struct ctl *ctl, int argc, char **argv)
{
	struct ctl_table *table;
	struct directory d;
	const char *word;
	size_t n;
	int status;

	if (!ctl_options(argc, argv, NULL, &word, 0, 0, &n, "provider list"))
		return CTL_USAGE;
	if (!directory_read(ctl, &d))
		return CTL_FAILED;
	table = ctl_table_new(columns);
	for (size_t i = 0; i < d.n; i++)
		add_row(&d, table, columns, &d.rows[i]);
	status = d.damaged ? CTL_FAILED : CTL_OK;
	directory_free(&d);
	ctl_table_print(ctl, &table, false);
	return status;
}

int
ctl_provider_show(struct ctl *ctl, int argc, char **argv)
{
	struct dr_provider_record *record;
	struct ctl_table *table;
	struct directory d;
	const char *name;
	size_t n, at = 0;

	if (!ctl_options(argc, argv, NULL, &name, 1, 1, &n, "provider show NAME"))
		return CTL_USAGE;
	record = ctl_provider_read(ctl, name, NULL); /* says what is wrong with it */
	if (record == NULL)
		return CTL_FAILED;
	dr_provider_record_free(&record);
	if (!directory_read(ctl, &d))
		return CTL_FAILED;
	while (at < d.n && strcmp(d.rows[at].record->name, name) != 0)
		at++;
	if (at == d.n) {
		directory_free(&d);
		return ctl_fail(CTL_FAILED,
		    "NAME: \"%s\" is not in the directory: write it anew with provider "
		    "set",
		    name);
	}
	table = ctl_table_new(all_columns);
	add_row(&d, table, all_columns, &d.rows[at]);
	directory_free(&d);
	ctl_table_print(ctl, &table, true);
	return CTL_OK;
}
