/*
 * base/strbuf: formats come out as printf writes them, whichever way they are written,
 * and what goes above the ceiling is dropped whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/strbuf.h"

#define SAME_AS_PRINTF(...)                                                            \
	do {                                                                           \
		char want[200];                                                        \
		struct dr_strbuf got;                                                  \
                                                                                       \
		dr_strbuf_init(&got, 199);                                             \
		dr_strbuf_adds(&got, "before ");                                       \
		dr_strbuf_addf(&got, __VA_ARGS__);                                     \
		snprintf(want, sizeof want, __VA_ARGS__);                              \
		assert_false(got.failed);                                              \
		assert_memory_equal(got.data, "before ", 7);                           \
		assert_string_equal(got.data + 7, want);                               \
		assert_int_equal(got.len, strlen(got.data));                           \
		dr_strbuf_fini(&got);                                                  \
	} while (0)

static void
formats_come_out_as_printf_writes_them(void **unused)
{
	(void)unused;
	SAME_AS_PRINTF("no conversion");
	SAME_AS_PRINTF("%s", "");
	SAME_AS_PRINTF("%s=%d %u%c 100%%", "name", -17, 42u, '!');
	SAME_AS_PRINTF("%ld %lu %lld %llu %zu", -1L, 2UL, INT64_MIN + 0LL,
	    UINT64_MAX + 0ULL, sizeof(int));
	SAME_AS_PRINTF("%%%s%%", "between");
	/* these are not written by our own loop: alone, and behind some that are */
	SAME_AS_PRINTF("%04x", 0xabu);
	SAME_AS_PRINTF(
	    "%s %d %.*s and %5s|%-4d|%zd", "text", 7, 2, "cut", "pad", 3, (ssize_t)-9);
}

static void
an_addition_above_the_ceiling_is_dropped_whole(void **unused)
{
	struct dr_strbuf buf;

	(void)unused;
	for (size_t max = 0; max < 12; max++) {
		dr_strbuf_init(&buf, max);
		dr_strbuf_addf(&buf, "%s%d", "ab", 345); /* 5 bytes, in two pieces */
		dr_strbuf_addf(&buf, "%03d", 6);         /* 3 more, by printf */
		assert_string_equal(buf.data, max < 5   ? ""
					      : max < 8 ? "ab345"
							: "ab345006");
		assert_int_equal(buf.failed, max < 8);
		dr_strbuf_adds(&buf, "x"); /* once failed, nothing is added */
		assert_int_equal(buf.len, max < 5 ? 0 : max < 8 ? 5 : max < 9 ? 8 : 9);
		dr_strbuf_fini(&buf);
	}
}

static void
pieces_are_written_in_place(void **unused)
{
	struct dr_strbuf buf;
	char *to;

	(void)unused;
	dr_strbuf_init(&buf, 100);
	to = dr_strbuf_space(&buf, 0);
	dr_strbuf_filled(&buf, to); /* nothing, where nothing is allocated */
	assert_string_equal(buf.data, "");
	dr_strbuf_adds(&buf, "ab");
	to = dr_strbuf_space(&buf, 98);
	memset(to, 'c', 98);
	dr_strbuf_filled(&buf, to + 98);
	assert_int_equal(buf.len, 100);
	assert_int_equal(buf.data[100], '\0');
	assert_null(dr_strbuf_space(&buf, 1));
	assert_true(buf.failed);
	dr_strbuf_fini(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_come_out_as_printf_writes_them),
		cmocka_unit_test(an_addition_above_the_ceiling_is_dropped_whole),
		cmocka_unit_test(pieces_are_written_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
