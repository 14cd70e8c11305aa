/*
 * ctl_key_change - key set | rotate: the key stays, what it may or what opens it
 * changes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "operator/ctl_key.h"
#include "scripts/scripts.h"

int
ctl_key_refused(const char *reply, const char *id)
{
	if (strcmp(reply, "NO_BUDGET") == 0)
		return ctl_fail(CTL_FAILED,
		    "--budget-period: \"%s\" has no budget: --budget sets one", id);
	return strcmp(reply, "DELETED") == 0
		   ? ctl_fail(CTL_FAILED, "KEY: \"%s\" is deleted and stays so", id)
		   : ctl_fail(CTL_FAILED, "KEY: there is no key \"%s\"", id);
}

int
ctl_key_set(struct ctl *ctl, int argc, char **argv)
{
	struct ctl_key_limits k = { 0 };
	const char *word, *words[DR_KEY_CHANGE_WORDS + 3] = { NULL };
	struct dr_key_words said;
	struct ctl_option options[] = { CTL_KEY_LIMIT_OPTIONS(&k),
		{ "--no-budget", NULL, 1, 0 }, { NULL, NULL, 0, 0 } };
	char key[CTL_KEY_SIZE], tag[CTL_KEY_SIZE];
	struct ctl_key_name name;
	struct ctl_reply reply;
	size_t n = 0;
	int status;

	if (!ctl_options(argc, argv, options, &word, 1, 1, &n,
		"key set KEY " CTL_KEY_OPTIONS " [--no-budget]"))
		return CTL_USAGE;
	k.no_budget = options[7].n > 0;
	if (!ctl_key_limits_check(ctl, &k, false))
		return CTL_USAGE;
	words[0] = key;
	words[1] = name.id;
	dr_key_change_words(&k.change, &said);
	memcpy(words + 2, said.words, said.n * sizeof *words);
	if (said.n == 0)
		return ctl_fail(CTL_USAGE,
		    "key set: nothing to change: " CTL_KEY_OPTIONS " [--no-budget]");
	if (!ctl_key_name(ctl, word, &name, &status))
		return status;
	ctl_account_key(name.account, "account", key);
	snprintf(tag, sizeof tag, "{a:%s}", name.account);
	if (!ctl_script(ctl, &reply, tag, &dr_script_key_set, 1, words))
		return CTL_FAILED;
	status = strcmp(reply.text, "OK") == 0 ? CTL_OK
					       : ctl_key_refused(reply.text, name.id);
	ctl_reply_free(&reply);
	if (status == CTL_OK && ctl->json)
		printf("{\"id\":\"%s\",\"account\":\"%s\"}\n", name.id, name.account);
	return status;
}

static void
print_rotated(struct ctl *ctl, const char *text, const struct ctl_key_name *name,
    int64_t until_ms)
{
	char when[DR_CLOCK_TEXT];

	dr_clock_format_s(until_ms, when);
	if (ctl->json)
		printf(
		    "{\"key\":\"%s\",\"id\":\"%s\",\"account\":\"%s\",\"old_until\":\"%s\"}\n",
		    text, name->id, name->account, when);
	else
		printf("%s\n", text);
	if (!ctl->json)
		fprintf(stderr, "the old key works until %s\n", when);
}

int
ctl_key_rotate(struct ctl *ctl, int argc, char **argv)
{
	const char *word, *grace = "24h";
	struct ctl_option options[] = { { "--grace", &grace, 1, 0 },
		{ NULL, NULL, 0, 0 } };
	char key[CTL_KEY_SIZE], tag[CTL_KEY_SIZE], grace_ms[24], offset[24] = "0";
	char text[DR_API_KEY_SIZE];
	struct ctl_key_name name;
	struct ctl_reply reply;
	struct dr_api_key made;
	int64_t ms;
	size_t n;
	int status;

	if (!ctl_options(
		argc, argv, options, &word, 1, 1, &n, "key rotate KEY [--grace 24h]") ||
	    !ctl_duration("--grace", grace, 0, DR_MAX_GRACE_MS, &ms))
		return CTL_USAGE;
	if (!ctl_key_name(ctl, word, &name, &status))
		return status;
	snprintf(offset, sizeof offset, "%" PRId64,
	    dr_settings_clock_offset(ctl->config->settings));
	snprintf(grace_ms, sizeof grace_ms, "%" PRId64, ms);
	dr_api_key_renew(
	    ctl->config->settings->key_prefix, name.account, name.id, text, &made);
	ctl_account_key(name.account, "account", key);
	snprintf(tag, sizeof tag, "{a:%s}", name.account);
	if (!ctl_script(ctl, &reply, tag, &dr_script_key_rotate, 1,
		(const char *[]){ key, name.id, made.sha, grace_ms, offset, NULL }))
		return CTL_FAILED;
	if (reply.text[0] >= '0' && reply.text[0] <= '9') {
		status = CTL_OK;
		print_rotated(ctl, text, &name, strtoll(reply.text, NULL, 10));
	} else {
		status = ctl_key_refused(reply.text, name.id);
	}
	dr_wipe(text, sizeof text);
	ctl_reply_free(&reply);
	return status;
}
