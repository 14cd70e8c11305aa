/*
 * reader - see the header. Knows JSON types and how to tell a mistake, not what a model
 * is.
 */
#include "config/reader.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/money.h"
#include "config/json_lines.h"

/*
 * The line is looked up only now, by walking the text again: mistakes are rare, and
 * good files pay nothing for them.
 */
void
dr_reader_mistake(struct dr_reader *r, const char *field, const char *format, ...)
{
	size_t mark = r->at.len, shown;
	struct dr_strbuf line;
	va_list ap;

	if (field != NULL)
		(void)dr_reader_enter(r, field);
	dr_strbuf_init(&line, 8192);
	dr_strbuf_addf(&line, "%s:%u: ", r->file, dr_json_line(r->text, r->at.data));
	shown = r->model != NULL ? r->model_at : 0;
	if (r->model != NULL)
		dr_strbuf_addf(&line, "model \"%s\": ", r->model);
	if (r->at.data[shown] == '.')
		shown++;
	if (r->at.data[shown] != '\0')
		dr_strbuf_addf(&line, "%s: ", r->at.data + shown);
	va_start(ap, format);
	dr_strbuf_addv(&line, format, ap);
	va_end(ap);
	r->failed = true;
	r->report(r->report_arg, line.data);
	dr_strbuf_fini(&line);
	dr_reader_leave(r, mark);
}

size_t
dr_reader_enter(struct dr_reader *r, const char *name)
{
	size_t mark = r->at.len;

	if (mark > 0)
		dr_strbuf_addc(&r->at, '.');
	dr_strbuf_adds(&r->at, name);
	return mark;
}

size_t
dr_reader_enter_element(struct dr_reader *r, const char *name, size_t i)
{
	size_t mark = dr_reader_enter(r, name);

	dr_strbuf_addf(&r->at, "[%zu]", i);
	return mark;
}

void
dr_reader_leave(struct dr_reader *r, size_t mark)
{
	r->at.len = mark;
	r->at.data[mark] = '\0';
}

/* A misspelt "cache_raed" would otherwise bill cache reads at the full input price. */
void
dr_reader_only(
    struct dr_reader *r, struct json_object *object, const char *const *known)
{
	json_object_object_foreach (object, key, value) {
		const char *const *k = known;

		(void)value;
		while (*k != NULL && strcmp(*k, key) != 0)
			k++;
		if (*k == NULL)
			dr_reader_mistake(r, key, "unknown field");
	}
}

/* The member, or NULL with the mistake told where it had to be there. */
static struct json_object *
member(
    struct dr_reader *r, struct json_object *object, const char *field, bool required)
{
	struct json_object *value;

	if (json_object_object_get_ex(object, field, &value) && value != NULL)
		return value;
	if (value == NULL && json_object_object_get_ex(object, field, NULL))
		dr_reader_mistake(r, field, "is null; leave the field out instead");
	else if (required)
		dr_reader_mistake(r, NULL, "%s is missing", field);
	return NULL;
}

/* A NUL inside would cut the text for everybody who reads it as a C string: refused. */
const char *
dr_reader_text(
    struct dr_reader *r, struct json_object *object, const char *field, bool required)
{
	struct json_object *value = member(r, object, field, required);
	const char *text;

	if (value == NULL)
		return NULL;
	text = json_object_is_type(value, json_type_string)
		   ? json_object_get_string(value)
		   : "";
	if (*text != '\0' && strlen(text) == (size_t)json_object_get_string_len(value))
		return text;
	dr_reader_mistake(r, field, "must be a text that is not empty");
	return NULL;
}

/* The library clamps what does not fit into 64 bits, and that is out of any range here.
 */
bool
dr_reader_whole(struct dr_reader *r, struct json_object *object, const char *field,
    int64_t least, int64_t most, int64_t *out)
{
	struct json_object *value = member(r, object, field, true);
	int64_t n;

	if (value == NULL)
		return false;
	n = json_object_is_type(value, json_type_int) ? json_object_get_int64(value)
						      : INT64_MIN;
	if (n < least || n > most) {
		dr_reader_mistake(r, field,
		    "must be a whole number from %" PRId64 " to %" PRId64, least, most);
		return false;
	}
	*out = n;
	return true;
}

bool
dr_reader_decimal(struct dr_reader *r, struct json_object *object, const char *field,
    bool required, int64_t least, int64_t most, int64_t *out)
{
	struct json_object *value = member(r, object, field, required);
	char low[DR_MONEY_TEXT], high[DR_MONEY_TEXT];
	int64_t nano;

	if (value == NULL)
		return false;
	if (!json_object_is_type(value, json_type_string)) {
		/* a JSON number has been through floating point by now */
		dr_reader_mistake(
		    r, field, "must be a decimal in quotes, such as \"3.00\"");
		return false;
	}
	if (strlen(json_object_get_string(value)) ==
		(size_t)json_object_get_string_len(value) &&
	    dr_money_parse(json_object_get_string(value), &nano) && nano >= least &&
	    nano <= most) {
		*out = nano;
		return true;
	}
	dr_money_format(least, low);
	dr_money_format(most, high);
	dr_reader_mistake(r, field,
	    "must be a decimal from %s to %s in quotes, not \"%.32s\"", low, high,
	    json_object_get_string(value));
	return false;
}

struct json_object *
dr_reader_array(
    struct dr_reader *r, struct json_object *object, const char *field, bool required)
{
	struct json_object *value = member(r, object, field, required);

	if (value == NULL)
		return NULL;
	if (json_object_is_type(value, json_type_array))
		return value;
	dr_reader_mistake(r, field, "must be a list in [ ]");
	return NULL;
}

bool
dr_date_parse(const char *text, int64_t *wall_ms)
{
	struct tm tm = { 0 };
	time_t seconds;

	for (int i = 0; i < 10; i++)
		if (i == 4 || i == 7 ? text[i] != '-' : text[i] < '0' || text[i] > '9')
			return false;
	if (text[10] != '\0')
		return false;
	tm.tm_year = (int)strtol(text, NULL, 10) - 1900;
	tm.tm_mon = (int)strtol(text + 5, NULL, 10) - 1;
	tm.tm_mday = (int)strtol(text + 8, NULL, 10);
	{
		const int month = tm.tm_mon, day = tm.tm_mday;

		seconds = timegm(&tm);
		/* timegm() makes 3 March of 31 February */
		if (tm.tm_mon != month || tm.tm_mday != day || tm.tm_year < 70)
			return false;
	}
	*wall_ms = (int64_t)seconds * 1000;
	return true;
}
