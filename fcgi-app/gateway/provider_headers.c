/*
 * provider_headers - the field extra_headers of a provider's record: header lines that
 * go to this provider with every request, such as "OpenAI-Organization: org-1". Lines
 * that are ours to write, and credentials, which are kept sealed elsewhere, are
 * refused.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "gateway/provider_fields.h"

#define MOST_LINE 1024

static const char *const reserved[] = { "authorization", "x-api-key", "api-key",
	"cookie", "host", "content-length", "content-type", "content-encoding",
	"transfer-encoding", "connection", "accept-encoding", "expect", "te", "upgrade",
	"trailer", "proxy-authorization", "keep-alive" };

/* "Name: value", both as HTTP has them (RFC 9110, 5.1 and 5.5). */
static bool
line_ok(const char *line, size_t len)
{
	size_t n = strspn(line,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~");

	if (n == 0 || n > 100 || n + 2 >= len || len > MOST_LINE || line[n] != ':' ||
	    line[n + 1] != ' ')
		return false;
	for (size_t i = 0; i < DR_N_ELEMENTS(reserved); i++)
		if (strlen(reserved[i]) == n && strncasecmp(reserved[i], line, n) == 0)
			return false;
	for (size_t i = n; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			return false;
	return true;
}

void
dr_field_free_extra_headers(struct dr_provider_record *r)
{
	for (size_t i = 0; i < r->n_extra_headers; i++)
		free(r->extra_headers[i]);
	r->n_extra_headers = 0;
}

const char *
dr_field_set_extra_headers(
    struct dr_provider_record *r, const struct dr_field *f, const char *value)
{
	const char *line = value;
	size_t n = 0;

	for (; *line != '\0'; n++) {
		size_t len = strcspn(line, "\n");

		if (n == DR_MAX_EXTRA_HEADERS)
			return "want 16 lines at most";
		if (!line_ok(line, len))
			return "want lines NAME: VALUE, of names that are not ours to send";
		line += len + (line[len] == '\n');
	}
	(void)f;
	dr_field_free_extra_headers(r);
	for (line = value; *line != '\0';) {
		size_t len = strcspn(line, "\n");
		char *copy = dr_malloc(len + 1);

		memcpy(copy, line, len);
		copy[len] = '\0';
		r->extra_headers[r->n_extra_headers++] = copy;
		line += len + (line[len] == '\n');
	}
	return NULL;
}

void
dr_field_get_extra_headers(const struct dr_provider_record *r,
    DR_UNUSED const struct dr_field *f, struct dr_strbuf *out)
{
	for (size_t i = 0; i < r->n_extra_headers; i++) {
		if (i > 0)
			dr_strbuf_addc(out, '\n');
		dr_strbuf_adds(out, r->extra_headers[i]);
	}
}
