/*
 * strbuf - see the header. Grows by doubling, so that n additions cost O(n).
 */
#include "base/strbuf.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static char empty[1]; /* what `data` points at while nothing is allocated */

void
dr_strbuf_init(struct dr_strbuf *buf, size_t max)
{
	*buf = (struct dr_strbuf){ .data = empty, .max = max };
}

void
dr_strbuf_fini(struct dr_strbuf *buf)
{
	if (buf->size > 0)
		free(buf->data);
	dr_strbuf_init(buf, buf->max);
}

void
dr_strbuf_clear(struct dr_strbuf *buf)
{
	buf->len = 0;
	buf->failed = false;
	if (buf->size > 0)
		buf->data[0] = '\0';
}

void
dr_strbuf_reserve(struct dr_strbuf *buf, size_t more)
{
	size_t want = buf->len + more + 1, size = buf->size;

	if (buf->failed || more > buf->max - buf->len || want <= size)
		return;
	if (size < 64)
		size = 64;
	while (size < want)
		size *= 2;
	if (size > buf->max + 1)
		size = buf->max + 1;
	if (buf->size == 0)
		buf->data = NULL;
	buf->data = dr_realloc(buf->data, size);
	buf->size = size;
	buf->data[buf->len] = '\0';
}

void
dr_strbuf_add(struct dr_strbuf *buf, const void *bytes, size_t n)
{
	if (buf->failed || n > buf->max - buf->len) {
		buf->failed = true;
		return;
	}
	if (n == 0)
		return;
	dr_strbuf_reserve(buf, n);
	memcpy(buf->data + buf->len, bytes, n);
	buf->len += n;
	buf->data[buf->len] = '\0';
}

void
dr_strbuf_adds(struct dr_strbuf *buf, const char *s)
{
	dr_strbuf_add(buf, s, strlen(s));
}

void
dr_strbuf_addc(struct dr_strbuf *buf, char c)
{
	dr_strbuf_add(buf, &c, 1);
}

void
dr_strbuf_addf(struct dr_strbuf *buf, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	dr_strbuf_addv(buf, format, ap);
	va_end(ap);
}

void
dr_strbuf_addv(struct dr_strbuf *buf, const char *format, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, format, ap);
	DR_ASSERT(n >= 0);
	if (buf->failed || (size_t)n > buf->max - buf->len) {
		buf->failed = true;
	} else if (n > 0) {
		dr_strbuf_reserve(buf, (size_t)n);
		vsnprintf(buf->data + buf->len, (size_t)n + 1, format, again);
		buf->len += (size_t)n;
	}
	va_end(again);
}

void
dr_strbuf_consume(struct dr_strbuf *buf, size_t n)
{
	DR_ASSERT(n <= buf->len);
	if (n == 0)
		return;
	memmove(buf->data, buf->data + n, buf->len - n);
	buf->len -= n;
	buf->data[buf->len] = '\0';
}

char *
dr_strbuf_take(struct dr_strbuf *buf)
{
	char *data = buf->size > 0 ? buf->data : dr_strdup("");

	buf->size = 0;
	dr_strbuf_init(buf, buf->max);
	return data;
}
