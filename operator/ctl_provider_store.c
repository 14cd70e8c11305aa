/*
 * ctl_provider_store - providers' records in Redis, as derouterctl reads and writes
 * them; see ctl_provider.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "operator/ctl_provider.h"
#include "scripts/scripts.h"

#define MAX_WORDS 64

/* ---- reading and writing records ---- */

struct dr_provider_record *
ctl_provider_read(struct ctl *ctl, const char *name, bool *missing)
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
		dr_strbuf_init(&texts[i], CTL_MAX_TEXT);
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

bool
ctl_provider_write(struct ctl *ctl, const struct dr_provider_record *record)
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

bool
ctl_provider_seal(struct ctl *ctl, struct dr_provider_record *record, const char *path)
{
	char plain[DR_MAX_CREDENTIAL + 2], err[256];
	struct dr_seal_key key = { .n_older = 0 };
	bool ok = false;

	/* the key comes last: somebody may take his time over standard input */
	if (read_credential(path, plain) && ctl_key_lock(ctl, false)) {
		ok = dr_seal_key_load(
		    ctl->config->settings->secrets_key_file, &key, err, sizeof err);
		if (ok)
			dr_provider_record_seal(record, &key, plain);
		else
			ctl_fail(CTL_FAILED, "%s", err);
	}
	dr_wipe(plain, sizeof plain);
	dr_wipe(&key, sizeof key);
	return ok;
}
