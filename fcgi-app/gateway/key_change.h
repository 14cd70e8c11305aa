/*
 * key_change - what may be said about a key when it is made or changed: the rules, once
 * for derouterctl and for /api. Pure.
 *
 * Each check gives NULL where the value is fine, and else what is wrong with it ("must
 * be above 0"): the caller puts its own name of the option or the field before it.
 */
#ifndef DR_KEY_CHANGE_H
#define DR_KEY_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/models.h"

#define DR_MAX_KEY_NAME     200 /* bytes */
#define DR_MAX_KEY_LIMIT    100000
#define DR_KEY_PROBLEM_SIZE 200
#define DR_MAX_GRACE_MS     (INT64_C(30) * 86400 * 1000) /* of a rotation */

struct dr_key_change {            /* all texts are borrowed */
	const char *name;         /* NULL: as it is */
	int64_t rpm, concurrency; /* 0: as they are */
	bool sets_budget;
	int64_t budget_nano; /* 0: the cap goes away, and its period with it */
	const char *period;  /* NULL: as it is */
	bool sets_expiry;
	int64_t expires_ms; /* 0: never */
	const char *models; /* "a,b"; "": all; NULL: as they are */
	const char *status; /* "on", "off"; NULL: as it is */
};

const char *dr_key_check_name(const char *name);
/* Amounts of 0 would be a key that never works. */
const char *dr_key_check_budget(int64_t nano);
const char *dr_key_check_period(const char *period, char why[DR_KEY_PROBLEM_SIZE]);
const char *dr_key_check_expiry(int64_t at_ms, int64_t now_ms);
/* "a,b": models that there are, by their names and not by an alias. */
const char *dr_key_check_models(
    const struct dr_models *models, const char *list, char why[DR_KEY_PROBLEM_SIZE]);

/* ---- the script's words ---- */

#define DR_KEY_CHANGE_WORDS 16

struct dr_key_words {
	size_t n; /* field, value, field, value ...; an empty value takes it away */
	const char *words[DR_KEY_CHANGE_WORDS]; /* borrowed from the change and below */
	char numbers[4][24];
};

void dr_key_change_words(const struct dr_key_change *change, struct dr_key_words *out);

#endif
