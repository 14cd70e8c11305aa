/*
 * ctl_options - the words and options after a verb.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/money.h"
#include "base/rfc3339.h"
#include "config/reader.h"
#include "config/setting_value.h"
#include "operator/ctl.h"

static struct ctl_option *
find_option(struct ctl_option *options, const char *arg, const char **value)
{
	size_t n = strcspn(arg, "=");

	*value = arg[n] == '=' ? arg + n + 1 : NULL;
	for (struct ctl_option *o = options; o != NULL && o->name != NULL; o++)
		if (strlen(o->name) == n && strncmp(o->name, arg, n) == 0)
			return o;
	return NULL;
}

static bool
take_option(struct ctl_option *option, const char *value, int argc, char **argv, int *i)
{
	if (option->values == NULL) {
		option->n++;
		return value == NULL ||
		       ctl_fail(0, "%s takes no value", option->name) != 0;
	}
	if (value == NULL) {
		if (*i + 1 >= argc)
			return ctl_fail(0, "%s wants a value", option->name) != 0;
		value = argv[++*i];
	}
	if (option->n == option->max_values)
		return ctl_fail(0,
			   option->max_values == 1 ? "%s is given twice"
						   : "%s is given too often",
			   option->name) != 0;
	option->values[option->n++] = value;
	return true;
}

bool
ctl_options(int argc, char **argv, struct ctl_option *options, const char **words,
    size_t least, size_t most, size_t *n_words, const char *usage)
{
	const char *value;

	*n_words = 0;
	for (int i = 0; i < argc; i++) {
		struct ctl_option *option;

		if (strncmp(argv[i], "--", 2) != 0) {
			if (*n_words == most)
				return ctl_fail(0,
					   "unexpected argument \"%s\" (usage: %s)",
					   argv[i], usage) != 0;
			words[(*n_words)++] = argv[i];
			continue;
		}
		option = find_option(options, argv[i], &value);
		if (option == NULL)
			return ctl_fail(0, "unknown option %s (usage: %s)", argv[i],
				   usage) != 0;
		if (!take_option(option, value, argc, argv, &i))
			return false;
	}
	if (*n_words < least)
		return ctl_fail(0, "an argument is missing (usage: %s)", usage) != 0;
	return true;
}

bool
ctl_number(
    const char *name, const char *value, int64_t least, int64_t most, int64_t *out)
{
	char *end;
	long long n;

	if (value == NULL)
		return true;
	errno = 0;
	n = strtoll(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || errno != 0 || *end != '\0' ||
	    n < least || n > most)
		return ctl_fail(0, "%s: \"%s\" is not a whole number from %lld to %lld",
			   name, value, (long long)least, (long long)most) != 0;
	*out = n;
	return true;
}

bool
ctl_money(const char *name, const char *value, int64_t *out)
{
	if (value == NULL || dr_money_parse(value, out))
		return true;
	return ctl_fail(0,
		   "%s: \"%s\" is not an amount such as 25.00 (at most nine decimals)",
		   name, value) != 0;
}

bool
ctl_text(const char *name, const char *value, size_t most)
{
	size_t len = value != NULL ? strlen(value) : 0;

	if (len > most)
		return ctl_fail(0, "%s: at most %zu bytes", name, most) != 0;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f)
			return ctl_fail(0, "%s: must not have control characters",
				   name) != 0;
	if (!dr_utf8_ok(value, len))
		return ctl_fail(0, "%s: is not UTF-8", name) != 0;
	return true;
}

bool
ctl_time(const char *name, const char *value, int64_t *out)
{
	if (dr_date_parse(value, out) || dr_rfc3339_parse(value, strlen(value), out))
		return true;
	return ctl_fail(0,
		   "%s: \"%s\" is not a date such as 2026-12-31 or "
		   "2026-12-31T15:04:05Z",
		   name, value) != 0;
}

bool
ctl_duration(
    const char *name, const char *value, int64_t least, int64_t most, int64_t *out)
{
	const struct dr_setting_row row = {
		.name = name, .kind = DR_KIND_DURATION, .least = least, .most = most
	};
	struct dr_strbuf problem;
	bool ok;

	dr_strbuf_init(&problem, 1000);
	ok = dr_setting_parse(&row, value, out, &problem);
	if (!ok)
		ctl_fail(0, "%s: %s", name, problem.data);
	dr_strbuf_fini(&problem);
	return ok;
}
