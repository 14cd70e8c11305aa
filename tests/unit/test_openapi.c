/*
 * openapi.json against the table of endpoints, both ways: every row is described, every
 * described operation is a row, and says truly who may call it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <json-c/json.h>

#include "config_fixture.h"
#include "handlers/handlers.h"
#include "handlers/openapi.h"

static struct json_object *doc; /* as it is served */

static int
setup(void **state)
{
	(void)state;
	doc = json_tokener_parse(dr_openapi_json);
	return doc != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	json_object_put(doc);
	return 0;
}

/* "get /api/keys/ * /rotate" (without blanks) of a row ... */
static void
name_of_row(const struct dr_handler *handler, char out[256])
{
	size_t n = (size_t)snprintf(out, 256, "%s %s", handler->method, handler->path);

	for (char *p = out; *p != ' '; p++)
		*p = (char)tolower((unsigned char)*p);
	if (out[n - 1] == '/')
		snprintf(out + n, 256 - n, "*");
}

/* ... and of an operation, whose "{id}" are stars. */
static void
name_of_operation(const char *method, const char *path, char out[256])
{
	size_t n = (size_t)snprintf(out, 256, "%s ", method);

	for (const char *p = path; *p != '\0' && n < 255; p++) {
		if (*p == '{')
			p = strchr(p, '}');
		out[n++] = *p == '}' ? '*' : *p;
	}
	out[n] = '\0';
}

/* NULL: no row has this name. */
static const struct dr_handler *
find_row(const char *name)
{
	char row[256];

	for (size_t i = 0; dr_handlers[i] != NULL; i++) {
		name_of_row(dr_handlers[i], row);
		if (strcmp(row, name) == 0)
			return dr_handlers[i];
	}
	return NULL;
}

static bool
needs_wallet_login(const char *name)
{
#ifdef DR_WITH_WALLET
	(void)name;
	return false;
#else
	return strcmp(name, "post /api/auth/challenge") == 0 ||
	       strcmp(name, "post /api/auth/verify") == 0 ||
	       strcmp(name, "post /api/wallets") == 0;
#endif
}

static bool
has_scheme(struct json_object *security, const char *scheme)
{
	for (size_t i = 0; i < json_object_array_length(security); i++)
		if (json_object_object_get_ex(
			json_object_array_get_idx(security, i), scheme, NULL))
			return true;
	return false;
}

/* The schemes of the operation are those that the row asks for. */
static void
check_security(
    const char *name, const struct dr_handler *row, struct json_object *operation)
{
	struct json_object *security = json_object_object_get(operation, "security");
	bool key = row->kind != DR_HANDLER_LOCAL || row->auth == DR_AUTH_KEY ||
		   row->auth == DR_AUTH_KEY_OR_SESSION;
	bool session =
	    row->kind == DR_HANDLER_LOCAL &&
	    (row->auth == DR_AUTH_SESSION || row->auth == DR_AUTH_KEY_OR_SESSION);

	if (!json_object_is_type(security, json_type_array))
		fail_msg("%s: no security", name);
	if (has_scheme(security, "apiKey") != key ||
	    has_scheme(security, "key") != key ||
	    has_scheme(security, "session") != session ||
	    has_scheme(security, "token") != session)
		fail_msg("%s: security is not what handlers.def's row asks for", name);
}

static void
every_operation_is_a_row(void **state)
{
	(void)state;
	json_object_object_foreach (
	    json_object_object_get(doc, "paths"), path, operations) {
		json_object_object_foreach (operations, method, operation) {
			char name[256];

			name_of_operation(method, path, name);
			if (needs_wallet_login(name))
				continue;
			if (find_row(name) == NULL)
				fail_msg("%s is described and not served", name);
			check_security(name, find_row(name), operation);
		}
	}
}

static bool
is_described(const char *wanted)
{
	json_object_object_foreach (
	    json_object_object_get(doc, "paths"), path, operations) {
		json_object_object_foreach (operations, method, operation) {
			char name[256];

			(void)operation;
			name_of_operation(method, path, name);
			if (strcmp(name, wanted) == 0)
				return true;
		}
	}
	return false;
}

static void
every_row_is_an_operation(void **state)
{
	(void)state;
	for (size_t i = 0; dr_handlers[i] != NULL; i++) {
		char name[256];

		name_of_row(dr_handlers[i], name);
		if (!is_described(name))
			fail_msg(
			    "%s is served and not described in handlers/openapi.json",
			    name);
	}
}

/* "{id}" in a path has its parameter. */
static void
parameters_of_paths_are_described(void **state)
{
	(void)state;
	json_object_object_foreach (
	    json_object_object_get(doc, "paths"), path, operations) {
		json_object_object_foreach (operations, method, operation) {
			struct json_object *list =
			    json_object_object_get(operation, "parameters");
			size_t n = 0;

			for (size_t i = 0;
			     list != NULL && i < json_object_array_length(list); i++)
				n += strcmp(
					 json_object_get_string(json_object_object_get(
					     json_object_array_get_idx(list, i), "in")),
					 "path") == 0;
			if (n != (strchr(path, '{') != NULL))
				fail_msg("%s %s: %zu parameters of the path", method,
				    path, n);
		}
	}
}

static void
what_is_compiled_in_is_the_file(void **state)
{
	char *text = read_from_tree("handlers/openapi.json");
	struct json_object *file = json_tokener_parse(text);

	(void)state;
	assert_non_null(file);
	assert_true(json_object_equal(file, doc));
	assert_int_equal(strlen(dr_openapi_json), dr_openapi_json_len);
	json_object_put(file);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation_is_a_row),
		cmocka_unit_test(every_row_is_an_operation),
		cmocka_unit_test(parameters_of_paths_are_described),
		cmocka_unit_test(what_is_compiled_in_is_the_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
