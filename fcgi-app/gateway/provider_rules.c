/*
 * provider_rules - a provider's record as a whole: made, checked, opened, and asked.
 *
 * The second half of provider_record.h; the fields and their text are in
 * provider_record.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/provider_fields.h"

#define DEFAULT_CONCURRENCY 10
#define DEFAULT_WEIGHT      100
#define DEFAULT_PRIORITY    100

/* ---- making and checking ---- */

bool
dr_provider_name_ok(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");

	return n > 0 && n <= DR_MAX_PROVIDER_NAME && name[n] == '\0';
}

struct dr_provider_record *
dr_provider_record_new(const char *name, char *err, size_t err_size)
{
	struct dr_provider_record *record;

	if (!dr_provider_name_ok(name)) {
		snprintf(err, err_size, "name: want 1 to 64 of a-z 0-9 . _ -");
		return NULL;
	}
	record = dr_calloc(1, sizeof *record);
	record->magic = DR_PROVIDER_RECORD_MAGIC;
	snprintf(record->name, sizeof record->name, "%s", name);
	record->max_concurrency = DEFAULT_CONCURRENCY;
	record->weight = DEFAULT_WEIGHT;
	record->priority = DEFAULT_PRIORITY;
	record->liveness = DR_LIVENESS_ALWAYS;
	record->header = DR_HEADER_X_API_KEY;
	memcpy(record->api_path, "/v1", 4);
	record->enabled = true;
	return record;
}

void
dr_provider_record_free(struct dr_provider_record **record)
{
	struct dr_provider_record *r = *record;

	if (r == NULL)
		return;
	DR_CHECK(r, DR_PROVIDER_RECORD_MAGIC);
	dr_field_free_extra_headers(r);
	for (size_t i = 0; i < r->n_models; i++) {
		free(r->models[i].here);
		free(r->models[i].there);
	}
	free(r->models);
	free(r->credential);
	DR_FREE(*record);
}

bool
dr_provider_record_check(
    const struct dr_provider_record *record, char *err, size_t err_size)
{
	const char *problem = NULL;

	DR_CHECK(record, DR_PROVIDER_RECORD_MAGIC);
	if (record->base_url[0] == '\0')
		problem = "base_url: is missing";
	else if (strncmp(record->base_url, "https://", 8) != 0 && !record->allow_http)
		problem = "base_url: plain http needs allow_http = on";
	else if (record->dialects == 0)
		problem = "dialects: none is named";
	else if (record->n_models == 0)
		problem = "models: none is named";
	if (problem != NULL)
		snprintf(err, err_size, "%s", problem);
	return problem == NULL;
}

struct dr_provider_record *
dr_provider_record_parse(
    const char *name, const char *const *texts, size_t n, char *err, size_t err_size)
{
	struct dr_provider_record *record = dr_provider_record_new(name, err, err_size);
	bool good = record != NULL;

	DR_ASSERT(n % 2 == 0);
	for (size_t i = 0; good && i < n; i += 2)
		good = dr_provider_record_set(
		    record, texts[i], texts[i + 1], err, err_size);
	if (good && dr_provider_record_check(record, err, err_size))
		return record;
	dr_provider_record_free(&record);
	return NULL;
}

/* ---- credential ---- */

void
dr_provider_record_seal(
    struct dr_provider_record *record, const struct dr_seal_key *key, const char *plain)
{
	size_t len = strlen(plain);
	struct dr_strbuf sealed;

	DR_CHECK(record, DR_PROVIDER_RECORD_MAGIC);
	DR_ASSERT(len <= DR_MAX_CREDENTIAL);
	free(record->credential);
	record->credential = NULL;
	if (len == 0)
		return;
	dr_strbuf_init(&sealed, (size_t)DR_MAX_CREDENTIAL * 2);
	dr_seal(key, record->name, plain, len, &sealed);
	DR_ASSERT(!sealed.failed);
	record->credential = dr_strbuf_take(&sealed);
}

/* It becomes a header's value: a byte that could end the line is damage. */
static bool
is_header_value(const struct dr_strbuf *text)
{
	for (size_t i = 0; i < text->len; i++)
		if ((unsigned char)text->data[i] < 0x20 || text->data[i] == 0x7f)
			return false;
	return text->len > 0;
}

bool
dr_provider_record_open(const struct dr_provider_record *record,
    const struct dr_seal_key *key, char **plain)
{
	struct dr_strbuf opened;
	bool good;

	DR_CHECK(record, DR_PROVIDER_RECORD_MAGIC);
	*plain = NULL;
	if (record->credential == NULL)
		return true;
	dr_strbuf_init(&opened, DR_MAX_CREDENTIAL);
	dr_strbuf_reserve(
	    &opened, DR_MAX_CREDENTIAL); /* no copy is left behind by growing */
	good = dr_open(key, record->name, record->credential, &opened) &&
	       !opened.failed && is_header_value(&opened);
	if (good)
		*plain = dr_strdup(opened.data);
	dr_wipe(opened.data, opened.size);
	dr_strbuf_fini(&opened);
	return good;
}

/* ---- the node's token ---- */

#define TOKEN_PREFIX "drp_"
#define TOKEN_SECRET 40

void
dr_provider_record_new_token(
    struct dr_provider_record *record, char out[DR_PROVIDER_TOKEN_SIZE])
{
	char secret[TOKEN_SECRET + 1];

	DR_CHECK(record, DR_PROVIDER_RECORD_MAGIC);
	dr_random_id(secret, TOKEN_SECRET);
	snprintf(
	    out, DR_PROVIDER_TOKEN_SIZE, TOKEN_PREFIX "%s_%s", secret, record->name);
	dr_sha256_hex(out, strlen(out), record->token_sha);
	dr_wipe(secret, sizeof secret);
}

const char *
dr_provider_token_name(const char *token)
{
	const size_t n = strlen(TOKEN_PREFIX);

	if (strncmp(token, TOKEN_PREFIX, n) != 0 ||
	    strspn(token + n, "abcdefghijklmnopqrstuvwxyz0123456789") != TOKEN_SECRET ||
	    token[n + TOKEN_SECRET] != '_' ||
	    !dr_provider_name_ok(token + n + TOKEN_SECRET + 1))
		return NULL;
	return token + n + TOKEN_SECRET + 1;
}

bool
dr_provider_record_knows_token(
    const struct dr_provider_record *record, const char *token)
{
	char sha[DR_SHA256_HEX];

	DR_CHECK(record, DR_PROVIDER_RECORD_MAGIC);
	if (record->token_sha[0] == '\0')
		return false;
	dr_sha256_hex(token, strlen(token), sha);
	return dr_equal_secret(sha, record->token_sha, sizeof sha);
}

/* ---- keys in Redis ---- */

void
dr_provider_key_tag(const char *name, char out[DR_PROVIDER_KEY_SIZE])
{
	snprintf(out, DR_PROVIDER_KEY_SIZE, "{p:%s}", name);
}

void
dr_provider_key_record(const char *name, char out[DR_PROVIDER_KEY_SIZE])
{
	snprintf(out, DR_PROVIDER_KEY_SIZE, "{p:%s}:provider", name);
}

void
dr_provider_key_running(const char *name, char out[DR_PROVIDER_KEY_SIZE])
{
	snprintf(out, DR_PROVIDER_KEY_SIZE, "{p:%s}:running", name);
}

/* ---- questions ---- */

static int
by_name(const void *key, const void *model)
{
	return strcmp(key, ((const struct dr_provider_model *)model)->here);
}

int
dr_provider_record_find(const struct dr_provider_record *record, const char *here)
{
	const struct dr_provider_model *found;

	if (record->n_models == 0)
		return -1;
	found = bsearch(here, record->models, record->n_models, sizeof *found, by_name);
	return found != NULL ? (int)(found - record->models) : -1;
}

const char *
dr_provider_record_model(const struct dr_provider_record *record, const char *here)
{
	int at = dr_provider_record_find(record, here);

	return at >= 0 ? record->models[at].there : NULL;
}

bool
dr_provider_record_serves(const struct dr_provider_record *record, const char *model,
    enum dr_dialect_id dialect)
{
	return (record->dialects & 1u << dialect) != 0 &&
	       dr_provider_record_model(record, model) != NULL;
}

const char *
dr_provider_record_credential(
    const struct dr_provider_record *record, enum dr_dialect_id dialect)
{
	if (record->header == DR_HEADER_API_KEY)
		return "api-key: ";
	return dialect == DR_DIALECT_ANTHROPIC && record->header == DR_HEADER_X_API_KEY
		   ? "x-api-key: "
		   : "authorization: Bearer ";
}

bool
dr_provider_record_url(
    const struct dr_provider_record *record, const char *path, char *out, size_t size)
{
	size_t base = strlen(record->base_url), api = strlen(record->api_path);
	const char *between = record->api_path;
	int n;

	/* the routes' own paths begin with the "/v1" of their makers */
	DR_ASSERT(strncmp(path, "/v1/", 4) == 0);
	if (api > 0 && base > api &&
	    strcmp(record->base_url + base - api, between) == 0)
		between = ""; /* the base has that part already */
	n = snprintf(out, size, "%s%s%s%s%s", record->base_url, between, path + 3,
	    record->query[0] != '\0' ? "?" : "", record->query);
	return n >= 0 && (size_t)n < size;
}
