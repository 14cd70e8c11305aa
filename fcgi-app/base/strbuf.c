/*
 * strbuf - see the header. Grows by doubling, so that n additions cost O(n).
 *
 * Formats made of plain conversions only (%s, %c, %d, %u and their l, ll and z forms,
 * %%) are written here: heads, receipts and log lines are nothing else, and printf's
 * general machinery was a seventh of a request's processor time. All others go to
 * vsnprintf().
 */
#include "base/strbuf.h"

#include <stdint.h>
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
	if (n == 0)
		return;
	/* What fits what is allocated fits the ceiling: size is never above max + 1.
	 * Nearly every addition does. */
	if (buf->failed || n >= buf->size - buf->len) {
		if (buf->failed || n > buf->max - buf->len) {
			buf->failed = true;
			return;
		}
		dr_strbuf_reserve(buf, n);
	}
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
	if (buf->failed || buf->len + 1 >= buf->size) {
		dr_strbuf_add(buf, &c, 1);
		return;
	}
	buf->data[buf->len++] = c; /* size is never above max + 1 */
	buf->data[buf->len] = '\0';
}

/* ---- formats ---- */

/* The conversion behind a '%', from its first letter on. */
struct conversion {
	char kind; /* s, c, d, u or %; 0: none of ours */
	char size; /* 0 int, l, L (long long) or z */
	size_t letters;
};

static struct conversion
conversion_at(const char *p)
{
	struct conversion c = { 0 };

	while (p[c.letters] == 'l' && c.size != 'L') {
		c.size = c.size == 'l' ? 'L' : 'l';
		c.letters++;
	}
	if (c.letters == 0 && p[0] == 'z') {
		c.size = 'z';
		c.letters++;
	}
	switch (p[c.letters++]) {
	case 's':
	case 'c':
	case '%':
		if (c.size == '\0')
			c.kind = p[0];
		break;
	case 'd':
		if (c.size != 'z')
			c.kind = 'd';
		break;
	case 'u':
		c.kind = 'u';
		break;
	default:
		break; /* none of ours */
	}
	return c;
}

static void
add_decimal(struct dr_strbuf *buf, uint64_t n, bool negative)
{
	char text[24], *p = text + sizeof text;

	do {
		*--p = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	if (negative)
		*--p = '-';
	dr_strbuf_add(buf, p, (size_t)(text + sizeof text - p));
}

void
dr_strbuf_addi(struct dr_strbuf *buf, int64_t n)
{
	add_decimal(buf, n < 0 ? 0 - (uint64_t)n : (uint64_t)n, n < 0);
}

/* `all` is a copy made by the caller: a va_list in a struct can be handed on by
 * address. */
struct arguments {
	va_list ap;
};

static void
add_number(struct dr_strbuf *buf, struct conversion c, struct arguments *all)
{
	if (c.kind == 'd')
		dr_strbuf_addi(buf, c.size == 'L'   ? va_arg(all->ap, long long)
				    : c.size == 'l' ? va_arg(all->ap, long)
						    : va_arg(all->ap, int));
	else
		add_decimal(buf,
		    c.size == 'L'   ? va_arg(all->ap, unsigned long long)
		    : c.size == 'l' ? va_arg(all->ap, unsigned long)
		    : c.size == 'z' ? va_arg(all->ap, size_t)
				    : va_arg(all->ap, unsigned),
		    false);
}

/* False, with a part of it added, where a conversion is none of ours. */
static bool
add_plain(struct dr_strbuf *buf, const char *format, struct arguments *all)
{
	for (;;) {
		const char *literal = format;
		struct conversion c;

		format = strchrnul(format, '%');
		dr_strbuf_add(buf, literal, (size_t)(format - literal));
		if (*format == '\0')
			return true;
		c = conversion_at(format + 1);
		format += 1 + c.letters;
		if (c.kind == 's')
			dr_strbuf_adds(buf, va_arg(all->ap, const char *));
		else if (c.kind == 'c')
			dr_strbuf_addc(buf, (char)va_arg(all->ap, int));
		else if (c.kind == '%')
			dr_strbuf_addc(buf, '%');
		else if (c.kind != '\0')
			add_number(buf, c, all);
		else
			return false;
	}
}

static void
cut_back(struct dr_strbuf *buf, size_t len)
{
	if (buf->len > len) {
		buf->len = len;
		buf->data[len] = '\0';
	}
}

static void
add_printf(struct dr_strbuf *buf, const char *format, struct arguments *all)
{
	va_list again;
	int n;

	va_copy(again, all->ap);
	n = vsnprintf(NULL, 0, format, all->ap);
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
	struct arguments all;
	size_t before = buf->len;
	bool failed = buf->failed, plain;

	va_copy(all.ap, ap);
	plain = add_plain(buf, format, &all);
	va_end(all.ap);
	if (!plain) { /* once more, by printf */
		cut_back(buf, before);
		buf->failed = failed;
		va_copy(all.ap, ap);
		add_printf(buf, format, &all);
		va_end(all.ap);
	}
	if (buf->failed)
		cut_back(buf, before); /* an addition is dropped whole */
}

char *
dr_strbuf_space(struct dr_strbuf *buf, size_t most)
{
	if (buf->failed || most > buf->max - buf->len) {
		buf->failed = true;
		return NULL;
	}
	dr_strbuf_reserve(buf, most);
	return buf->data + buf->len;
}

void
dr_strbuf_filled(struct dr_strbuf *buf, const char *end)
{
	size_t n = (size_t)(end - (buf->data + buf->len));

	if (n == 0)
		return; /* nothing may be allocated yet */
	DR_ASSERT(n < buf->size - buf->len);
	buf->len += n;
	buf->data[buf->len] = '\0';
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
