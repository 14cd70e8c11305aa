/*
 * settings_check - see the header. A rule here says why it exists; a rule about one
 * value's form alone belongs to its kind in setting_value.c.
 */
#include "config/settings_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/money.h"
#include "config/conf_file.h"
#include "config/setting_value.h"

#define MAX_MARKUP                                                                     \
	INT64_C(100000) /* basis points: prices stay far below DR_MONEY_MAX */

/* NULL: a default; two defaults that do not fit would have stopped our own tests. */
static const char *
where_of(const struct dr_setting_load *load, size_t offset)
{
	for (size_t i = 0; i < dr_n_setting_rows; i++)
		if (dr_setting_rows[i].offset == offset)
			return load->where[i];
	DR_WRONG("no such setting");
}

#define WHERE(load, member) where_of(load, offsetof(struct dr_settings, member))
#define MISTAKE(load, member, ...)                                                     \
	dr_setting_mistake(load, WHERE(load, member), #member, __VA_ARGS__)

/* Read as money and counted in hundredths: no second parser of decimals. */
bool
dr_markup_parse(const char *text, int64_t *basis_points)
{
	size_t len = strlen(text);
	char digits[16];
	int64_t nano;

	/* the sign is required: "1.2" could be meant as a factor */
	if (len < 2 || len > sizeof digits || text[--len] != '%')
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (!dr_money_parse(digits, &nano) || nano % (DR_NANO_PER_USD / 100) != 0)
		return false;
	if (nano / (DR_NANO_PER_USD / 100) > MAX_MARKUP)
		return false;
	*basis_points = nano / (DR_NANO_PER_USD / 100);
	return true;
}

/* "unix:/path" or "host:port", "[::1]:6379" too. */
static bool
is_address(const char *text)
{
	const char *colon = strrchr(text, ':'), *p;
	long port;

	if (strncmp(text, "unix:", 5) == 0)
		return text[5] != '\0';
	if (colon == NULL || colon == text || strlen(colon + 1) > 5)
		return false;
	for (p = colon + 1; *p != '\0'; p++)
		if (*p < '0' || *p > '9')
			return false;
	port = strtol(colon + 1, NULL, 10);
	return port >= 1 && port <= 65535;
}

static void
check_addresses(struct dr_setting_load *load)
{
	const struct dr_settings *s = load->settings;

	if (s->listen[0] != '\0' && !is_address(s->listen))
		MISTAKE(load, listen, "must be unix:/path or host:port, not \"%.64s\"",
		    s->listen);
	if (!is_address(s->redis_address))
		MISTAKE(load, redis_address,
		    "must be unix:/path or host:port, not \"%.64s\"", s->redis_address);
}

/* The prefix stands in front of every key, in headers: nothing there may need quoting.
 */
static void
check_key_prefix(struct dr_setting_load *load)
{
	const char *p = load->settings->key_prefix;

	if (*p == '\0' || strlen(p) > 32) {
		MISTAKE(load, key_prefix, "must be 1 to 32 characters");
		return;
	}
	for (; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			(*p >= '0' && *p <= '9') || *p == '-' || *p == '_')) {
			MISTAKE(
			    load, key_prefix, "may hold letters, digits, - and _ only");
			return;
		}
}

/* ":8443" or nothing, as browsers write it: without the scheme's own port, which they
 * leave out, and zeros before it. */
static bool
is_port(const char *text, const char *usual)
{
	if (text[0] == '\0')
		return true;
	return text[0] == ':' && text[1] != '0' && strlen(text + 1) >= 1 &&
	       strlen(text + 1) <= 5 &&
	       strspn(text + 1, "0123456789") == strlen(text + 1) &&
	       strtol(text + 1, NULL, 10) <= 65535 && strcmp(text + 1, usual) != 0;
}

/*
 * An origin as browsers write it: https://host[:port], lower case, no path. Wallets
 * show it, cookies hang on it; plain http is for a machine's own browser.
 */
static bool
is_origin(const char *url)
{
	static const char *const own[] = { "127.0.0.1", "localhost", "[::1]" };
	bool plain = strncmp(url, "http://", 7) == 0, loopback = false;
	const char *host = url + (plain ? 7 : 8);
	size_t n;

	if (!plain && strncmp(url, "https://", 8) != 0)
		return false;
	n = host[0] == '[' ? 1 + strspn(host + 1, "0123456789abcdef:") + 1
			   : strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-");
	if (n == 0 || n > 253 || (host[0] == '[' && host[n - 1] != ']'))
		return false;
	for (size_t i = 0; i < DR_N_ELEMENTS(own); i++)
		loopback =
		    loopback || (strlen(own[i]) == n && memcmp(host, own[i], n) == 0);
	return (!plain || loopback) && is_port(host + n, plain ? "80" : "443");
}

static void
check_public_url(struct dr_setting_load *load)
{
	const char *url = load->settings->public_url;

	if (url[0] != '\0' && !is_origin(url))
		MISTAKE(load, public_url,
		    "must be https://host[:port] (http:// only for 127.0.0.1, localhost and [::1]), "
		    "in lower case, without a path and without the port that goes without saying, not \"%.128s\"",
		    url);
}

static void
check_times(struct dr_setting_load *load)
{
	const struct dr_settings *s = load->settings;

	/* else a request that still runs would be booked as abandoned */
	if (s->sweep_after < s->lease_time)
		MISTAKE(load, sweep_after, "must not be shorter than lease_time");
	/* else what is still read on would be booked as abandoned */
	if (s->drain_on_abort > 0 && s->drain_on_abort >= s->sweep_after)
		MISTAKE(load, drain_on_abort, "must be shorter than sweep_after");
	/* else what is told again after an outage has no receipt that knows it */
	if (s->trace_ttl < 4 * s->settlement_keep)
		MISTAKE(load, trace_ttl, "must be at least 4 times settlement_keep");
	if (s->cooldown_max < s->cooldown)
		MISTAKE(load, cooldown_max, "must not be shorter than cooldown");
	/* else one that is only slow would be counted as ended again and again */
	if (s->metrics_dead < 3 * s->metrics_interval)
		MISTAKE(
		    load, metrics_dead, "must be at least 3 times metrics_interval");
}

/* Better refused at the start than ignored: a typing error in log_areas hides a trace.
 */
static void
check_words(struct dr_setting_load *load)
{
	const struct dr_settings *s = load->settings;
	int64_t basis_points;

	if (strcmp(s->log_level, "error") != 0 && strcmp(s->log_level, "warn") != 0 &&
	    strcmp(s->log_level, "info") != 0)
		MISTAKE(load, log_level, "must be error, warn or info, not \"%.64s\"",
		    s->log_level);
	if (!dr_log_areas_known(s->log_areas))
		MISTAKE(
		    load, log_areas, "names an unknown area: \"%.128s\"", s->log_areas);
	if (!dr_markup_parse(s->markup, &basis_points))
		MISTAKE(load, markup,
		    "must be a percentage such as \"12.5%%\", at most 1000%%, with at most two digits "
		    "after the point, not \"%.64s\"",
		    s->markup);
	if (s->models_file[0] == '\0')
		MISTAKE(load, models_file, "must name a file");
	if (s->secrets_key_file[0] == '\0')
		MISTAKE(load, secrets_key_file, "must name a file");
}

/* The file's first line becomes redis_password, so that the rest asks one member only.
 */
static void
read_password_file(struct dr_setting_load *load)
{
	struct dr_settings *s = load->settings;
	char why[256], *text;
	size_t len;

	if (s->redis_password[0] != '\0' || s->redis_password_file[0] == '\0')
		return;
	text = dr_conf_slurp(
	    s->redis_password_file, DR_MAX_SETTING_VALUE, &len, why, sizeof why);
	if (text == NULL) {
		MISTAKE(load, redis_password_file, "%.512s %s", s->redis_password_file,
		    why);
		return;
	}
	text[strcspn(text, "\r\n")] = '\0';
	if (text[0] == '\0')
		MISTAKE(load, redis_password_file, "%.512s: the first line is empty",
		    s->redis_password_file);
	free(s->redis_password);
	s->redis_password = dr_strdup(text);
	dr_wipe(text, len);
	free(text);
}

void
dr_settings_check(struct dr_setting_load *load)
{
	check_addresses(load);
	check_key_prefix(load);
	check_public_url(load);
	check_times(load);
	check_words(load);
	read_password_file(load);
}
