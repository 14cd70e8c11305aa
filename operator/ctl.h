/*
 * ctl - what the verbs of derouterctl have in common: options, Redis calls that wait,
 * output.
 *
 * A verb is a function that returns the exit status: 0 done, 1 it failed, 2 it was
 * called wrongly. What is wrong is one line on standard error that names the argument.
 */
#ifndef DR_CTL_H
#define DR_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "config/config.h"
#include "io/loop.h"
#include "io/store.h"

enum { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

struct ctl {
	struct dr_config *config;
	struct dr_loop *loop;
	struct dr_store
	    *store; /* connected before the verb runs, unless it needs none */
	bool json;
	const char *config_dir; /* folder of the configuration file */
	int key_lock;           /* 0: none; see ctl_key_lock() */
};

struct ctl_verb {
	const char *noun,
	    *verb;         /* "account", "add"; verb "" where the noun stands alone */
	const char *usage; /* the words after them */
	bool needs_store;
	int (*run)(struct ctl *ctl, int argc, char **argv);
};

/* Tables of verbs, each ended by one with noun NULL. */
extern const struct ctl_verb ctl_account_verbs[], ctl_key_verbs[], ctl_provider_verbs[],
    ctl_model_verbs[], ctl_ledger_verbs[], ctl_secrets_verbs[], ctl_deposit_verbs[],
    ctl_wallet_verbs[], ctl_session_verbs[];

/* One line on standard error: "derouterctl: ...". Returns `status`. */
int ctl_fail(int status, const char *format, ...) DR_PRINTF(2, 3);

/* ---- options: "--name value" or "--name=value", in any order among the words ---- */

struct ctl_option {
	const char *name;    /* "--rpm" */
	const char **values; /* where values go; NULL for a switch */
	size_t max_values;   /* 1: at most once */
	size_t n;            /* how often it came */
};

/*
 * Sort argv into options and words. True: words[0..*n_words), between least and most.
 * False: said what is wrong. `options` ends with name NULL; may be NULL.
 */
bool ctl_options(int argc, char **argv, struct ctl_option *options, const char **words,
    size_t least, size_t most, size_t *n_words, const char *usage);

/* Numbers of an option: false says which argument is wrong. An absent value (NULL)
 * leaves *out. */
bool ctl_number(
    const char *name, const char *value, int64_t least, int64_t most, int64_t *out);
bool ctl_money(const char *name, const char *value, int64_t *out);
/* A name or a reason (NULL: none): at most so many bytes of UTF-8, no control
 * characters. */
bool ctl_text(const char *name, const char *value, size_t most);
#define CTL_MAX_NAME   200
#define CTL_MAX_REASON 500 /* it stands in a row of the ledger */
/* "2026-12-31" (its first moment, UTC) or "2026-12-31T15:04:05Z", in ms since 1970. */
bool ctl_time(const char *name, const char *value, int64_t *out);
/* "24h", "30m" as in the configuration, least..most ms. */
bool ctl_duration(
    const char *name, const char *value, int64_t least, int64_t most, int64_t *out);

/* ---- Redis, waiting for the answer ---- */

/*
 * A reply, kept: the callback's own is gone when the call returns. type as in
 * io/store.h.
 */
struct ctl_reply {
	enum dr_reply_type type;
	int64_t number;
	char *text; /* strings; owned */
	size_t len;
	struct ctl_reply *items;
	size_t n;
};

/* Run a command (NULL-terminated words). False: said on standard error. The caller
 * frees *out. */
bool ctl_command(struct ctl *ctl, struct ctl_reply *out, const char *const *words);
bool ctl_script(struct ctl *ctl, struct ctl_reply *out, const char *tag,
    struct dr_script *script, size_t n_keys, const char *const *words);
void ctl_reply_free(struct ctl_reply *reply);
/* A field of a reply that is field, value, field, value ...; "" where absent. */
const char *ctl_field(const struct ctl_reply *reply, const char *field);

/* ---- output: a table for people, an array of objects for scripts ---- */

struct ctl_table; /* opaque */

/* Column names, NULL-terminated; one that begins with '#' is a number in JSON. */
struct ctl_table *ctl_table_new(const char *const *columns);
void ctl_table_cell(
    struct ctl_table *table, const char *text); /* fills row after row */
void ctl_table_number(struct ctl_table *table, int64_t n);
void ctl_table_usd(struct ctl_table *table, int64_t nano);
/* People are not shown columns that say nothing in any row, nor nano-dollars that stand
 * there in dollars too. */
void ctl_table_narrow(struct ctl_table *table);
void ctl_table_free(struct ctl_table **table);
/* Print and free. `single`: JSON is one object instead of an array. */
void ctl_table_print(struct ctl *ctl, struct ctl_table **table, bool single);
/* The same as CSV, with a line of names first. */
void ctl_table_print_csv(struct ctl_table **table);

/* ---- the key that credentials are sealed with ---- */

/*
 * Until this program ends: nobody changes the key (`alone` false), or nobody uses it
 * either (true). Waits for those who do. False: said so.
 */
bool ctl_key_lock(struct ctl *ctl, bool alone);

/* ---- verbs with a file of their own (ctl_account_state.c) ---- */

int ctl_account_suspend(struct ctl *ctl, int argc, char **argv);
int ctl_account_resume(struct ctl *ctl, int argc, char **argv);

/* ---- names ---- */

#define CTL_KEY_SIZE 160

/* {a:ACCT}:NAME */
void ctl_account_key(const char *account, const char *name, char out[CTL_KEY_SIZE]);
/* False: said so. */
bool ctl_account_exists(struct ctl *ctl, const char *account);

#endif
