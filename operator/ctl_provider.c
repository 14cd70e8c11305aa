/*
 * ctl_provider - provider add | set | enable | disable | remove | credential, and the
 * table of the noun's verbs. The credential comes from a file or standard input.
 */
#include <stdio.h>
#include <string.h>

#include "operator/ctl_provider.h"
#include "operator/ctl_served.h"

#define MAX_VALUES 1000

/* ---- add, set ---- */

/* One option and the record's field that it sets; given more often, a list. */
static const struct field_option {
	const char *name, *field;
	size_t most;
	bool needed;    /* by add */
	char separator; /* of a list; 0: a comma */
} field_options[] = {
	{ "--dialect", "dialects", 8, true, 0 },
	{ "--base-url", "base_url", 1, true, 0 },
	{ "--model", "models", MAX_VALUES, true, 0 },
	{ "--max-concurrency", "max_concurrency", 1, true, 0 },
	{ "--rest", "rest", DR_MAX_REST_WINDOWS, false, 0 },
	{ "--liveness", "liveness", 1, false, 0 },
	{ "--weight", "weight", 1, false, 0 },
	{ "--priority", "priority", 1, false, 0 },
	{ "--org", "org", 1, false, 0 },
	{ "--ca-file", "ca_file", 1, false, 0 },
	{ "--header", "header", 1, false, 0 },
	{ "--api-path", "api_path", 1, false, 0 },
	{ "--query", "query", 16, false, '&' },
	{ "--extra-header", "extra_headers", DR_MAX_EXTRA_HEADERS, false, '\n' },
	{ "--rename-answers", "rename_answers", 1, false, 0 },
};

#define N_FIELD_OPTIONS DR_N_ELEMENTS(field_options)

/* What was given on the command line. */
struct given {
	const char *values[N_FIELD_OPTIONS][MAX_VALUES];
	const char *credential;
	/* as above, then the three others and the end */
	struct ctl_option options[N_FIELD_OPTIONS + 4];
};

enum { CREDENTIAL = N_FIELD_OPTIONS, ALLOW_HTTP, NO_ALLOW_HTTP, END };

#define FIELD_USAGE                                                                          \
	"[--rest none|auto|HH:MM-HH:MM ...] [--liveness node|probe|always] [--weight N] "    \
	"[--priority N] [--org NAME] [--ca-file FILE] [--header x-api-key|bearer|api-key] "  \
	"[--api-path none|/v1] [--query NAME=VALUE ...] [--extra-header 'NAME: VALUE' ...] " \
	"[--rename-answers on|off] "                                                         \
	"[--allow-http|--no-allow-http]"
#define ADD_USAGE                                                                       \
	"NAME --dialect anthropic|openai-chat|openai-responses|openai [--dialect ...] " \
	"--base-url URL --credential-file FILE|- --model HERE[=THERE] [--model ...] "   \
	"--max-concurrency N " FIELD_USAGE
#define SET_USAGE                                                                       \
	"NAME [--dialect ...] [--base-url URL] [--credential-file FILE|-] [--model ..." \
	"] [--max-concurrency N] " FIELD_USAGE

static bool
read_given(
    struct given *given, int argc, char **argv, const char **name, const char *usage)
{
	size_t n;

	for (size_t i = 0; i < N_FIELD_OPTIONS; i++)
		given->options[i] = (struct ctl_option){ field_options[i].name,
			given->values[i], field_options[i].most, 0 };
	given->options[CREDENTIAL] =
	    (struct ctl_option){ "--credential-file", &given->credential, 1, 0 };
	given->options[ALLOW_HTTP] = (struct ctl_option){ "--allow-http", NULL, 1, 0 };
	given->options[NO_ALLOW_HTTP] =
	    (struct ctl_option){ "--no-allow-http", NULL, 1, 0 };
	given->options[END] = (struct ctl_option){ NULL, NULL, 0, 0 };
	return ctl_options(argc, argv, given->options, name, 1, 1, &n, usage);
}

static bool
set_field(struct dr_provider_record *record, const char *option, const char *field,
    const char *value)
{
	char err[256];

	if (dr_provider_record_set(record, field, value, err, sizeof err))
		return true;
	return ctl_fail(0, "%s: %s", option, err) != 0;
}

/* Join with commas; "openai" stands for both of OpenAI's dialects. */
static bool
set_list(struct dr_provider_record *record, const struct field_option *option,
    const char *const *values, size_t n)
{
	struct dr_strbuf list;
	bool ok;

	dr_strbuf_init(&list, CTL_MAX_TEXT);
	for (size_t i = 0; i < n; i++) {
		bool both = strcmp(option->field, "dialects") == 0 &&
			    strcmp(values[i], "openai") == 0;

		if (i > 0)
			dr_strbuf_addc(
			    &list, option->separator != 0 ? option->separator : ',');
		dr_strbuf_adds(
		    &list, both ? "openai-chat,openai-responses" : values[i]);
	}
	ok = set_field(record, option->name, option->field, list.data);
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

/* What was given goes into the record; the rest of it stays. False: said so. */
static bool
apply(struct ctl *ctl, struct dr_provider_record *record, const struct given *given)
{
	char err[256];

	for (size_t i = 0; i < N_FIELD_OPTIONS; i++)
		if (given->options[i].n > 0 &&
		    !set_list(record, &field_options[i], given->values[i],
			given->options[i].n))
			return false;
	if (given->options[ALLOW_HTTP].n > 0 &&
	    !set_field(record, "--allow-http", "allow_http", "on"))
		return false;
	if (given->options[NO_ALLOW_HTTP].n > 0 &&
	    !set_field(record, "--no-allow-http", "allow_http", "off"))
		return false;
	if (!check_models(ctl, record))
		return false;
	if (!dr_provider_record_check(record, err, sizeof err))
		return ctl_fail(0, "%s", err) != 0;
	return true;
}

static int
add_record(struct ctl *ctl, const char *name, const struct given *given)
{
	struct dr_provider_record *record;
	char err[256];
	bool missing;
	int status = CTL_FAILED;

	record = ctl_provider_read(ctl, name, &missing);
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
	if (!apply(ctl, record, given))
		status = CTL_USAGE;
	else if (ctl_provider_seal(ctl, record, given->credential) &&
		 ctl_provider_write(ctl, record))
		status = CTL_OK;
	dr_provider_record_free(&record);
	if (status == CTL_OK && ctl->json)
		printf("{\"provider\":\"%s\"}\n", name);
	return status;
}

static int
provider_add(struct ctl *ctl, int argc, char **argv)
{
	static struct given given;
	const char *name;

	if (!read_given(&given, argc, argv, &name, "provider add " ADD_USAGE))
		return CTL_USAGE;
	for (size_t i = 0; i < N_FIELD_OPTIONS; i++)
		if (field_options[i].needed && given.options[i].n == 0)
			return ctl_fail(
			    CTL_USAGE, "%s is missing", field_options[i].name);
	if (given.credential == NULL)
		return ctl_fail(CTL_USAGE, "--credential-file is missing");
	return add_record(ctl, name, &given);
}

static int
provider_set(struct ctl *ctl, int argc, char **argv)
{
	static struct given given;
	struct dr_provider_record *record;
	const char *name;
	size_t n = 0;
	int status = CTL_FAILED;

	if (!read_given(&given, argc, argv, &name, "provider set " SET_USAGE))
		return CTL_USAGE;
	for (size_t i = 0; i < END; i++)
		n += given.options[i].n;
	if (n == 0)
		return ctl_fail(CTL_USAGE, "nothing to set is given");
	record = ctl_provider_read(ctl, name, NULL);
	if (record == NULL)
		return CTL_FAILED;
	if (!apply(ctl, record, &given))
		status = CTL_USAGE;
	else if ((given.credential == NULL ||
		     ctl_provider_seal(ctl, record, given.credential)) &&
		 ctl_provider_write(ctl, record))
		status = CTL_OK;
	dr_provider_record_free(&record);
	return status;
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
	record = ctl_provider_read(ctl, name, NULL);
	if (record != NULL && set_field(record, "NAME", "enabled", to) &&
	    ctl_provider_write(ctl, record))
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
	record = ctl_provider_read(ctl, name, NULL);
	if (record != NULL && ctl_provider_seal(ctl, record, path) &&
	    ctl_provider_write(ctl, record))
		status = CTL_OK;
	dr_provider_record_free(&record);
	return status;
}

const struct ctl_verb ctl_provider_verbs[] = {
	{ "provider", "add", ADD_USAGE, true, provider_add },
	{ "provider", "set", SET_USAGE, true, provider_set },
	{ "provider", "list", "", true, ctl_provider_list },
	{ "provider", "show", "NAME", true, ctl_provider_show },
	{ "provider", "enable", "NAME", true, provider_enable },
	{ "provider", "disable", "NAME", true, provider_disable },
	{ "provider", "remove", "NAME", true, provider_remove },
	{ "provider", "credential", "NAME --credential-file FILE|-", true,
	    provider_credential },
	{ "provider", "token", "NAME", true, ctl_provider_token },
	{ "provider", "probe", "NAME", true, ctl_provider_probe },
	{ "provider", "spread", "MODEL [--dry-run]", true, ctl_provider_spread },
	{ "provider", "usage", "[NAME] [--since DATE] [--until DATE] [--csv]", true,
	    ctl_provider_usage },
	{ NULL, NULL, NULL, false, NULL },
};
