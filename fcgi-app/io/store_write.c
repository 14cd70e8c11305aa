/*
 * store_write - a command as Redis wants its bytes. Pure, but for a script's digest,
 * which is worked out once.
 */
#include <string.h>

#include "io/crypto.h"
#include "io/store_internal.h"

#define MOST_COUNT 24 /* bytes: a kind, 20 digits and a line end */
/* At most: "$", a length of 11 digits, two line ends. No argument is longer. */
#define AROUND_ARG 16

/* "$12\r\n": the lengths make up half of a command, too many for printf. */
static char *
put_count(char *to, char kind, size_t n)
{
	char text[MOST_COUNT], *p = text + sizeof text;
	size_t len;

	*--p = '\n';
	*--p = '\r';
	do {
		*--p = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	*--p = kind;
	len = (size_t)(text + sizeof text - p);
	memcpy(to, p, len);
	return to + len;
}

static char *
put_arg(char *to, const struct dr_arg *arg)
{
	to = put_count(to, '$', arg->len);
	if (arg->len > 0)
		memcpy(to, arg->data, arg->len);
	to += arg->len;
	*to++ = '\r';
	*to++ = '\n';
	return to;
}

void
dr_store_add_count(struct dr_strbuf *buf, char kind, size_t n)
{
	char text[MOST_COUNT];

	dr_strbuf_add(buf, text, (size_t)(put_count(text, kind, n) - text));
}

void
dr_store_add_arg(struct dr_strbuf *buf, const char *data, size_t len)
{
	const struct dr_arg arg = { data, len };

	dr_store_add_args(buf, &arg, 1);
}

/* Straight into the buffer: a call has forty of them. */
void
dr_store_add_args(struct dr_strbuf *buf, const struct dr_arg *args, size_t n)
{
	size_t room = 0;
	char *to;

	for (size_t i = 0; i < n; i++)
		room += args[i].len + AROUND_ARG;
	to = dr_strbuf_space(buf, room);
	if (to == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		to = put_arg(to, &args[i]);
	dr_strbuf_filled(buf, to);
}

void
dr_store_add_eval(struct dr_strbuf *buf, const struct dr_script *script, size_t n_words)
{
	dr_store_add_count(buf, '*', n_words);
	dr_store_add_arg(buf, "EVAL", 4);
	dr_store_add_arg(buf, script->source, script->source_len);
}

void
dr_store_add_evalsha(struct dr_strbuf *buf, struct dr_script *script, size_t n_words)
{
	if (script->sha1[0] == '\0')
		dr_sha1_hex(script->source, script->source_len, script->sha1);
	dr_store_add_count(buf, '*', n_words);
	dr_store_add_arg(buf, "EVALSHA", 7);
	dr_store_add_arg(buf, script->sha1, sizeof script->sha1 - 1);
}
