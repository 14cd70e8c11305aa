/*
 * store_reply - reading Redis' replies and telling its errors apart. Pure: no I/O, no
 * state. A struct dr_reply is hiredis' redisReply under another name.
 */
#include <hiredis/hiredis.h>
#include <string.h>

#include "io/store_internal.h"

static const redisReply *
raw(const struct dr_reply *reply)
{
	return (const redisReply *)(const void *)reply;
}

enum dr_reply_type
dr_reply_type(const struct dr_reply *reply)
{
	if (reply == NULL)
		return DR_REPLY_NIL;
	switch (raw(reply)->type) {
	case REDIS_REPLY_INTEGER:
		return DR_REPLY_INT;
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
		return DR_REPLY_STRING;
	case REDIS_REPLY_ARRAY:
		return DR_REPLY_ARRAY;
	default: /* an error inside an array says as little as nil */
		return DR_REPLY_NIL;
	}
}

size_t
dr_reply_count(const struct dr_reply *reply)
{
	const redisReply *r = raw(reply);

	return r != NULL && r->type == REDIS_REPLY_ARRAY ? r->elements : 0;
}

const struct dr_reply *
dr_reply_at(const struct dr_reply *reply, size_t i)
{
	if (i >= dr_reply_count(reply))
		return NULL;
	return (const struct dr_reply *)(const void *)raw(reply)->element[i];
}

/* Strictly decimal and within 64 bits: anything else is no number. */
static bool
parse_int(const char *text, size_t len, int64_t *out)
{
	bool negative = len > 0 && text[0] == '-';
	int64_t value = 0;

	if (len == (negative ? 1 : 0))
		return false;
	for (size_t i = negative; i < len; i++) {
		int digit = text[i] - '0';

		if (digit < 0 || digit > 9 ||
		    __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, negative ? -digit : digit, &value))
			return false;
	}
	*out = value;
	return true;
}

int64_t
dr_reply_int(const struct dr_reply *reply, int64_t otherwise)
{
	const redisReply *r = raw(reply);
	int64_t value;

	if (r == NULL)
		return otherwise;
	if (r->type == REDIS_REPLY_INTEGER)
		return r->integer;
	if (r->type == REDIS_REPLY_STRING && parse_int(r->str, r->len, &value))
		return value;
	return otherwise;
}

const char *
dr_reply_string(const struct dr_reply *reply, size_t *len)
{
	const redisReply *r = raw(reply);
	bool is_text = r != NULL &&
		       (r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS);

	if (len != NULL)
		*len = is_text ? r->len : 0;
	return is_text ? r->str : "";
}

/* ---- errors ---- */

/* Nothing is wrong with the call: the server, or what stands before it, cannot serve
 * now. */
static const char *const away_codes[] = {
	"OOM",             /* above maxmemory, nothing may be evicted */
	"MISCONF",         /* cannot write its snapshot and refuses to go on without */
	"READONLY",        /* a replica, or a master that was demoted */
	"MASTERDOWN",      /* a replica without its master */
	"LOADING", "BUSY", /* a script runs for too long */
	"CLUSTERDOWN", "TRYAGAIN", "MOVED",
	"ASK",              /* this node does not serve the slot */
	"NOREPLICAS",       /* min-replicas-to-write */
	"NOAUTH", "NOPERM", /* the operator changed users under us */
};

bool
dr_store_error_is(const char *text, const char *code)
{
	size_t len = strlen(code);

	return strncmp(text, code, len) == 0 && (text[len] == ' ' || text[len] == '\0');
}

/*
 * Redis 7 hands the error of a command inside a script on as it is ("OOM command not
 * allowed ... script: f00, on @user_script:1."). Redis 6 wrapped it: "ERR Error running
 * script (call to f_f00): @user_script:1: @user_script: 1: -OOM command not allowed
 * ...".
 */
static const char *
unwrapped(const char *text)
{
	const char *inner;

	if (strncmp(text, "ERR Error running script", 24) != 0)
		return text;
	inner = strstr(text, ": -");
	return inner == NULL ? text : inner + 3;
}

enum dr_error
dr_store_error_of(const char *text)
{
	text = unwrapped(text);
	for (size_t i = 0; i < DR_N_ELEMENTS(away_codes); i++)
		if (dr_store_error_is(text, away_codes[i]))
			return DR_ERR_STORE_DOWN;
	return DR_ERR_INTERNAL;
}

bool
dr_store_wants_eval(const char *text, bool *always)
{
	bool refused = dr_store_error_is(text, "NOPERM") ||
		       strncmp(text, "ERR unknown command", 19) == 0;

	*always = refused && strcasestr(text, "'evalsha'") != NULL;
	return *always || dr_store_error_is(text, "NOSCRIPT");
}

int
dr_store_printable(const char *text)
{
	const char *quote = strstr(text, ", with args");
	size_t len = quote == NULL ? strlen(text) : (size_t)(quote - text);

	return len > 300 ? 300 : (int)len;
}

bool
dr_store_info_field(const char *info, const char *name, char *out, size_t size)
{
	size_t len = strlen(name), n;

	out[0] = '\0';
	for (const char *line = info; line != NULL; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (strncmp(line, name, len) != 0 || line[len] != ':')
			continue;
		line += len + 1;
		n = strcspn(line, "\r\n");
		if (n >= size)
			n = size - 1;
		memcpy(out, line, n);
		out[n] = '\0';
		return true;
	}
	return false;
}
