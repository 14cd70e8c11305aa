/*
 * ctl_store - Redis calls that wait: the loop is turned until the answer is there.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "operator/ctl.h"

struct waiting_call {
	struct dr_store_call call;
	struct ctl_reply *out;
	enum dr_error err;
};

static void
copy_reply(struct ctl_reply *to, const struct dr_reply *from)
{
	const char *text;

	*to = (struct ctl_reply){ .type = dr_reply_type(from) };
	to->number = dr_reply_int(from, 0);
	text = dr_reply_string(from, &to->len);
	to->text = dr_strndup(text, to->len);
	to->n = dr_reply_count(from);
	if (to->n > 0)
		to->items = dr_calloc(to->n, sizeof *to->items);
	for (size_t i = 0; i < to->n; i++)
		copy_reply(&to->items[i], dr_reply_at(from, i));
}

void
ctl_reply_free(struct ctl_reply *reply)
{
	for (size_t i = 0; i < reply->n; i++)
		ctl_reply_free(&reply->items[i]);
	free(reply->items);
	free(reply->text);
	*reply = (struct ctl_reply){ 0 };
}

static void
on_done(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct waiting_call *waiting = DR_CONTAINER_OF(call, struct waiting_call, call);

	waiting->err = err;
	if (err == DR_OK)
		copy_reply(waiting->out, reply);
}

static size_t
n_words(const char *const *words)
{
	size_t n = 0;

	while (words[n] != NULL)
		n++;
	return n;
}

static size_t
count_words(const char *const *words, struct dr_arg *args)
{
	size_t n = 0;

	for (; words[n] != NULL; n++) {
		args[n] = (struct dr_arg){ words[n], strlen(words[n]) };
	}
	return n;
}

static bool
wait_for(struct ctl *ctl, struct waiting_call *waiting, const char *what)
{
	dr_store_wait(ctl->store, &waiting->call);
	if (waiting->err == DR_OK)
		return true;
	ctl_fail(CTL_FAILED, "%s: %s", what, dr_error_info(waiting->err)->message);
	return false;
}

bool
ctl_command(struct ctl *ctl, struct ctl_reply *out, const char *const *words)
{
	struct waiting_call waiting = { .call = { .done = on_done }, .out = out };
	struct dr_arg *args = dr_calloc(n_words(words), sizeof *args);
	size_t n = count_words(words, args);

	*out = (struct ctl_reply){ 0 };
	dr_store_command(ctl->store, "", args, n, &waiting.call);
	free(args);
	return wait_for(ctl, &waiting, words[0]);
}

bool
ctl_script(struct ctl *ctl, struct ctl_reply *out, const char *tag,
    struct dr_script *script, size_t n_keys, const char *const *words)
{
	struct waiting_call waiting = { .call = { .done = on_done }, .out = out };
	struct dr_arg *args = dr_calloc(n_words(words), sizeof *args);
	size_t n = count_words(words, args);

	*out = (struct ctl_reply){ 0 };
	dr_store_eval(ctl->store, tag, script, n_keys, args, n, &waiting.call);
	free(args);
	return wait_for(ctl, &waiting, script->name);
}

const char *
ctl_field(const struct ctl_reply *reply, const char *field)
{
	for (size_t i = 0; i + 1 < reply->n; i += 2)
		if (strcmp(reply->items[i].text, field) == 0)
			return reply->items[i + 1].text;
	return "";
}

void
ctl_account_key(const char *account, const char *name, char out[CTL_KEY_SIZE])
{
	snprintf(out, CTL_KEY_SIZE, "{a:%s}:%s", account, name);
}
