/*
 * providers_poll - how the directory of providers gets here from Redis.
 *
 * A poll reads the names, then asks every provider by one script how busy it is and,
 * where its generation is not the known one, for its record; all of them leave in one
 * write. A record is never changed in place: a new generation is a new struct
 * dr_provider, with a new breaker. While Redis is away what is known stays.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/providers_priv.h"
#include "scripts/scripts.h"

/* Between two polls while Redis is away, so that its return is soon seen. */
#define AWAY_POLL_MS 100
#define MAX_TEXTS    128 /* of a record or a state; more than the tables have */

/* One name of the directory. */
struct dr_entry {
	unsigned magic;
#define ENTRY_MAGIC 0xe9720001
	struct dr_providers *providers; /* borrowed */
	struct dr_store_call read;
	char name[DR_MAX_PROVIDER_NAME + 1];
	struct dr_provider *provider; /* a reference; NULL: not read yet, or damaged */
	char complaint[256];          /* the last one logged: each is said once */
	char state_complaint[256];    /* ... of its state */
	bool seen;                    /* named in this poll */
	uint64_t asked;               /* the turn at which its read left */
};

/* ---- entries ---- */

static struct dr_provider *
provider_new(struct dr_provider_record *record, char *credential, bool locked)
{
	struct dr_provider *provider = dr_calloc(1, sizeof *provider);

	provider->magic = DR_PROVIDER_MAGIC;
	provider->refs = 1;
	dr_list_init(&provider->spare);
	provider->record = record;
	provider->credential = credential;
	provider->locked = locked;
	provider->rest =
	    record->rest; /* an automatic one follows with the poll's end */
	return provider;
}

static void
entry_free(struct dr_entry *entry)
{
	dr_store_cancel(&entry->read);
	dr_provider_unref(&entry->provider);
	DR_FREE(entry);
}

/* What the others read: the providers behind the entries. */
static void
make_list(struct dr_providers *providers)
{
	providers->n_list = 0;
	for (size_t i = 0; i < providers->n_entries; i++)
		if (providers->entries[i]->provider != NULL)
			providers->list[providers->n_list++] =
			    providers->entries[i]->provider;
	providers->rests_stale = true;
}

static void
say_once(struct dr_entry *entry, const char *what, const char *why)
{
	if (strcmp(entry->complaint, why) == 0)
		return;
	snprintf(entry->complaint, sizeof entry->complaint, "%s", why);
	dr_log_error(providers, "%s: %s: %s", entry->name, what, why);
}

/* A record that is no use: out of the list. */
static void
complain(struct dr_entry *entry, const char *why)
{
	if (entry->provider != NULL) {
		dr_provider_unref(&entry->provider);
		make_list(entry->providers);
	}
	say_once(entry, "left out", why);
}

static void
replace(struct dr_entry *entry, struct dr_provider *fresh)
{
	const struct dr_provider *old = entry->provider;

	if (old != NULL && old->record->generation == fresh->record->generation &&
	    old->locked == fresh->locked) {
		dr_provider_unref(&fresh); /* the same, only written as "07" */
		return;
	}
	dr_provider_unref(&entry->provider);
	entry->provider = fresh;
	entry->complaint[0] = '\0';
	make_list(entry->providers);
	dr_log_info(providers, "%s: read, generation %lld%s", entry->name,
	    (long long)fresh->record->generation,
	    fresh->record->enabled ? "" : ", disabled");
}

/* The texts of a record or a state; 0 with the reason where they are none. */
static size_t
read_texts(const struct dr_reply *reply, const char *texts[MAX_TEXTS], const char **why)
{
	size_t n = dr_reply_count(reply);

	*why = n == 0 ? "it has no record" : "it has too many fields";
	if (n > MAX_TEXTS || n % 2 != 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		size_t len;

		texts[i] = dr_reply_string(dr_reply_at(reply, i), &len);
		if (strlen(texts[i]) != len) {
			*why = "a field holds a zero byte";
			return 0;
		}
	}
	return n;
}

/* Not as it was when it was read last. */
static bool
is_another_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev != b->st_dev || a->st_ino != b->st_ino ||
	       a->st_size != b->st_size || a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
	       a->st_mtim.tv_nsec != b->st_mtim.tv_nsec ||
	       a->st_ctim.tv_sec != b->st_ctim.tv_sec ||
	       a->st_ctim.tv_nsec != b->st_ctim.tv_nsec;
}

/*
 * The key may have been changed for another (derouterctl secrets rotate): the file
 * tells, and is read anew where it is not the one that was read. A damaged credential
 * does not open either.
 */
static bool
open_credential(struct dr_providers *providers, const struct dr_provider_record *record,
    char **credential)
{
	struct dr_seal_key fresh;
	struct stat now;
	char err[256];

	if (dr_provider_record_open(record, &providers->key, credential))
		return true;
	if (providers->key_file == NULL || stat(providers->key_file, &now) != 0 ||
	    !is_another_file(&now, &providers->key_stat))
		return false;
	providers->key_stat =
	    now; /* before it is read: a change meanwhile shows next */
	if (!dr_seal_key_load(providers->key_file, &fresh, err, sizeof err))
		return false;
	providers->key = fresh;
	dr_wipe(&fresh, sizeof fresh);
	return dr_provider_record_open(record, &providers->key, credential);
}

static void
read_record(struct dr_entry *entry, const struct dr_reply *reply)
{
	const char *texts[MAX_TEXTS], *why;
	size_t n = read_texts(reply, texts, &why);
	struct dr_provider_record *record;
	char err[200], *credential = NULL;
	bool locked;

	if (n == 0) {
		complain(entry, why);
		return;
	}
	record = dr_provider_record_parse(entry->name, texts, n, err, sizeof err);
	if (record != NULL && record->generation == 0) {
		dr_provider_record_free(&record);
		snprintf(err, sizeof err, "generation: is missing");
	}
	if (record == NULL) {
		complain(entry, err);
		return;
	}
	/* whoever calls is not told that its model is none, for our own trouble */
	locked = !open_credential(entry->providers, record, &credential);
	replace(entry, provider_new(record, credential, locked));
	if (locked)
		say_once(entry, "flagged",
		    "credential: does not open with the key of secrets_key_file");
}

/* What cannot be read of it counts as absent; said once, until it is whole again. */
static void
read_state(struct dr_entry *entry, const struct dr_reply *reply)
{
	const char *texts[MAX_TEXTS], *why;
	size_t n = read_texts(reply, texts, &why);
	char err[sizeof entry->state_complaint] = "";

	if (n == 0)
		snprintf(err, sizeof err, "%s", why);
	else
		(void)dr_provider_state_read(
		    &entry->provider->state, texts, n, err, sizeof err);
	if (err[0] != '\0' && strcmp(entry->state_complaint, err) != 0)
		dr_log_error(providers, "%s: of its state: %s", entry->name, err);
	snprintf(entry->state_complaint, sizeof entry->state_complaint, "%s", err);
	dr_presence_note(entry->providers, entry->provider);
	dr_share_hear(entry->provider, entry->asked);
}

/* ---- the poll ---- */

static void
poll_over(struct dr_providers *providers)
{
	bool back = providers->away && !providers->poll_failed;
	uint64_t wait_ms = providers->poll_ms;

	if (providers->rests_stale)
		dr_presence_deal_rests(providers);
	providers->away = providers->poll_failed;
	if (providers->away && wait_ms > AWAY_POLL_MS)
		wait_ms = AWAY_POLL_MS;
	if (!providers->away)
		providers->ready = true;
	if (back)
		dr_slots_recover(providers);
	if (!providers->stopped)
		dr_timer_start(&providers->poll_timer, wait_ms);
}

static void
on_read(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_entry *entry = DR_CONTAINER_OF(call, struct dr_entry, read);
	struct dr_providers *providers = entry->providers;

	DR_CHECK(entry, ENTRY_MAGIC);
	if (err == DR_ERR_STORE_DOWN) {
		providers->poll_failed = true; /* what is known stays */
	} else if (err != DR_OK) {
		complain(entry, "its keys in Redis cannot be read");
	} else {
		if (dr_reply_count(reply) > 2)
			read_record(entry, dr_reply_at(reply, 2));
		if (entry->provider != NULL) {
			read_state(entry, dr_reply_at(reply, 1));
			dr_slots_counted(
			    entry->provider, dr_reply_int(dr_reply_at(reply, 0), 0));
		}
	}
	if (--providers->reading == 0)
		poll_over(providers);
}

static void
start_read(struct dr_entry *entry)
{
	char tag[DR_PROVIDER_KEY_SIZE], record[DR_PROVIDER_KEY_SIZE];
	char running[DR_PROVIDER_KEY_SIZE], state[DR_PROVIDER_KEY_SIZE];
	char generation[24] = "";
	struct dr_arg args[] = { { record, 0 }, { running, 0 }, { state, 0 },
		{ generation, 0 } };

	dr_provider_key_tag(entry->name, tag);
	dr_provider_key_record(entry->name, record);
	dr_provider_key_running(entry->name, running);
	dr_provider_key_state(entry->name, state);
	/* one that is locked is read again: the file of the key may be made good */
	if (entry->provider != NULL && !entry->provider->locked)
		snprintf(generation, sizeof generation, "%lld",
		    (long long)entry->provider->record->generation);
	for (size_t i = 0; i < DR_N_ELEMENTS(args); i++)
		args[i].len = strlen(args[i].data);
	entry->asked = entry->providers->turn;
	entry->read.done = on_read;
	dr_store_eval(entry->providers->store, tag, &dr_script_provider_read, 3, args,
	    DR_N_ELEMENTS(args), &entry->read);
}

/* The entry of a name, made where there is none; NULL: no room. The order rarely
 * changes. */
static struct dr_entry *
find_entry(struct dr_providers *providers, const char *name)
{
	size_t n = providers->n_entries;
	struct dr_entry *entry;

	for (size_t i = 0; i < n; i++) {
		size_t at = (providers->found_at + 1 + i) % n;

		if (strcmp(providers->entries[at]->name, name) == 0) {
			providers->found_at = at;
			return providers->entries[at];
		}
	}
	if (n == DR_MAX_PROVIDERS)
		return NULL;
	entry = dr_calloc(1, sizeof *entry);
	entry->magic = ENTRY_MAGIC;
	entry->providers = providers;
	snprintf(entry->name, sizeof entry->name, "%s", name);
	providers->entries[providers->n_entries++] = entry;
	return entry;
}

/* Names that cannot be used are logged when they are not those of the last poll
 * (FNV-1a). */
static uint32_t
digest(uint32_t sum, const char *text)
{
	for (; *text != '\0'; text++)
		sum = (sum ^ (unsigned char)*text) * 16777619u;
	return (sum ^ 0xff) * 16777619u;
}

static void
note_names(struct dr_providers *providers, const struct dr_reply *reply)
{
	uint32_t bad = 0;

	for (size_t i = 0; i < providers->n_entries; i++)
		providers->entries[i]->seen = false;
	for (size_t i = 0; i + 1 < dr_reply_count(reply); i += 2) {
		const char *name = dr_reply_string(dr_reply_at(reply, i), NULL);
		struct dr_entry *entry = NULL;

		if (dr_provider_name_ok(name))
			entry = find_entry(providers, name);
		if (entry != NULL)
			entry->seen = true;
		else
			bad = digest(bad, name);
	}
	if (bad != 0 && bad != providers->bad_names)
		dr_log_error(providers,
		    "the directory has names that are none of a provider, or more than %d "
		    "of them: left out",
		    DR_MAX_PROVIDERS);
	providers->bad_names = bad;
}

static void
drop_unseen(struct dr_providers *providers)
{
	size_t kept = 0;

	for (size_t i = 0; i < providers->n_entries; i++) {
		struct dr_entry *entry = providers->entries[i];

		if (entry->seen) {
			providers->entries[kept++] = entry;
			continue;
		}
		dr_log_info(providers, "%s: removed", entry->name);
		entry_free(entry);
	}
	if (kept == providers->n_entries)
		return;
	providers->n_entries = kept;
	providers->found_at = 0;
	make_list(providers);
}

static void
on_names(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_providers *providers =
	    DR_CONTAINER_OF(call, struct dr_providers, names);

	DR_CHECK(providers, DR_PROVIDERS_MAGIC);
	if (err != DR_OK) {
		providers->poll_failed = true;
		poll_over(providers);
		return;
	}
	note_names(providers, reply);
	drop_unseen(providers);
	providers->reading = providers->n_entries;
	if (providers->reading == 0)
		poll_over(providers);
	for (size_t i = 0; i < providers->n_entries; i++)
		start_read(providers->entries[i]);
}

static void
on_poll(struct dr_timer *timer)
{
	struct dr_providers *providers =
	    DR_CONTAINER_OF(timer, struct dr_providers, poll_timer);
	const struct dr_arg argv[] = { { "HGETALL", 7 },
		{ DR_PROVIDERS_KEY, sizeof DR_PROVIDERS_KEY - 1 } };

	DR_CHECK(providers, DR_PROVIDERS_MAGIC);
	providers->poll_failed = false;
	dr_presence_ask_for_watcher(providers);
	providers->names.done = on_names;
	dr_store_command(
	    providers->store, DR_PROVIDERS_KEY, argv, 2, &providers->names);
}

/* ---- from first to last ---- */

void
dr_poll_init(struct dr_providers *providers)
{
	dr_timer_init(&providers->poll_timer, providers->loop, on_poll);
	dr_timer_start(&providers->poll_timer, 0);
}

void
dr_poll_fini(struct dr_providers *providers)
{
	dr_timer_stop(&providers->poll_timer);
	dr_store_cancel(&providers->names);
	dr_store_cancel(&providers->watch);
	for (size_t i = 0; i < providers->n_entries; i++)
		entry_free(providers->entries[i]);
	providers->n_entries = providers->n_list = 0;
}
