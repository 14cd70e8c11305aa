/*
 * provider_record_fixture - records of providers and what stands in their fields. Each
 * test program includes it once.
 */
#ifndef DR_TESTS_PROVIDER_RECORD_FIXTURE_H
#define DR_TESTS_PROVIDER_RECORD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dr_assert.h"
#include "base/mem.h"
#include "gateway/provider_record.h"

static inline struct dr_provider_record *
record_of(const char *name)
{
	char err[200];
	struct dr_provider_record *record =
	    dr_provider_record_new(name, err, sizeof err);

	assert_non_null(record);
	return record;
}

static inline char *
text_of(const struct dr_provider_record *record, const char *field)
{
	static struct dr_strbuf text;

	dr_strbuf_fini(&text);
	dr_strbuf_init(&text, 1 << 20);
	assert_true(dr_provider_record_get(record, field, &text));
	assert_false(text.failed);
	return text.data;
}

static inline void
forget_text(void)
{
	struct dr_provider_record *record = record_of("x");

	text_of(record, "org"); /* "": holds no memory */
	dr_provider_record_free(&record);
}

#endif
