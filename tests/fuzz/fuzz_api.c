/*
 * fuzz_api - any bytes as a body and as a query of /api, as an account's time zone, as
 * the id of a row and as a cell of a CSV file: nothing is read outside of them, and
 * what was accepted is what its header promises.
 */
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/mem.h"
#include "gateway/stream_read.h"
#include "gateway/zone.h"
#include "handlers/api_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
read_body(const char *bytes, size_t size)
{
	static const struct dr_api_field fields[] = { { "name", DR_API_TEXT, false,
							  false },
		{ "model", DR_API_TEXT, false, true },
		{ "n", DR_API_WHOLE, false, true },
		{ "stream", DR_API_BOOL, false, false },
		{ "models", DR_API_TEXTS, false, true }, { NULL, 0, false, false } };
	enum dr_error err;
	char why[80] = "";
	struct json_object *body =
	    dr_api_body_parse(bytes, size, fields, &err, why, sizeof why);

	DR_ASSERT((body != NULL) == (err == DR_OK));
	if (body == NULL) {
		DR_ASSERT(why[0] != '\0');
		return;
	}
	json_object_object_foreach (body, name, value) {
		size_t i = 0;

		while (fields[i].name != NULL && strcmp(fields[i].name, name) != 0)
			i++;
		DR_ASSERT(fields[i].name != NULL);
		DR_ASSERT(value != NULL || fields[i].nullable);
	}
	DR_ASSERT(!dr_api_is_null(body, "name"));
	json_object_put(body);
}

static void
read_query(const char *text)
{
	static const char *const names[] = { "key", "limit", "from", NULL };
	struct dr_api_query query;
	char why[80] = "";

	if (!dr_api_query_parse(text, names, &query, why, sizeof why)) {
		DR_ASSERT(why[0] != '\0');
		return;
	}
	DR_ASSERT(query.n <= 3);
	for (size_t i = 0; i < query.n; i++) {
		const char *value = dr_api_param(&query, query.params[i].name);

		DR_ASSERT(value == query.params[i].value && value[0] != '\0');
		for (; *value != '\0'; value++)
			DR_ASSERT((unsigned char)*value >= 0x20);
	}
}

static void
read_zone(const char *text)
{
	struct dr_zone zone;
	int64_t from_ms, to_ms, day;

	dr_zone_read(&zone, text);
	for (int64_t ms = 0; ms < INT64_C(4000000000000); ms += INT64_C(777777777777)) {
		day = dr_zone_day(&zone, ms);
		dr_zone_bounds(&zone, day, day, &from_ms, &to_ms);
		DR_ASSERT(ms >= from_ms && ms <= to_ms);
	}
}

/* The cell read back is the text, maybe behind an apostrophe, and is no formula. */
static void
write_cell(const char *text)
{
	struct dr_strbuf out, back;
	const char *p;

	dr_strbuf_init(&out, 1 << 20);
	dr_strbuf_init(&back, 1 << 20);
	dr_csv_add(&out, text, true);
	p = out.data;
	if (*p == '"') {
		for (p++; *p != '"' || p[1] == '"'; p += *p == '"' ? 2 : 1)
			dr_strbuf_addc(&back, *p);
		DR_ASSERT(p[1] == '\0');
	} else {
		DR_ASSERT(p[strcspn(p, ",\"\r\n")] == '\0');
		dr_strbuf_adds(&back, p);
	}
	DR_ASSERT(back.data[0] == '\0' || strchr("=+-@\t\r", back.data[0]) == NULL);
	DR_ASSERT(strcmp(back.data, text) == 0 ||
		  (back.data[0] == '\'' && strcmp(back.data + 1, text) == 0));
	dr_strbuf_fini(&out);
	dr_strbuf_fini(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text = dr_strndup((const char *)bytes, size);

	read_body((const char *)bytes, size);
	read_query(text);
	read_zone(text);
	if (dr_stream_id_ok(text))
		DR_ASSERT(strlen(text) < DR_STREAM_ID - 2);
	write_cell(text);
	free(text);
	return 0;
}
