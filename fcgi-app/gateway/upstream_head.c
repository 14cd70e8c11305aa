/*
 * upstream_head - see the header.
 */
#include "gateway/upstream_head.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

#define MAX_TEXT   (DR_MAX_PARAMS_BYTES + 8192 + 16 * 1100)
#define MOST_MS    (INT64_C(365) * 86400 * 1000) /* nobody means a longer wait */
#define USUAL_TEXT 1000                          /* one allocation instead of five */

#define PARAM_PREFIX "HTTP_" /* of the FastCGI params that are headers */

/* The caller's headers that go upstream, as params without their prefix; a '*' at the
 * end matches the rest. */
static const char *const allowed[] = {
	"ACCEPT",
	"ANTHROPIC_VERSION",
	"ANTHROPIC_BETA",
	"OPENAI_BETA",
	"USER_AGENT",
	"X_STAINLESS_*",
	"TRACEPARENT",
	"TRACESTATE",
	"X_APP",
	"X_CLAUDE_CODE_SESSION_ID",
	"X_CLIENT_REQUEST_ID",
	"X_CODEX_*",
	"ORIGINATOR",
	"SESSION_ID",
	"THREAD_ID",
	"IDEMPOTENCY_KEY",
};

static bool
matches(const char *pattern, const char *name)
{
	while (*pattern == *name && *pattern != '\0') {
		pattern++;
		name++;
	}
	return *pattern == *name || *pattern == '*';
}

static bool
is_allowed(const char *name)
{
	for (size_t i = 0; i < DR_N_ELEMENTS(allowed); i++)
		if (matches(allowed[i], name))
			return true;
	return false;
}

/* "ANTHROPIC_BETA" -> "anthropic-beta" */
static void
add_name(struct dr_strbuf *text, const char *name)
{
	char *to = dr_strbuf_space(text, strlen(name));

	if (to == NULL)
		return;
	for (; *name != '\0'; name++)
		*to++ = *name == '_'                   ? '-'
			: *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a')
						       : *name;
	dr_strbuf_filled(text, to);
}

/* A line break in a value would forge a header. */
static bool
is_clean(const char *value)
{
	return value[strcspn(value, "\r\n")] == '\0';
}

/* Lines are gathered as text first, since it may move while it grows; `starts` are
 * their offsets. */
static size_t
add_callers(
    struct dr_strbuf *text, const struct dr_request *req, size_t *starts, size_t room)
{
	const char *name, *value;
	size_t n = 0;

	for (size_t i = 0; dr_fcgi_param_at(req->edge, i, &name, &value) && n < room;
	     i++) {
		if (strncmp(name, PARAM_PREFIX, strlen(PARAM_PREFIX)) != 0)
			continue;
		name += strlen(PARAM_PREFIX);
		if (!is_allowed(name) || !is_clean(value))
			continue;
		starts[n++] = text->len;
		add_name(text, name);
		dr_strbuf_adds(text, ": ");
		dr_strbuf_adds(text, value);
		dr_strbuf_addc(text, '\0');
	}
	return n;
}

static size_t
add_line(struct dr_strbuf *text, size_t *starts, size_t n, const char *name,
    const char *value)
{
	starts[n] = text->len;
	dr_strbuf_addf(text, "%s: %s", name, value);
	dr_strbuf_addc(text, '\0');
	return n + 1;
}

static size_t
add_credential(struct dr_strbuf *text, size_t *starts, size_t n,
    const struct dr_request *req, const struct dr_provider *provider)
{
	if (provider->credential == NULL)
		return n;
	starts[n] = text->len;
	dr_strbuf_adds(text,
	    dr_provider_record_credential(provider->record, req->handler->dialect));
	dr_strbuf_adds(text, provider->credential);
	dr_strbuf_addc(text, '\0');
	return n + 1;
}

void
dr_upstream_head_build(struct dr_upstream_head *head, const struct dr_request *req,
    const struct dr_provider *provider)
{
	size_t starts[DR_MAX_UPSTREAM_LINES], n;

	dr_provider_url(
	    provider, req->handler->upstream_path, head->url, sizeof head->url);
	dr_strbuf_init(&head->text, MAX_TEXT);
	dr_strbuf_reserve(&head->text, USUAL_TEXT);
	n = add_callers(
	    &head->text, req, starts, DR_MAX_UPSTREAM_LINES - 4 - DR_MAX_EXTRA_HEADERS);
	n = add_line(&head->text, starts, n, "content-type", "application/json");
	n = add_credential(&head->text, starts, n, req, provider);
	for (size_t i = 0; i < provider->record->n_extra_headers; i++) {
		starts[n++] = head->text.len;
		dr_strbuf_adds(&head->text, provider->record->extra_headers[i]);
		dr_strbuf_addc(&head->text, '\0');
	}
	DR_ASSERT(!head->text.failed); /* params are bounded below it */
	for (size_t i = 0; i < n; i++)
		head->lines[i] = head->text.data + starts[i];
	head->lines[n] = NULL;
}

void
dr_upstream_head_wipe(struct dr_upstream_head *head)
{
	dr_wipe(head->text.data, head->text.len);
	dr_strbuf_fini(&head->text);
}

/* Whole, or with a fraction, which is dropped ("1.5"). At most MOST_MS. */
static bool
read_number(const char *text, int64_t *out)
{
	size_t digits = text != NULL ? strspn(text, "0123456789") : 0;
	const char *end;

	if (digits == 0)
		return false;
	*out = digits < 16 ? strtoll(text, NULL, 10) : MOST_MS;
	if (*out > MOST_MS)
		*out = MOST_MS;
	end = text + digits;
	if (*end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	return *end == '\0';
}

int64_t
dr_retry_after_ms(const char *ms, const char *seconds_or_date, int64_t now_wall_ms)
{
	struct tm tm = { 0 };
	int64_t n;

	if (read_number(ms, &n))
		return n;
	if (read_number(seconds_or_date, &n))
		return n > MOST_MS / 1000 ? MOST_MS : n * 1000;
	if (seconds_or_date == NULL ||
	    strptime(seconds_or_date, "%a, %d %b %Y %H:%M:%S GMT", &tm) == NULL)
		return -1;
	n = (int64_t)timegm(&tm) * 1000 - now_wall_ms;
	return n > 0 ? n : 0;
}
