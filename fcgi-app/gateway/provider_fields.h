/*
 * provider_fields - what the files of provider_record share; for nobody else.
 *
 *   provider_record.c  the table of fields, and those with one value
 *   provider_lists.c   those that are lists: dialects, models, rest
 *   provider_headers.c the one that is lines: extra_headers
 *   provider_rules.c   the record as a whole: made, checked, opened, asked
 */
#ifndef DR_PROVIDER_FIELDS_H
#define DR_PROVIDER_FIELDS_H

#include "gateway/provider_record.h"

/* Borrowed bytes without the spaces around them. */
struct dr_word {
	const char *text;
	size_t len;
};

struct dr_word dr_word_trim(const char *text, size_t len);
/* The next entry of a comma list; false at its end. An empty list has one empty entry.
 */
bool dr_word_next(const char **at, struct dr_word *out);
bool dr_word_is(struct dr_word word, const char *text);
/* Digits only, least..most. */
bool dr_word_number(struct dr_word word, int64_t least, int64_t most, int64_t *out);

/* One field: how it is read and written, and for plain members where it is and what it
 * may be. */
struct dr_field {
	const char *name;
	const char *(*set)(
	    struct dr_provider_record *, const struct dr_field *, const char *value);
	void (*get)(const struct dr_provider_record *, const struct dr_field *,
	    struct dr_strbuf *);
	size_t at;            /* of the member */
	unsigned least, most; /* numbers; texts: bytes at most */
	const char *problem;  /* what to say of a bad value */
};

/* Readers return what is wrong, or NULL; the record is then unchanged. */
const char *dr_field_set_dialects(
    struct dr_provider_record *r, const struct dr_field *f, const char *value);
const char *dr_field_set_models(
    struct dr_provider_record *r, const struct dr_field *f, const char *value);
const char *dr_field_set_extra_headers(
    struct dr_provider_record *r, const struct dr_field *f, const char *value);
void dr_field_get_extra_headers(const struct dr_provider_record *r,
    const struct dr_field *f, struct dr_strbuf *out);
void dr_field_free_extra_headers(struct dr_provider_record *r);
const char *dr_field_set_rest(
    struct dr_provider_record *r, const struct dr_field *f, const char *value);
void dr_field_get_dialects(const struct dr_provider_record *r, const struct dr_field *f,
    struct dr_strbuf *out);
void dr_field_get_models(const struct dr_provider_record *r, const struct dr_field *f,
    struct dr_strbuf *out);
void dr_field_get_rest(const struct dr_provider_record *r, const struct dr_field *f,
    struct dr_strbuf *out);

#endif
