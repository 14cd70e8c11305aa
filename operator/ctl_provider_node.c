/*
 * ctl_provider_node - provider token | probe | spread: what a provider's node needs to
 * be heard, what a provider answers just now, and who of several rests when.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "base/json.h"
#include "base/mem.h"
#include "operator/ctl_provider.h"
#include "operator/probe.h"

#define MAX_PROBE_BODY (4 * 1024 * 1024) /* the longest list of models that is read */

/* ---- token ---- */

/* Shown once, here; a new one takes the place of the old one. */
int
ctl_provider_token(struct ctl *ctl, int argc, char **argv)
{
	char token[DR_PROVIDER_TOKEN_SIZE];
	struct dr_provider_record *record;
	const char *name;
	int status = CTL_FAILED;
	size_t n;

	if (!ctl_options(argc, argv, NULL, &name, 1, 1, &n, "provider token NAME"))
		return CTL_USAGE;
	record = ctl_provider_read(ctl, name, NULL);
	if (record == NULL)
		return CTL_FAILED;
	dr_provider_record_new_token(record, token);
	if (ctl_provider_write(ctl, record)) {
		printf(ctl->json ? "{\"token\":\"%s\"}\n" : "%s\n", token);
		status = CTL_OK;
	}
	dr_wipe(token, sizeof token);
	dr_provider_record_free(&record);
	return status;
}

/* ---- probe ---- */

struct waiting_probe {
	struct dr_probe probe;
	bool over;
};

static void
on_probed(struct dr_probe *probe)
{
	DR_CONTAINER_OF(probe, struct waiting_probe, probe)->over = true;
}

static bool
open_credential(
    struct ctl *ctl, const struct dr_provider_record *record, char **credential)
{
	struct dr_seal_key key;
	char err[256];
	bool ok;

	if (!dr_seal_key_load(
		ctl->config->settings->secrets_key_file, &key, err, sizeof err))
		return ctl_fail(0, "%s", err) != 0;
	ok = dr_provider_record_open(record, &key, credential);
	dr_wipe(&key, sizeof key);
	return ok || ctl_fail(0,
			 "%s: its credential does not open with the key of "
			 "secrets_key_file",
			 record->name) != 0;
}

static bool
is_listed(struct json_object *list, const char *model)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *entry = json_object_array_get_idx(list, i), *id;

		if (json_object_object_get_ex(entry, "id", &id) &&
		    strcmp(json_object_get_string(id), model) == 0)
			return true;
	}
	return false;
}

/* The list goes on elsewhere. */
static bool
has_more(struct json_object *root)
{
	struct json_object *more;

	return json_object_object_get_ex(root, "has_more", &more) &&
	       json_object_get_boolean(more);
}

/* How many models the answer lists, and which of the record's it does not; nothing of
 * these where it does not list all. */
static void
compare_models(const struct dr_provider_record *record, const struct dr_probe *probe,
    struct dr_strbuf *listed, struct dr_strbuf *missing)
{
	struct json_object *root, *list;
	char err[128];

	root = probe->truncated
		   ? NULL
		   : dr_json_parse(probe->body.data, probe->body.len, err, sizeof err);
	if (root != NULL && json_object_object_get_ex(root, "data", &list) &&
	    json_object_is_type(list, json_type_array)) {
		dr_strbuf_addf(listed, "%zu", json_object_array_length(list));
		for (size_t i = 0; i < record->n_models && !has_more(root); i++)
			if (!is_listed(list, record->models[i].there))
				dr_strbuf_addf(missing, "%s%s",
				    missing->len > 0 ? "," : "",
				    record->models[i].there);
	}
	json_object_put(root);
}

static void
print_probe(struct ctl *ctl, const struct dr_provider_record *record,
    const struct dr_probe *probe)
{
	static const char *const columns[] = { "provider", "result", "#status", "why",
		"#ms", "models_listed", "models_not_listed", NULL };
	const struct dr_probe_result *result = &probe->result;
	struct ctl_table *table = ctl_table_new(columns);
	struct dr_strbuf listed, missing;

	dr_strbuf_init(&listed, CTL_MAX_TEXT);
	dr_strbuf_init(&missing, CTL_MAX_TEXT);
	compare_models(record, probe, &listed, &missing);
	ctl_table_cell(table, record->name);
	ctl_table_cell(table, result->ok        ? "alive"
			      : result->refused ? "flagged"
						: "failed");
	ctl_table_number(table, result->status);
	ctl_table_cell(table, result->why);
	ctl_table_number(table, result->ms);
	ctl_table_cell(table, listed.data);
	ctl_table_cell(table, missing.data);
	ctl_table_print(ctl, &table, true);
	dr_strbuf_fini(&listed);
	dr_strbuf_fini(&missing);
}

struct waiting_note {
	struct dr_store_call call;
	enum dr_error err;
	int64_t failures;
};

static void
on_noted(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct waiting_note *note = DR_CONTAINER_OF(call, struct waiting_note, call);

	note->err = err;
	note->failures = dr_reply_int(reply, 0);
}

static int
note(struct ctl *ctl, const struct dr_provider_record *record,
    const struct dr_probe_result *result)
{
	struct waiting_note waiting = { .call = { .done = on_noted } };

	dr_probe_note(ctl->store, record, result,
	    (uint64_t)ctl->config->settings->probe_interval, &waiting.call);
	dr_store_wait(ctl->store, &waiting.call);
	if (waiting.err != DR_OK)
		return ctl_fail(
		    CTL_FAILED, "probe_note: %s", dr_error_info(waiting.err)->message);
	if (waiting.failures < 0)
		return ctl_fail(CTL_FAILED,
		    "%s: its record was changed meanwhile; try again", record->name);
	return result->ok ? CTL_OK : CTL_FAILED;
}

/* Ask now, show what came back, and let the responders know: a good answer puts a
 * flagged one back into rotation. */
int
ctl_provider_probe(struct ctl *ctl, int argc, char **argv)
{
	struct dr_http_options options = { .max_idle_connections = 1 };
	struct waiting_probe waiting = { .over = false };
	struct dr_provider_record *record;
	char *credential = NULL;
	const char *name;
	int status = CTL_FAILED;
	size_t n;

	if (!ctl_options(argc, argv, NULL, &name, 1, 1, &n, "provider probe NAME"))
		return CTL_USAGE;
	record = ctl_provider_read(ctl, name, NULL);
	if (record != NULL && open_credential(ctl, record, &credential)) {
		struct dr_http *http = dr_http_new(ctl->loop, &options);

		dr_probe_start(&waiting.probe, ctl->loop, http, ctl->config->settings,
		    record, credential, MAX_PROBE_BODY, on_probed);
		while (!waiting.over)
			dr_loop_turn(ctl->loop);
		print_probe(ctl, record, &waiting.probe);
		status = note(ctl, record, &waiting.probe.result);
		dr_probe_cancel(&waiting.probe);
		dr_http_free(&http);
	}
	if (credential != NULL)
		dr_wipe(credential, strlen(credential));
	free(credential);
	dr_provider_record_free(&record);
	return status;
}

/* ---- spread ---- */

static int
by_text(const void *a, const void *b)
{
	return strcmp(
	    ((const struct ctl_reply *)a)->text, ((const struct ctl_reply *)b)->text);
}

/* The enabled providers of a model, by name. How many; -1: said why not. */
static long
providers_of(struct ctl *ctl, const char *model, struct dr_provider_record ***out)
{
	struct dr_provider_record **list;
	struct ctl_reply names;
	long n = 0;
	bool ok = true;

	if (!ctl_command(
		ctl, &names, (const char *[]){ "HKEYS", DR_PROVIDERS_KEY, NULL }))
		return -1;
	if (names.n > 0)
		qsort(names.items, names.n, sizeof *names.items, by_text);
	list = dr_calloc(names.n + 1, sizeof(struct dr_provider_record *));
	for (size_t i = 0; i < names.n && ok; i++) {
		struct dr_provider_record *record =
		    ctl_provider_read(ctl, names.items[i].text, NULL);

		ok = record != NULL;
		if (ok && record->enabled &&
		    dr_provider_record_model(record, model) != NULL)
			list[n++] = record;
		else
			dr_provider_record_free(&record);
	}
	ctl_reply_free(&names);
	*out = list;
	return ok ? n : -1;
}

static bool
set_rest(struct ctl *ctl, struct dr_provider_record *record, const char *window,
    bool dry_run)
{
	char err[128];
	bool good = dr_provider_record_set(record, "rest", window, err, sizeof err);

	DR_ASSERT(good);
	return dry_run || ctl_provider_write(ctl, record);
}

static int
spread(struct ctl *ctl, struct dr_provider_record **list, size_t n, bool dry_run)
{
	static const char *const columns[] = { "provider", "rest", NULL };
	struct ctl_table *table = ctl_table_new(columns);
	int status = CTL_OK;

	for (size_t i = 0; i < n && status == CTL_OK; i++) {
		struct dr_rest_window w = dr_rest_spread(i, n);
		char window[24];

		snprintf(window, sizeof window, "%02u:%02u-%02u:%02u", w.from / 60,
		    w.from % 60, w.to / 60, w.to % 60);
		if (!set_rest(ctl, list[i], window, dry_run))
			status = CTL_FAILED;
		ctl_table_cell(table, list[i]->name);
		ctl_table_cell(table, window);
	}
	ctl_table_print(ctl, &table, false);
	return status;
}

/* Rests of 8 hours, evenly over the day, for the providers of one model. */
int
ctl_provider_spread(struct ctl *ctl, int argc, char **argv)
{
	struct ctl_option options[] = { { "--dry-run", NULL, 1, 0 },
		{ NULL, NULL, 0, 0 } };
	struct dr_provider_record **list = NULL;
	const char *model;
	int status = CTL_FAILED;
	size_t n_words;
	long n;

	if (!ctl_options(argc, argv, options, &model, 1, 1, &n_words,
		"provider spread MODEL [--dry-run]"))
		return CTL_USAGE;
	n = providers_of(ctl, model, &list);
	if (n == 0)
		ctl_fail(CTL_FAILED, "MODEL: no enabled provider has \"%s\"", model);
	if (n == 1)
		fprintf(stderr,
		    "derouterctl: %s has one provider: it will be offline for 8 hours a "
		    "day\n",
		    model);
	if (n > 0)
		status = spread(ctl, list, (size_t)n, options[0].n > 0);
	for (size_t i = 0; list != NULL && list[i] != NULL; i++)
		dr_provider_record_free(&list[i]);
	free(list);
	return status;
}
