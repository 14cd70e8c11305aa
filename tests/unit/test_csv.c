/*
 * base/csv: cells come back whole, and no text of somebody else is a formula.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/csv.h"

static void
cells_are_quoted_and_guarded(void **unused)
{
	static const struct {
		const char *text;
		bool foreign;
		const char *want;
	} rows[] = {
		{ "", true, "" }, { "plain text", true, "plain text" },
		{ "a,b", true, "\"a,b\"" }, { "say \"x\"", true, "\"say \"\"x\"\"\"" },
		{ "two\nlines", true, "\"two\nlines\"" }, { "=1+1", true, "'=1+1" },
		{ "+1", true, "'+1" }, { "-1", true, "'-1" },
		{ "@SUM(A1)", true, "'@SUM(A1)" }, { "\t=1", true, "'\t=1" },
		{ "\r=1", true, "\"'\r=1\"" },
		{ "=HYPERLINK(\"http://x\",\"y\")", true,
		    "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"" },
		{ "a=b", true, "a=b" },
		{ "-0.5", false, "-0.5" }, /* a number of ours */
	};
	struct dr_strbuf out;

	(void)unused;
	dr_strbuf_init(&out, 1000);
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		dr_strbuf_clear(&out);
		dr_csv_add(&out, rows[i].text, rows[i].foreign);
		assert_string_equal(out.len > 0 ? out.data : "", rows[i].want);
	}
	dr_strbuf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells_are_quoted_and_guarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
