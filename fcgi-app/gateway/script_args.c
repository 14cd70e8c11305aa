/*
 * script_args - see the header.
 */
#include "gateway/script_args.h"

#include <string.h>

void
dr_args_begin(struct dr_script_args *args, const char *account)
{
	args->account = account;
	args->n_keys = args->n = args->used = 0;
}

void
dr_args_bytes(struct dr_script_args *args, const char *bytes, size_t len)
{
	DR_ASSERT(args->n < DR_SCRIPT_ARGS_MAX);
	args->list[args->n++] = (struct dr_arg){ bytes, len };
}

void
dr_args_text(struct dr_script_args *args, const char *text)
{
	dr_args_bytes(args, text, strlen(text));
}

void
dr_args_key(struct dr_script_args *args, const char *what, const char *id)
{
	char *name = args->pool + args->used;

	DR_ASSERT(args->used + DR_SCHEMA_KEY_SIZE <= DR_SCRIPT_ARGS_POOL);
	args->used += dr_schema_key(name, args->account, what, id) + 1;
	dr_args_text(args, name);
	args->n_keys++;
}

void
dr_args_number(struct dr_script_args *args, int64_t n)
{
	uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	char digits[20], *p = digits + sizeof digits, *out = args->pool + args->used;
	size_t len;

	do {
		*--p = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	len = (size_t)(digits + sizeof digits - p);
	DR_ASSERT(args->used + 1 + len <= DR_SCRIPT_ARGS_POOL);
	if (n < 0)
		*out++ = '-';
	memcpy(out, p, len);
	len += n < 0;
	dr_args_bytes(args, args->pool + args->used, len);
	args->used += len;
}

void
dr_args_eval(const struct dr_script_args *args, struct dr_store *store,
    struct dr_script *script, struct dr_store_call *call)
{
	char tag[DR_SCHEMA_TAG_SIZE];

	dr_schema_tag(tag, args->account);
	dr_store_eval(store, tag, script, args->n_keys, args->list, args->n, call);
}

void
dr_args_command(const struct dr_script_args *args, struct dr_store *store)
{
	char tag[DR_SCHEMA_TAG_SIZE];

	dr_schema_tag(tag, args->account);
	dr_store_command(store, tag, args->list, args->n, NULL);
}
