/*
 * provider_record - a provider's configuration as it stands in Redis: read, checked,
 * written.
 *
 * `{p:NAME}:provider` is a hash of the fields below, all as text; `providers` is the
 * directory, NAME -> generation. derouterctl sets fields one by one from the operator's
 * words, the gateway reads whole records, and both go through the same table, so that
 * what one accepts the other understands. Every mistake is one line that begins with
 * the field's name.
 *
 * Pure but for sealing. The credential is kept sealed here (io/crypto.h, context = the
 * provider's name); only dr_provider_record_open() shows it.
 */
#ifndef DR_PROVIDER_RECORD_H
#define DR_PROVIDER_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "base/limits.h"
#include "base/strbuf.h"
#include "dialects/dialect.h"
#include "gateway/rest.h"
#include "io/crypto.h"

#define DR_MAX_PROVIDER_URL    512
#define DR_MAX_PROVIDER_ORG    64
#define DR_MAX_PROVIDER_CA     255
#define DR_MAX_PROVIDER_MODELS 1000
#define DR_MAX_PROVIDER_QUERY  255
#define DR_MAX_PROVIDER_PATH   63
#define DR_MAX_EXTRA_HEADERS   16
#define DR_MAX_CREDENTIAL      4096 /* plain bytes */

struct dr_provider_model {
	char *here;  /* owned: the name that callers use */
	char *there; /* owned: the provider's own name for it */
};

/* Who says that it is there? */
enum dr_liveness {
	DR_LIVENESS_ALWAYS, /* nobody: it is taken to be */
	DR_LIVENESS_NODE,   /* its node, by heartbeats */
	DR_LIVENESS_PROBE   /* the watcher, which asks it */
};

/* How the credential is sent. */
enum dr_provider_header {
	DR_HEADER_X_API_KEY, /* Anthropic routes: x-api-key; OpenAI routes: bearer */
	DR_HEADER_BEARER,    /* authorization: Bearer on all routes */
	DR_HEADER_API_KEY    /* api-key on all routes */
};

struct dr_provider_record {
	unsigned magic;
#define DR_PROVIDER_RECORD_MAGIC 0x90ec04d1
	char name[DR_MAX_PROVIDER_NAME + 1];    /* [a-z0-9._-]{1,64} */
	unsigned dialects;                      /* bit 1u << enum dr_dialect_id */
	char base_url[DR_MAX_PROVIDER_URL + 1]; /* no slash at the end */
	struct dr_provider_model *models;       /* owned; sorted by `here` */
	size_t n_models;
	unsigned max_concurrency;          /* 1..1000000 */
	unsigned weight;                   /* 1..1000 */
	unsigned priority;                 /* 0..1000; the lowest is asked first */
	char org[DR_MAX_PROVIDER_ORG + 1]; /* whose account it is; "": not said */
	struct dr_rest_plan rest; /* as written; for automatic ones dr_rest_layout() */
	bool rest_auto;           /* 8 hours of rest after 16 online, spread over the
				     providers of a model */
	enum dr_liveness liveness;
	bool enabled;
	bool allow_http; /* base_url may be http:// */
	enum dr_provider_header header;
	char api_path[DR_MAX_PROVIDER_PATH + 1]; /* between base_url and /messages ...:
						    "/v1"; "": nothing */
	char query[DR_MAX_PROVIDER_QUERY + 1];   /* "api-version=1&a=b"; "": none */
	char *extra_headers[DR_MAX_EXTRA_HEADERS]; /* owned: "name: value" */
	size_t n_extra_headers;
	bool rename_answers; /* the model's name in an answer is the caller's again */
	char ca_file[DR_MAX_PROVIDER_CA + 1]; /* "": the gateway's own */
	char *credential;                     /* owned; sealed; NULL: none */
	char token_sha[DR_SHA256_HEX];        /* of its node's token; "": it has none */
	int64_t generation; /* bumped by each change; 0: never written */
};

/* ---- making one ---- */

/* A record with the defaults; NULL with one line in err where the name is not one. */
struct dr_provider_record *dr_provider_record_new(
    const char *name, char *err, size_t err_size) DR_MUSTCHECK;
void dr_provider_record_free(struct dr_provider_record **record); /* NULL is fine */

bool dr_provider_name_ok(const char *name);

/*
 * One field from text. False with "FIELD: what is wrong" in err; the record is then
 * unchanged. An unknown field is an error: a rule that is not understood must not be
 * dropped silently. "name" can only be set to what it is.
 */
bool dr_provider_record_set(struct dr_provider_record *record, const char *field,
    const char *value, char *err, size_t err_size) DR_MUSTCHECK;

/* Append a field as text, as dr_provider_record_set() reads it; False: no such field.
 */
bool dr_provider_record_get(
    const struct dr_provider_record *record, const char *field, struct dr_strbuf *out);

/* Names of the fields in the order of showing them; NULL beyond the end. */
const char *dr_provider_record_field(size_t i);

/*
 * What holds between fields: base_url, dialects and models are there, http only with
 * allow_http. Every read or written record passes it. False with one line in err.
 */
bool dr_provider_record_check(
    const struct dr_provider_record *record, char *err, size_t err_size) DR_MUSTCHECK;

/*
 * A whole record from field, value, field, value ... (n texts, borrowed): set, then
 * checked. A field that is absent has its default. NULL with one line in err. The
 * caller owns the result.
 */
struct dr_provider_record *dr_provider_record_parse(const char *name,
    const char *const *texts, size_t n, char *err, size_t err_size) DR_MUSTCHECK;

/* ---- credential ---- */

void dr_provider_record_seal(struct dr_provider_record *record,
    const struct dr_seal_key *key, const char *plain); /* "": none */
/* NULL in *plain: the record has none. False: damaged, or sealed with another key.
 * Owned; wipe it. */
bool dr_provider_record_open(const struct dr_provider_record *record,
    const struct dr_seal_key *key, char **plain) DR_MUSTCHECK;

/* ---- the node's token ---- */

/*
 * "drp_", 40 random letters and digits, "_" and the provider's name: a token names its
 * provider. Only its digest is kept (token_sha).
 */
#define DR_PROVIDER_TOKEN_SIZE (4 + 40 + 1 + DR_MAX_PROVIDER_NAME + 1)

/* A new one for this record, instead of the one that it had; wipe it once shown. */
void dr_provider_record_new_token(
    struct dr_provider_record *record, char out[DR_PROVIDER_TOKEN_SIZE]);
/* The name in it; NULL: not of a token's form. */
const char *dr_provider_token_name(const char *token);
bool dr_provider_record_knows_token(
    const struct dr_provider_record *record, const char *token);

/* ---- keys in Redis ---- */

#define DR_PROVIDERS_KEY     "providers"
#define DR_PROVIDER_KEY_SIZE (DR_MAX_PROVIDER_NAME + 16)

void dr_provider_key_tag(
    const char *name, char out[DR_PROVIDER_KEY_SIZE]); /* {p:NAME} */
void dr_provider_key_record(
    const char *name, char out[DR_PROVIDER_KEY_SIZE]); /* {p:NAME}:provider */
void dr_provider_key_running(
    const char *name, char out[DR_PROVIDER_KEY_SIZE]); /* {p:NAME}:running */

/* ---- questions, all pure ---- */

/* The place of a model in `models`; -1: not offered. */
int dr_provider_record_find(const struct dr_provider_record *record, const char *here);
/* The name of a model at this provider; NULL: not offered. */
const char *dr_provider_record_model(
    const struct dr_provider_record *record, const char *here);

bool dr_provider_record_serves(const struct dr_provider_record *record,
    const char *model, enum dr_dialect_id dialect); /* enabled or not */

/* What stands before the credential in its header line: "x-api-key: ". */
const char *dr_provider_record_credential(
    const struct dr_provider_record *record, enum dr_dialect_id dialect);

/*
 * base_url + api_path + path + query, of "/v1/messages" for example; a base that ends
 * in "/v1" already has that part: https://host     + /v1/messages ->
 * https://host/v1/messages https://host/v1  + /v1/messages -> https://host/v1/messages
 *   https://host/llm + /v1/messages -> https://host/llm/v1/messages
 * and with api_path "" (in a record: none) https://host/llm/messages
 * False: does not fit.
 */
bool dr_provider_record_url(
    const struct dr_provider_record *record, const char *path, char *out, size_t size);

const char *dr_dialect_name(
    enum dr_dialect_id dialect); /* "anthropic", "openai-chat", "openai-responses" */

#endif
