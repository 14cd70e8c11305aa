/*
 * strbuf - bytes that grow up to a ceiling stated at birth.
 *
 * Going above the ceiling sets `failed`, drops the addition and every later one;
 * callers check it once, at the end. The bytes are always followed by a NUL that
 * is not counted, so `data` is a C string when it holds no NUL itself.
 */
#ifndef DR_STRBUF_H
#define DR_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"

struct dr_strbuf {
	char *data;  /* owned; never NULL after init: "" while empty */
	size_t len;  /* bytes in use */
	size_t size; /* bytes allocated, 0 while empty */
	size_t max;  /* ceiling of len */
	bool failed; /* something did not fit */
};

void dr_strbuf_init(struct dr_strbuf *buf, size_t max);
void dr_strbuf_fini(
    struct dr_strbuf *buf); /* frees; a zeroed or finished one is fine */
void dr_strbuf_clear(
    struct dr_strbuf *buf); /* len = 0, failed = false, keeps the memory */

void dr_strbuf_reserve(struct dr_strbuf *buf, size_t more); /* room for `more` bytes */
void dr_strbuf_add(struct dr_strbuf *buf, const void *bytes, size_t n);
void dr_strbuf_adds(struct dr_strbuf *buf, const char *s);
void dr_strbuf_addc(struct dr_strbuf *buf, char c);
void dr_strbuf_addi(struct dr_strbuf *buf, int64_t n); /* in decimal */
void dr_strbuf_addf(struct dr_strbuf *buf, const char *format, ...) DR_PRINTF(2, 3);
void dr_strbuf_addv(struct dr_strbuf *buf, const char *format, va_list ap);
void dr_strbuf_consume(struct dr_strbuf *buf, size_t n); /* drop the first n bytes */

/*
 * For many small pieces: where `most` more bytes may be written; NULL, and failed,
 * where that is above the ceiling. Then the end of what was written there.
 */
char *dr_strbuf_space(struct dr_strbuf *buf, size_t most) DR_MUSTCHECK;
void dr_strbuf_filled(struct dr_strbuf *buf, const char *end);

/* Hand the memory to the caller (free()); `buf` is empty afterwards. */
char *dr_strbuf_take(struct dr_strbuf *buf);

#endif
