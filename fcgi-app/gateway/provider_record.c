/*
 * provider_record - a provider's configuration as text and as a struct; see the header.
 *
 * One table names every field with its reader and its writer. Readers are strict: what
 * they do not understand they refuse, and the record stays as it was. Nothing here
 * talks to Redis.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "gateway/provider_fields.h"

#define MAX_GENERATION                                                                 \
	(INT64_C(1) << 53) /* Redis' Lua numbers are exact up to here                  \
			    */
#define MAX_SEALED (DR_MAX_CREDENTIAL * 2)

static bool
is_printable(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f)
			return false;
	return true;
}

/* ---- plain fields: a member at an offset, with what the table says of it ---- */

static void *
member(struct dr_provider_record *r, const struct dr_field *f)
{
	return (char *)r + f->at;
}

static const void *
member_of(const struct dr_provider_record *r, const struct dr_field *f)
{
	return (const char *)r + f->at;
}

static const char *
set_number(struct dr_provider_record *r, const struct dr_field *f, const char *value)
{
	int64_t n;

	if (!dr_word_number(dr_word_trim(value, strlen(value)), f->least, f->most, &n))
		return f->problem;
	*(unsigned *)member(r, f) = (unsigned)n;
	return NULL;
}

static void
get_number(
    const struct dr_provider_record *r, const struct dr_field *f, struct dr_strbuf *out)
{
	dr_strbuf_addf(out, "%u", *(const unsigned *)member_of(r, f));
}

static const char *
set_switch(struct dr_provider_record *r, const struct dr_field *f, const char *value)
{
	if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		return f->problem;
	*(bool *)member(r, f) = strcmp(value, "on") == 0;
	return NULL;
}

static void
get_switch(
    const struct dr_provider_record *r, const struct dr_field *f, struct dr_strbuf *out)
{
	dr_strbuf_adds(out, *(const bool *)member_of(r, f) ? "on" : "off");
}

static const char *
set_text(struct dr_provider_record *r, const struct dr_field *f, const char *value)
{
	size_t len = strlen(value);

	if (len > f->most || !is_printable(value))
		return f->problem;
	memcpy(member(r, f), value, len + 1);
	return NULL;
}

static void
get_text(
    const struct dr_provider_record *r, const struct dr_field *f, struct dr_strbuf *out)
{
	dr_strbuf_adds(out, member_of(r, f));
}

static const char *
set_path(struct dr_provider_record *r, const struct dr_field *f, const char *value)
{
	return *value != '\0' && *value != '/' ? f->problem : set_text(r, f, value);
}

/* ---- the others: each reader returns what is wrong, or NULL ---- */

static const char *
set_name(struct dr_provider_record *r, const struct dr_field *f, const char *value)
{
	return strcmp(value, r->name) == 0 ? NULL : f->problem;
}

/* A host name, an IPv4 address or an IPv6 address in brackets; 0: none of them. */
static size_t
host_length(const char *text)
{
	size_t n;

	if (*text == '[') {
		n = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
		return n > 2 && text[n] == ']' ? n + 1 : 0;
	}
	n = strspn(
	    text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");
	return n > 253 || *text == '.' || *text == '-' ? 0 : n;
}

/* "/a/b": no empty and no dotted parts, only characters that need no quoting. */
static bool
path_ok(const char *path)
{
	while (*path == '/') {
		size_t n = strspn(path + 1,
		    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-:@!$&()*+,;=");

		if (n == 0 || strncmp(path + 1, "..", n) == 0)
			return false;
		path += 1 + n;
	}
	return *path == '\0';
}

/* "host", "host:port", and a path or none */
static bool
place_ok(const char *at)
{
	size_t n = host_length(at);
	int64_t port;

	if (n == 0)
		return false;
	at += n;
	if (*at == ':') {
		n = strcspn(++at, "/");
		if (!dr_word_number((struct dr_word){ at, n }, 1, 65535, &port))
			return false;
		at += n;
	}
	return path_ok(at);
}

static const char *
set_base_url(struct dr_provider_record *r, const struct dr_field *f, const char *value)
{
	const char *at = value;
	size_t len = strlen(value);

	if (strncmp(at, "https://", 8) == 0)
		at += 8;
	else if (strncmp(at, "http://", 7) == 0)
		at += 7;
	else
		return "must begin with https:// (or http:// with allow_http)";
	if (len > f->most)
		return f->problem;
	if (value[len - 1] == '/')
		return "must not end with a slash";
	if (value[strcspn(value, "?#")] != '\0')
		return "must not hold a query or a fragment";
	if (memchr(at, '@', strcspn(at, "/")) != NULL)
		return "must not hold a user or a password: use the credential";
	if (!place_ok(at))
		return "has no valid host, port and path";
	memcpy(r->base_url, value, len + 1);
	return NULL;
}

static const char *const liveness_names[] = {
	[DR_LIVENESS_ALWAYS] = "always",
	[DR_LIVENESS_NODE] = "node",
	[DR_LIVENESS_PROBE] = "probe",
};

/* "/v1", "/openai/v1"; "none" is kept as "". */
static const char *
set_api_path(struct dr_provider_record *r, const struct dr_field *f, const char *value)
{
	size_t len = strlen(value);

	if (strcmp(value, "none") == 0) {
		r->api_path[0] = '\0';
		return NULL;
	}
	if (value[0] != '/' || len > DR_MAX_PROVIDER_PATH || !path_ok(value))
		return f->problem;
	memcpy(r->api_path, value, len + 1);
	return NULL;
}

static void
get_api_path(const struct dr_provider_record *r, DR_UNUSED const struct dr_field *f,
    struct dr_strbuf *out)
{
	dr_strbuf_adds(out, r->api_path[0] != '\0' ? r->api_path : "none");
}

static const char *
set_query(struct dr_provider_record *r, const struct dr_field *f, const char *value)
{
	size_t n = strspn(value,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-:@!$()*,;=&%+");

	if (value[n] != '\0' || value[0] == '&' || value[0] == '=')
		return f->problem;
	return set_text(r, f, value);
}

static const char *
set_liveness(struct dr_provider_record *r, const struct dr_field *f, const char *value)
{
	for (size_t i = 0; i < DR_N_ELEMENTS(liveness_names); i++)
		if (strcmp(value, liveness_names[i]) == 0) {
			r->liveness = (enum dr_liveness)i;
			return NULL;
		}
	return f->problem;
}

static void
get_liveness(const struct dr_provider_record *r, DR_UNUSED const struct dr_field *f,
    struct dr_strbuf *out)
{
	dr_strbuf_adds(out, liveness_names[r->liveness]);
}

/* A digest, never the token itself. */
static const char *
set_token_sha(struct dr_provider_record *r, const struct dr_field *f, const char *value)
{
	size_t len = strlen(value);

	if (len != 0 &&
	    (len != DR_SHA256_HEX - 1 || strspn(value, "0123456789abcdef") != len))
		return f->problem;
	memcpy(r->token_sha, value, len + 1);
	return NULL;
}

static void
get_token_sha(const struct dr_provider_record *r, DR_UNUSED const struct dr_field *f,
    struct dr_strbuf *out)
{
	dr_strbuf_adds(out, r->token_sha);
}

static const char *
set_header(struct dr_provider_record *r, const struct dr_field *f, const char *value)
{
	if (strcmp(value, "bearer") == 0)
		r->header = DR_HEADER_BEARER;
	else if (strcmp(value, "api-key") == 0)
		r->header = DR_HEADER_API_KEY;
	else if (strcmp(value, "x-api-key") == 0)
		r->header = DR_HEADER_X_API_KEY;
	else
		return f->problem;
	return NULL;
}

static void
get_header(const struct dr_provider_record *r, DR_UNUSED const struct dr_field *f,
    struct dr_strbuf *out)
{
	dr_strbuf_adds(out, r->header == DR_HEADER_BEARER    ? "bearer"
			    : r->header == DR_HEADER_API_KEY ? "api-key"
							     : "x-api-key");
}

/* Sealed text only: a plain credential put here by mistake is refused, not stored. */
static const char *
set_credential(
    struct dr_provider_record *r, const struct dr_field *f, const char *value)
{
	if (*value != '\0' && (strncmp(value, "v1.", 3) != 0 ||
				  strlen(value) > MAX_SEALED || !is_printable(value)))
		return f->problem;
	free(r->credential);
	r->credential = *value == '\0' ? NULL : dr_strdup(value);
	return NULL;
}

static void
get_credential(const struct dr_provider_record *r, DR_UNUSED const struct dr_field *f,
    struct dr_strbuf *out)
{
	dr_strbuf_adds(out, r->credential != NULL ? r->credential : "");
}

static const char *
set_generation(
    struct dr_provider_record *r, const struct dr_field *f, const char *value)
{
	struct dr_word word = { value, strlen(value) };

	if (!dr_word_number(word, 0, MAX_GENERATION, &r->generation))
		return f->problem;
	return NULL;
}

static void
get_generation(const struct dr_provider_record *r, DR_UNUSED const struct dr_field *f,
    struct dr_strbuf *out)
{
	dr_strbuf_addf(out, "%lld", (long long)r->generation);
}

/* ---- the table ---- */

#define AT(m) offsetof(struct dr_provider_record, m)

/* clang-format off */
#define NUMBER(m, least, most)                                                           \
	{ #m, set_number, get_number, AT(m), least, most,                                \
	  "want a whole number from " #least " to " #most }
#define SWITCH(m) { #m, set_switch, get_switch, AT(m), 0, 0, "want on or off" }
#define TEXT(m, set, most, problem) { #m, set, get_text, AT(m), 0, most, problem }
#define OWN(m, problem) { #m, set_##m, get_##m, 0, 0, 0, problem }
#define LIST(m, problem) { #m, dr_field_set_##m, dr_field_get_##m, 0, 0, 0, problem }

static const struct dr_field fields[] = {
	TEXT(name, set_name, DR_MAX_PROVIDER_NAME, "differs from the record's own name"),
	SWITCH(enabled),
	LIST(dialects, "want a list of anthropic, openai-chat, openai-responses"),
	TEXT(base_url, set_base_url, DR_MAX_PROVIDER_URL, "is too long (512 bytes at most)"),
	SWITCH(allow_http),
	TEXT(ca_file, set_path, DR_MAX_PROVIDER_CA, "want an absolute path, 255 bytes at most"),
	OWN(header, "want x-api-key, bearer or api-key"),
	OWN(api_path, "want none or a path such as /v1 (63 bytes at most)"),
	TEXT(query, set_query, DR_MAX_PROVIDER_QUERY, "want NAME=VALUE&... of letters that need no quoting"),
	LIST(extra_headers, "want lines NAME: VALUE"),
	SWITCH(rename_answers),
	OWN(credential, "is not a sealed credential"),
	LIST(models, "want a list of HERE or HERE=THERE, the callers' name first"),
	NUMBER(max_concurrency, 1, 1000000),
	NUMBER(weight, 1, 1000),
	NUMBER(priority, 0, 1000),
	TEXT(org, set_text, DR_MAX_PROVIDER_ORG, "want at most 64 printable characters"),
	LIST(rest, "want none, auto or a list of HH:MM-HH:MM (UTC)"),
	OWN(liveness, "want node, probe or always"),
	OWN(token_sha, "is not a SHA-256 in hex digits"),
	OWN(generation, "want a whole number"),
};
/* clang-format on */

static const struct dr_field *
find_field(const char *name)
{
	for (size_t i = 0; i < DR_N_ELEMENTS(fields); i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

const char *
dr_provider_record_field(size_t i)
{
	return i < DR_N_ELEMENTS(fields) ? fields[i].name : NULL;
}

bool
dr_provider_record_set(struct dr_provider_record *record, const char *field,
    const char *value, char *err, size_t err_size)
{
	const struct dr_field *f = find_field(field);
	const char *problem;

	DR_CHECK(record, DR_PROVIDER_RECORD_MAGIC);
	problem = f != NULL ? f->set(record, f, value) : "unknown field";
	if (problem != NULL)
		snprintf(err, err_size, "%s: %s", field, problem);
	return problem == NULL;
}

bool
dr_provider_record_get(
    const struct dr_provider_record *record, const char *field, struct dr_strbuf *out)
{
	const struct dr_field *f = find_field(field);

	DR_CHECK(record, DR_PROVIDER_RECORD_MAGIC);
	if (f == NULL)
		return false;
	f->get(record, f, out);
	return true;
}
