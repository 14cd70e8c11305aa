/*
 * ctl_provider - provider add | list | show | enable | disable | remove | credential.
 *
 * A record is read, changed and written as a whole (gateway/provider_record), unless
 * somebody else changed it meanwhile; then its new generation goes into the directory,
 * which every responder polls. The credential comes from a file or standard input and
 * is sealed here.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/provider_record.h"
#include "gateway/provider_state.h"
#include "operator/ctl.h"
#include "scripts/scripts.h"

#define MAX_MODELS 1000
#define MAX_TEXT   (1024 * 1024)
#define MAX_WORDS  64

/* ---- reading and writing records ---- */

/* NULL: said so. `missing` (may be NULL) is set, and nothing said, where there is no
 * such provider. */
static struct dr_provider_record *
read_record(struct ctl *ctl, const char *name, bool *missing)
{
	char key[DR_PROVIDER_KEY_SIZE], err[256];
	struct dr_provider_record *record = NULL;
	const char **texts;
	struct ctl_reply reply;

	if (missing != NULL)
		*missing = false;
	if (!dr_provider_name_ok(name)) {
		ctl_fail(CTL_FAILED,
		    "NAME: \"%s\" is not a provider's name (a-z 0-9 . _ -, at most %d)",
		    name, DR_MAX_PROVIDER_NAME);
		return NULL;
	}
	dr_provider_key_record(name, key);
	if (!ctl_command(ctl, &reply, (const char *[]){ "HGETALL", key, NULL }))
		return NULL;
	texts = dr_calloc(reply.n + 1, sizeof *texts);
	for (size_t i = 0; i < reply.n; i++)
		texts[i] = reply.items[i].text;
	if (reply.n == 0 && missing != NULL)
		*missing = true;
	else if (reply.n == 0)
		ctl_fail(CTL_FAILED, "NAME: there is no provider \"%s\"", name);
	else if ((record = dr_provider_record_parse(
		      name, texts, reply.n, err, sizeof err)) == NULL)
		ctl_fail(CTL_FAILED, "%s: damaged record: %s", name, err);
	free(texts);
	ctl_reply_free(&reply);
	return record;
}

/* All fields but the generation as words; `texts` own them. Returns how many words. */
static size_t
field_words(const struct dr_provider_record *record, const char **words,
    struct dr_strbuf *texts)
{
	size_t n = 0;

	for (size_t i = 0; dr_provider_record_field(i) != NULL; i++) {
		const char *field = dr_provider_record_field(i);

		if (strcmp(field, "generation") == 0)
			continue;
		dr_strbuf_init(&texts[i], MAX_TEXT);
		if (!dr_provider_record_get(record, field, &texts[i]) ||
		    texts[i].len == 0)
			continue;
		words[n++] = field;
		words[n++] = texts[i].data;
	}
	return n;
}

static bool
publish(struct ctl *ctl, const char *name, const char *generation)
{
	struct ctl_reply reply;

	if (!ctl_command(ctl, &reply,
		(const char *[]){ "HSET", DR_PROVIDERS_KEY, name, generation, NULL }))
		return false;
	ctl_reply_free(&reply);
	return true;
}

static bool
write_record(struct ctl *ctl, const struct dr_provider_record *record)
{
	char key[DR_PROVIDER_KEY_SIZE], tag[DR_PROVIDER_KEY_SIZE], generation[24];
	const char *words[MAX_WORDS] = { key, generation };
	struct dr_strbuf texts[MAX_WORDS] = { 0 };
	struct ctl_reply reply;
	bool ok;

	snprintf(generation, sizeof generation, "%" PRId64, record->generation);
	dr_provider_key_record(record->name, key);
	dr_provider_key_tag(record->name, tag);
	words[2 + field_words(record, words + 2, texts)] = NULL;
	ok = ctl_script(ctl, &reply, tag, &dr_script_provider_write, 1, words);
	for (size_t i = 0; i < MAX_WORDS; i++)
		dr_strbuf_fini(&texts[i]);
	if (!ok)
		return false;
	snprintf(generation, sizeof generation, "%" PRId64, reply.number);
	ctl_reply_free(&reply);
	if (strcmp(generation, "0") == 0) {
		ctl_fail(CTL_FAILED,
		    "%s: somebody else changed it at the same time; try again",
		    record->name);
		return false;
	}
	return publish(ctl, record->name, generation);
}

/* ---- the credential ---- */

/* The first line of FILE or standard input ("-"), into out (wipe it). False: said so.
 */
static bool
read_credential(const char *path, char out[DR_MAX_CREDENTIAL + 2])
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	bool ok;

	if (file == NULL)
		return ctl_fail(0, "--credential-file %s: %s", path, strerror(errno)) !=
		       0;
	ok = fgets(out, DR_MAX_CREDENTIAL + 2, file) != NULL;
	if (file != stdin)
		fclose(file);
	out[ok ? strcspn(out, "\r\n") : 0] = '\0';
	if (!ok || out[0] == '\0')
		return ctl_fail(0, "--credential-file %s: is empty", path) != 0;
	if (strlen(out) > DR_MAX_CREDENTIAL)
		return ctl_fail(0, "--credential-file %s: longer than %d bytes", path,
			   DR_MAX_CREDENTIAL) != 0;
	for (const char *p = out; *p != '\0'; p++)
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
			return ctl_fail(0,
				   "--credential-file %s: byte %d is no letter, digit or sign",
				   path, (int)(p - out) + 1) != 0;
	return true;
}

static bool
seal_credential(struct ctl *ctl, struct dr_provider_record *record, const char *path)
{
	char plain[DR_MAX_CREDENTIAL + 2], err[256];
	struct dr_seal_key key;
	bool ok = false;

	if (!dr_seal_key_load(
		ctl->config->settings->secrets_key_file, &key, err, sizeof err))
		ctl_fail(CTL_FAILED, "%s", err);
	else if (read_credential(path, plain)) {
		dr_provider_record_seal(record, &key, plain);
		ok = true;
	}
	dr_wipe(plain, sizeof plain);
	dr_wipe(&key, sizeof key);
	return ok;
}

/* ---- add ---- */

struct new_provider {
	const char *dialects[8], *models[MAX_MODELS], *rests[DR_MAX_REST_WINDOWS];
	const char *url, *credential, *max, *weight, *priority, *org, *ca_file, *header;
};

static bool
set_field(struct dr_provider_record *record, const char *option, const char *field,
    const char *value)
{
	char err[256];

	if (value == NULL ||
	    dr_provider_record_set(record, field, value, err, sizeof err))
		return true;
	return ctl_fail(0, "%s: %s", option, err) != 0;
}

/* Join with commas; "openai" stands for both of OpenAI's dialects. */
static bool
set_list(struct dr_provider_record *record, const char *option, const char *field,
    const char *const *values, size_t n)
{
	struct dr_strbuf list;
	bool ok;

	if (n == 0)
		return true;
	dr_strbuf_init(&list, MAX_TEXT);
	for (size_t i = 0; i < n; i++) {
		bool both =
		    strcmp(field, "dialects") == 0 && strcmp(values[i], "openai") == 0;

		if (i > 0)
			dr_strbuf_addc(&list, ',');
		dr_strbuf_adds(
		    &list, both ? "openai-chat,openai-responses" : values[i]);
	}
	ok = set_field(record, option, field, list.data);
	dr_strbuf_fini(&list);
	return ok;
}

/* A model that nobody can call, since it has no price, is a slip of the pen. */
static bool
check_models(struct ctl *ctl, const struct dr_provider_record *record)
{
	for (size_t i = 0; i < record->n_models; i++) {
		const char *here = record->models[i].here;
		const struct dr_model *model =
		    dr_models_find(ctl->config->models, here);

		if (model == NULL)
			return ctl_fail(0, "--model: \"%s\" is not in %s", here,
				   ctl->config->settings->models_file) != 0;
		if (strcmp(model->name, here) != 0)
			return ctl_fail(0, "--model: \"%s\" is an alias: say \"%s=%s\"",
				   here, model->name, here) != 0;
	}
	return true;
}

static bool
fill_record(struct ctl *ctl, struct dr_provider_record *record,
    const struct new_provider *p, const struct ctl_option *options, bool allow_http)
{
	char err[256];

	if (!set_list(record, "--dialect", "dialects", p->dialects, options[0].n) ||
	    !set_list(record, "--model", "models", p->models, options[1].n) ||
	    !set_list(record, "--rest", "rest", p->rests, options[2].n) ||
	    !set_field(
		record, "--allow-http", "allow_http", allow_http ? "on" : "off") ||
	    !set_field(record, "--base-url", "base_url", p->url) ||
	    !set_field(record, "--max-concurrency", "max_concurrency", p->max) ||
	    !set_field(record, "--weight", "weight", p->weight) ||
	    !set_field(record, "--priority", "priority", p->priority) ||
	    !set_field(record, "--org", "org", p->org) ||
	    !set_field(record, "--ca-file", "ca_file", p->ca_file) ||
	    !set_field(record, "--header", "header", p->header) ||
	    !check_models(ctl, record))
		return false;
	if (!dr_provider_record_check(record, err, sizeof err))
		return ctl_fail(0, "%s", err) != 0;
	return true;
}

#define ADD_USAGE                                                                       \
	"NAME --dialect anthropic|openai-chat|openai-responses|openai [--dialect ...] " \
	"--base-url URL --credential-file FILE|- --model HERE[=THERE] [--model ...] "   \
	"--max-concurrency N [--rest HH:MM-HH:MM] [--weight N] [--priority N] "         \
	"[--org NAME] [--ca-file FILE] [--header x-api-key|bearer] [--allow-http]"

static int
add_record(struct ctl *ctl, const char *name, const struct new_provider *p,
    const struct ctl_option *options, bool allow_http)
{
	struct dr_provider_record *record;
	char err[256];
	bool missing;
	int status = CTL_FAILED;

	record = read_record(ctl, name, &missing);
	if (record != NULL) {
		dr_provider_record_free(&record);
		return ctl_fail(
		    CTL_FAILED, "NAME: there is a provider \"%s\" already", name);
	}
	if (!missing)
		return CTL_FAILED;
	record = dr_provider_record_new(name, err, sizeof err);
	if (record == NULL)
		return ctl_fail(CTL_USAGE, "NAME: %s", err);
	if (!fill_record(ctl, record, p, options, allow_http))
		status = CTL_USAGE;
	else if (seal_credential(ctl, record, p->credential) &&
		 write_record(ctl, record))
		status = CTL_OK;
	dr_provider_record_free(&record);
	if (status == CTL_OK && ctl->json)
		printf("{\"provider\":\"%s\"}\n", name);
	return status;
}

static int
provider_add(struct ctl *ctl, int argc, char **argv)
{
	static struct new_provider p;
	struct ctl_option options[] = { { "--dialect", p.dialects, 8, 0 },
		{ "--model", p.models, MAX_MODELS, 0 },
		{ "--rest", p.rests, DR_MAX_REST_WINDOWS, 0 },
		{ "--base-url", &p.url, 1, 0 },
		{ "--credential-file", &p.credential, 1, 0 },
		{ "--max-concurrency", &p.max, 1, 0 }, { "--weight", &p.weight, 1, 0 },
		{ "--priority", &p.priority, 1, 0 }, { "--org", &p.org, 1, 0 },
		{ "--ca-file", &p.ca_file, 1, 0 }, { "--header", &p.header, 1, 0 },
		{ "--allow-http", NULL, 1, 0 }, { NULL, NULL, 0, 0 } };
	static const char *const wanted[] = { "--dialect", "--model", "--base-url",
		"--credential-file", "--max-concurrency" };
	const char *name;
	size_t n;

	if (!ctl_options(
		argc, argv, options, &name, 1, 1, &n, "provider add " ADD_USAGE))
		return CTL_USAGE;
	for (size_t i = 0; i < DR_N_ELEMENTS(wanted); i++)
		for (size_t j = 0; options[j].name != NULL; j++)
			if (strcmp(wanted[i], options[j].name) == 0 &&
			    options[j].n == 0)
				return ctl_fail(CTL_USAGE, "%s is missing", wanted[i]);
	return add_record(ctl, name, &p, options, options[11].n > 0);
}

/* ---- list, show ---- */

static const char *const columns[] = { "name", "enabled", "dialects", "base_url",
	"#max_concurrency", "#running", "#weight", "#priority", "rest", "org", "models",
	NULL };

static void
add_cell(
    struct ctl_table *table, const struct dr_provider_record *record, const char *field)
{
	struct dr_strbuf text;

	dr_strbuf_init(&text, MAX_TEXT);
	(void)dr_provider_record_get(record, field, &text);
	ctl_table_cell(table, text.data);
	dr_strbuf_fini(&text);
}

static bool
add_row(struct ctl *ctl, struct ctl_table *table, const char *name)
{
	struct dr_provider_record *record = read_record(ctl, name, NULL);
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

static int
provider_list(struct ctl *ctl, int argc, char **argv)
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

static int
provider_show(struct ctl *ctl, int argc, char **argv)
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

/* ---- enable, disable, remove, credential ---- */

static int
switch_provider(struct ctl *ctl, int argc, char **argv, const char *to)
{
	struct dr_provider_record *record;
	const char *name;
	int status = CTL_FAILED;
	size_t n;

	if (!ctl_options(
		argc, argv, NULL, &name, 1, 1, &n, "provider enable|disable NAME"))
		return CTL_USAGE;
	record = read_record(ctl, name, NULL);
	if (record != NULL && set_field(record, "NAME", "enabled", to) &&
	    write_record(ctl, record))
		status = CTL_OK;
	dr_provider_record_free(&record);
	return status;
}

static int
provider_enable(struct ctl *ctl, int argc, char **argv)
{
	return switch_provider(ctl, argc, argv, "on");
}

static int
provider_disable(struct ctl *ctl, int argc, char **argv)
{
	return switch_provider(ctl, argc, argv, "off");
}

static int
provider_remove(struct ctl *ctl, int argc, char **argv)
{
	char key[DR_PROVIDER_KEY_SIZE], state[DR_PROVIDER_KEY_SIZE];
	struct ctl_reply reply;
	const char *name;
	bool was_there;
	size_t n;

	if (!ctl_options(argc, argv, NULL, &name, 1, 1, &n, "provider remove NAME"))
		return CTL_USAGE;
	if (!dr_provider_name_ok(name))
		return ctl_fail(
		    CTL_USAGE, "NAME: \"%s\" is not a provider's name", name);
	/* out of the directory first: a record that nobody lists is only clutter */
	if (!ctl_command(
		ctl, &reply, (const char *[]){ "HDEL", DR_PROVIDERS_KEY, name, NULL }))
		return CTL_FAILED;
	was_there = reply.number == 1;
	ctl_reply_free(&reply);
	dr_provider_key_record(name, key);
	dr_provider_key_state(name, state);
	if (!ctl_command(ctl, &reply, (const char *[]){ "DEL", state, NULL }))
		return CTL_FAILED;
	ctl_reply_free(&reply);
	if (!ctl_command(ctl, &reply, (const char *[]){ "DEL", key, NULL }))
		return CTL_FAILED;
	was_there = was_there || reply.number == 1;
	ctl_reply_free(&reply);
	return was_there
		   ? CTL_OK
		   : ctl_fail(CTL_FAILED, "NAME: there is no provider \"%s\"", name);
}

static int
provider_credential(struct ctl *ctl, int argc, char **argv)
{
	struct dr_provider_record *record;
	const char *name, *path = NULL;
	struct ctl_option options[] = { { "--credential-file", &path, 1, 0 },
		{ NULL, NULL, 0, 0 } };
	int status = CTL_FAILED;
	size_t n;

	if (!ctl_options(argc, argv, options, &name, 1, 1, &n,
		"provider credential NAME --credential-file FILE|-"))
		return CTL_USAGE;
	if (path == NULL)
		return ctl_fail(CTL_USAGE, "--credential-file is missing");
	record = read_record(ctl, name, NULL);
	if (record != NULL && seal_credential(ctl, record, path) &&
	    write_record(ctl, record))
		status = CTL_OK;
	dr_provider_record_free(&record);
	return status;
}

const struct ctl_verb ctl_provider_verbs[] = {
	{ "provider", "add", ADD_USAGE, true, provider_add },
	{ "provider", "list", "", true, provider_list },
	{ "provider", "show", "NAME", true, provider_show },
	{ "provider", "enable", "NAME", true, provider_enable },
	{ "provider", "disable", "NAME", true, provider_disable },
	{ "provider", "remove", "NAME", true, provider_remove },
	{ "provider", "credential", "NAME --credential-file FILE|-", true,
	    provider_credential },
	{ NULL, NULL, NULL, false, NULL },
};
