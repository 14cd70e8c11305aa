/*
 * store_write - a command as Redis wants its bytes. Pure, but for a script's digest,
 * which is worked out once.
 */
#include <string.h>

#include "io/crypto.h"
#include "io/store_internal.h"

/* "$12\r\n": the lengths make up half of a command, too many for printf. */
void
dr_store_add_count(struct dr_strbuf *buf, char kind, size_t n)
{
	char text[24], *p = text + sizeof text;

	*--p = '\n';
	*--p = '\r';
	do {
		*--p = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	*--p = kind;
	dr_strbuf_add(buf, p, (size_t)(text + sizeof text - p));
}

void
dr_store_add_arg(struct dr_strbuf *buf, const char *data, size_t len)
{
	dr_store_add_count(buf, '$', len);
	dr_strbuf_add(buf, data, len);
	dr_strbuf_add(buf, "\r\n", 2);
}

void
dr_store_add_args(struct dr_strbuf *buf, const struct dr_arg *args, size_t n)
{
	size_t room = 0;

	for (size_t i = 0; i < n; i++)
		room += args[i].len + 16;
	dr_strbuf_reserve(buf, room);
	for (size_t i = 0; i < n; i++)
		dr_store_add_arg(buf, args[i].data, args[i].len);
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
