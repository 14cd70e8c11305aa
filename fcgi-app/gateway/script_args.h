/*
 * script_args - the keys and arguments of one script call on an account, gathered on
 * the stack.
 *
 * Numbers and key names live in the struct, texts are borrowed until the call was made.
 * The keys come first, in the order that the script's head lists them.
 */
#ifndef DR_SCRIPT_ARGS_H
#define DR_SCRIPT_ARGS_H

#include <stddef.h>
#include <stdint.h>

#include "gateway/schema.h"
#include "io/store.h"

#define DR_SCRIPT_ARGS_MAX  400
#define DR_SCRIPT_ARGS_POOL 4096

struct dr_script_args {
	const char *account; /* borrowed */
	size_t n_keys, n, used;
	struct dr_arg list[DR_SCRIPT_ARGS_MAX];
	char pool[DR_SCRIPT_ARGS_POOL]; /* what the list points at, where it is not
					   borrowed */
};

void dr_args_begin(struct dr_script_args *args, const char *account);
void dr_args_key(
    struct dr_script_args *args, const char *what, const char *id); /* schema.h */
void dr_args_text(struct dr_script_args *args, const char *text);
void dr_args_bytes(struct dr_script_args *args, const char *bytes, size_t len);
void dr_args_number(struct dr_script_args *args, int64_t n);

/* `call` may be NULL: fire and forget. */
void dr_args_eval(const struct dr_script_args *args, struct dr_store *store,
    struct dr_script *script, struct dr_store_call *call);
/* As a plain command: its name was the first argument. */
void dr_args_command(const struct dr_script_args *args, struct dr_store *store);

#endif
