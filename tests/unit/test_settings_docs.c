/*
 * The documents of config/ against settings.def: derouter.conf.example and the README's
 * table say what the rows say, word for word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/setting_value.h"
#include "config/settings.h"
#include "config_fixture.h"

static bool
is_debug_only(const struct dr_setting_row *row)
{
	return strncmp(row->name, "test_", 5) == 0;
}

/* The words of the comment lines right above `at`, joined by single blanks. */
static void
comment_above(const char *text, const char *at, struct dr_strbuf *out)
{
	const char *start = at;

	while (start > text + 1) {
		const char *line = start - 1;

		while (line > text && line[-1] != '\n')
			line--;
		if (line[0] != '#' || line[1] != ' ')
			break;
		start = line;
	}
	for (; start < at; start++) {
		if (*start == '#' && start[-1] == '\n')
			continue;
		if (*start != '\n')
			dr_strbuf_addc(out, *start);
	}
}

static void
the_example_file_has_every_setting_with_its_text_and_default(void **state)
{
	char *example = read_from_tree("config/derouter.conf.example");
	unsigned n = 0;

	(void)state;
	for (size_t i = 0; i < dr_n_setting_rows; i++) {
		const struct dr_setting_row *row = &dr_setting_rows[i];
		struct dr_strbuf comment;
		char line[256], *at;

		if (is_debug_only(row))
			continue;
		snprintf(line, sizeof line, "\n#%s = %s\n", row->name,
		    row->def[0] != '\0' ? row->def : "\"\"");
		at = strstr(example, line);
		if (at == NULL)
			fail_msg("config/derouter.conf.example lacks:%s", line);
		dr_strbuf_init(&comment, 8192);
		comment_above(example, at + 1, &comment);
		if (strncmp(comment.data, " ", 1) != 0 ||
		    strncmp(comment.data + 1, row->text, strlen(row->text)) != 0)
			fail_msg(
			    "config/derouter.conf.example: above %s:\n%s\nexpected:\n%s",
			    row->name, comment.data, row->text);
		assert_int_equal(
		    strstr(comment.data, "(restart)") != NULL, row->restart);
		dr_strbuf_fini(&comment);
		n++;
	}
	for (const char *p = example; (p = strstr(p, "\n#")) != NULL; p++)
		if (p[2] >= 'a' && p[2] <= 'z')
			n--;
	assert_int_equal(n, 0); /* nothing stands there that is no setting */
	free(example);
}

static void
the_example_file_with_all_its_lines_switched_on_is_a_good_one(void **state)
{
	char *example = read_from_tree("config/derouter.conf.example");
	struct dr_settings *s;
	const char *path;

	(void)state;
	for (char *p = example; (p = strstr(p, "\n#")) != NULL; p++)
		if (p[2] >= 'a' && p[2] <= 'z')
			p[1] = ' ';
	path = config_write("derouter.conf", example, strlen(example));
	if (!dr_settings_load(path, NULL, &s, note_mistake, NULL))
		fail_msg("%s", mistakes.data);
	dr_settings_free(&s);
	free(example);
}

static void
the_readme_table_says_what_settings_def_says(void **state)
{
	static const char *const kinds[] = { "text", "secret", "path", "number", "size",
		"time", "on / off", "mode", "dollars" };
	char *readme = read_from_tree("config/README.md");

	(void)state;
	for (size_t i = 0; i < dr_n_setting_rows; i++) {
		const struct dr_setting_row *row = &dr_setting_rows[i];
		struct dr_strbuf line;

		if (is_debug_only(row))
			continue;
		dr_strbuf_init(&line, 8192);
		dr_strbuf_addf(&line, "\n| `%s` | %s | ", row->name, kinds[row->kind]);
		dr_strbuf_addf(
		    &line, row->def[0] != '\0' ? "`%s` | " : "empty%s | ", row->def);
		dr_setting_range(row, &line);
		dr_strbuf_addf(&line, " | %s | %s |\n",
		    row->restart ? "restart" : "reload", row->text);
		if (strstr(readme, line.data) == NULL)
			fail_msg("config/README.md lacks:%s", line.data);
		dr_strbuf_fini(&line);
	}
	free(readme);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_example_file_has_every_setting_with_its_text_and_default),
		cmocka_unit_test(
		    the_example_file_with_all_its_lines_switched_on_is_a_good_one),
		cmocka_unit_test(the_readme_table_says_what_settings_def_says),
	};

	return cmocka_run_group_tests(tests, config_setup, config_teardown);
}
