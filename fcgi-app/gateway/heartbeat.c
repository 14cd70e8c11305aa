/*
 * heartbeat - the body of a node's heartbeat; see the header.
 *
 * The document is parsed whole, and its top level is scanned as well: json-c keeps the
 * last of two members with one name, and a node that says two things is told so.
 */
#include "gateway/heartbeat.h"

#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "base/json.h"
#include "base/limits.h"
#include "dialects/json_scan.h"
#include "scripts/scripts.h"

#define MAX_FREE    1000000
#define MAX_SECONDS INT64_C(253402300799) /* the end of the year 9999 */

struct reader {
	struct dr_heartbeat *beat;
	struct json_object *root;
	unsigned seen; /* bits of members[] */
	enum dr_error error;
	char *err;
	size_t err_size;
};

static bool
is_printable(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
		if (*p <= 0x20 || *p >= 0x7f)
			return false;
	return true;
}

/* A name that fits into a list with commas. */
static bool
is_model_name(struct json_object *value)
{
	const char *text = json_object_get_string(value);

	return json_object_is_type(value, json_type_string) &&
	       json_object_get_string_len(value) == (int)strlen(text) &&
	       text[0] != '\0' && strlen(text) <= DR_MAX_MODEL_NAME &&
	       is_printable(text) && strchr(text, ',') == NULL;
}

/* Readers say what is wrong, or NULL. */

static const char *
read_models(struct dr_heartbeat *beat, struct json_object *value)
{
	size_t n = json_object_is_type(value, json_type_array)
		       ? json_object_array_length(value)
		       : DR_MAX_HEARTBEAT_MODELS + 1;

	if (n > DR_MAX_HEARTBEAT_MODELS)
		return "want a list of at most 1000 model names";
	beat->says_models = true;
	for (size_t i = 0; i < n; i++) {
		struct json_object *name = json_object_array_get_idx(value, i);

		if (!is_model_name(name))
			return "want names of 1 to 128 printable characters without "
			       "blanks and commas";
		if (i > 0)
			dr_strbuf_addc(&beat->models, ',');
		dr_strbuf_adds(&beat->models, json_object_get_string(name));
	}
	return NULL;
}

static bool
read_whole(struct json_object *value, int64_t most, int64_t *out)
{
	int64_t n = json_object_get_int64(value);

	if (!json_object_is_type(value, json_type_int) || n < 0 || n > most)
		return false;
	*out = n;
	return true;
}

static const char *
read_free(struct dr_heartbeat *beat, struct json_object *value)
{
	return read_whole(value, MAX_FREE, &beat->free)
		   ? NULL
		   : "want a whole number from 0 to 1000000";
}

static const char *
read_version(struct dr_heartbeat *beat, struct json_object *value)
{
	const char *text = json_object_get_string(value);

	if (!json_object_is_type(value, json_type_string) ||
	    json_object_get_string_len(value) != (int)strlen(text) ||
	    strlen(text) > DR_MAX_NODE_VERSION || !is_printable(text))
		return "want at most 64 printable characters without blanks";
	memcpy(beat->version, text, strlen(text) + 1);
	return NULL;
}

static const char *
read_resting_at(struct dr_heartbeat *beat, struct json_object *value)
{
	return read_whole(value, MAX_SECONDS, &beat->resting_at_s)
		   ? NULL
		   : "want seconds since 1970 as a whole number; 0: no rest to come";
}

static const struct {
	const char *name;
	const char *(*read)(struct dr_heartbeat *beat, struct json_object *value);
} members[] = {
	{ "models", read_models },
	{ "free", read_free },
	{ "version", read_version },
	{ "resting_at", read_resting_at },
};

/* One member of the body; false ends the scan. */
static bool
on_member(void *arg, const struct dr_json_member *member)
{
	struct reader *reader = arg;
	const char *problem = NULL;
	size_t i = 0;

	while (i < DR_N_ELEMENTS(members) && !dr_json_key_is(member, members[i].name))
		i++;
	reader->error = DR_ERR_BAD_FIELD;
	if (i == DR_N_ELEMENTS(members)) {
		snprintf(reader->err, reader->err_size, "%.*s: unknown field",
		    member->key_len < 64 ? (int)member->key_len : 64, member->key);
		return false;
	}
	if ((reader->seen & 1u << i) != 0)
		problem = "stands there twice";
	else
		problem = members[i].read(reader->beat,
		    json_object_object_get(reader->root, members[i].name));
	reader->seen |= 1u << i;
	if (problem != NULL) {
		snprintf(
		    reader->err, reader->err_size, "%s: %s", members[i].name, problem);
		return false;
	}
	reader->error = DR_OK;
	return true;
}

enum dr_error
dr_heartbeat_read(
    struct dr_heartbeat *beat, const char *body, size_t len, char *err, size_t err_size)
{
	struct reader reader = {
		.beat = beat, .error = DR_OK, .err = err, .err_size = err_size
	};

	*beat = (struct dr_heartbeat){ .free = -1 };
	dr_strbuf_init(
	    &beat->models, (size_t)DR_MAX_HEARTBEAT_MODELS * (DR_MAX_MODEL_NAME + 1));
	reader.root = dr_json_parse(body, len, err, err_size);
	if (reader.root == NULL)
		return DR_ERR_BAD_JSON;
	if (!dr_json_scan(body, len, on_member, &reader, err, err_size))
		reader.error = DR_ERR_BAD_JSON;
	json_object_put(reader.root);
	return reader.error;
}

void
dr_heartbeat_fini(struct dr_heartbeat *beat)
{
	dr_strbuf_fini(&beat->models);
}

/* ---- writing ---- */

#define N_KEYS 3
#define MOST   (N_KEYS + 1 + 2 * (sizeof members / sizeof members[0]))

/* Arguments of the script: texts, borrowed until the call is made. */
struct words {
	struct dr_arg args[MOST];
	size_t n;
};

static void
add(struct words *words, const char *text)
{
	DR_ASSERT(words->n < MOST);
	words->args[words->n++] = (struct dr_arg){ text, strlen(text) };
}

static void
add_field(struct words *words, const char *field, const char *value)
{
	add(words, field);
	add(words, value);
}

void
dr_heartbeat_write(struct dr_store *store, const char *provider,
    const struct dr_heartbeat *beat, int64_t ttl_ms, struct dr_store_call *call)
{
	char tag[DR_PROVIDER_KEY_SIZE], keys[N_KEYS][DR_PROVIDER_KEY_SIZE];
	char ttl[24], free_slots[24], resting_at_ms[24];
	struct words words = { .n = 0 };

	dr_provider_key_tag(provider, tag);
	dr_provider_key_record(provider, keys[0]);
	dr_provider_key_running(provider, keys[1]);
	dr_provider_key_state(provider, keys[2]);
	for (size_t i = 0; i < N_KEYS; i++)
		add(&words, keys[i]);
	snprintf(ttl, sizeof ttl, "%lld", (long long)ttl_ms);
	snprintf(free_slots, sizeof free_slots, "%lld", (long long)beat->free);
	snprintf(resting_at_ms, sizeof resting_at_ms, "%lld000",
	    (long long)beat->resting_at_s);
	add(&words, ttl);
	if (beat->says_models)
		add_field(&words, "models", beat->models.data);
	if (beat->free >= 0)
		add_field(&words, "free", free_slots);
	if (beat->resting_at_s > 0)
		add_field(&words, "resting_at", resting_at_ms);
	if (beat->version[0] != '\0')
		add_field(&words, "version", beat->version);
	dr_store_eval(
	    store, tag, &dr_script_heartbeat, N_KEYS, words.args, words.n, call);
}
