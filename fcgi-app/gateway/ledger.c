/*
 * ledger - see the header. The names of the fields are those that the scripts write; a
 * field that is not known is passed over, so that newer rows do not trouble older
 * programs.
 */
#include "gateway/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/money.h"

/* ---- entries of a stream ---- */

/* The fields of an entry, asked for in the order in which the scripts write them: each
 * is looked for behind the one before it first. */
struct fields {
	const struct dr_reply *list; /* field, value, ... */
	size_t n, at;
};

/* The value of a field; "" where it is not there. */
static const char *
field(struct fields *f, const char *name)
{
	for (size_t tried = 0; tried + 1 < f->n; tried += 2) {
		size_t i = f->at;

		f->at = i + 3 < f->n ? i + 2 : 0;
		if (strcmp(dr_reply_string(dr_reply_at(f->list, i), NULL), name) == 0)
			return dr_reply_string(dr_reply_at(f->list, i + 1), NULL);
	}
	return "";
}

static int64_t
number(struct fields *f, const char *name)
{
	return strtoll(field(f, name), NULL, 10);
}

/* An entry is { id, { field, value, ... } }; its id begins with Redis' time in ms. */
static bool
open_entry(const struct dr_reply *entry, const char **cursor, int64_t *time_ms,
    struct fields *f)
{
	if (entry == NULL || dr_reply_count(entry) != 2)
		return false;
	*cursor = dr_reply_string(dr_reply_at(entry, 0), NULL);
	*time_ms = strtoll(*cursor, NULL, 10);
	f->list = dr_reply_at(entry, 1);
	f->n = dr_reply_count(f->list);
	f->at = 0;
	return true;
}

bool
dr_ledger_row_read(const struct dr_reply *entry, struct dr_ledger_row *out)
{
	struct fields f;

	if (!open_entry(entry, &out->cursor, &out->time_ms, &f))
		return false;
	out->type = field(&f, "type");
	out->request_id = field(&f, "req");
	out->key_id = field(&f, "key");
	out->nano = number(&f, "nano");
	out->balance_nano = number(&f, "balance");
	out->model = field(&f, "model");
	out->provider = field(&f, "provider");
	out->price_date = field(&f, "price");
	out->usage = (struct dr_usage){ 0 };
	out->usage.input = number(&f, "in");
	out->usage.cache_write_5m = number(&f, "cw5");
	out->usage.cache_write_1h = number(&f, "cw1");
	out->usage.cache_read = number(&f, "cr");
	out->usage.output = number(&f, "out");
	out->usage.web_searches = number(&f, "web");
	out->flags = field(&f, "flags");
	out->window = field(&f, "window");
	out->reason = field(&f, "reason");
	return out->type[0] != '\0';
}

bool
dr_activity_row_read(const struct dr_reply *entry, struct dr_activity_row *out)
{
	struct fields f;

	if (!open_entry(entry, &out->cursor, &out->time_ms, &f))
		return false;
	out->request_id = field(&f, "req");
	out->key_id = field(&f, "key");
	out->model = field(&f, "model");
	out->status = (int)number(&f, "status");
	out->error = field(&f, "error");
	return out->request_id[0] != '\0';
}

/* ---- JSON ---- */

static void
add_text(struct dr_strbuf *out, const char *name, const char *text)
{
	dr_strbuf_addf(out, ",\"%s\":", name);
	dr_json_add_string(out, text[0] != '\0' ? text : NULL);
}

static void
add_amount(struct dr_strbuf *out, const char *name, int64_t nano)
{
	char usd[DR_MONEY_TEXT];

	dr_money_format(nano, usd);
	dr_strbuf_addf(out, ",\"%s_usd\":\"%s\",\"%s_nano_usd\":%lld", name, usd, name,
	    (long long)nano);
}

static void
begin_row(struct dr_strbuf *out, const char *cursor, int64_t time_ms)
{
	char when[DR_CLOCK_TEXT];

	dr_clock_format(time_ms, when);
	dr_strbuf_adds(out, "{\"cursor\":");
	dr_json_add_string(out, cursor);
	dr_strbuf_addf(out, ",\"time\":\"%s\"", when);
}

void
dr_ledger_row_json(const struct dr_ledger_row *row, struct dr_strbuf *out)
{
	const struct dr_usage *u = &row->usage;

	begin_row(out, row->cursor, row->time_ms);
	add_text(out, "type", row->type);
	add_amount(out, "amount", row->nano);
	add_amount(out, "balance", row->balance_nano);
	add_text(out, "request_id", row->request_id);
	add_text(out, "key", row->key_id);
	add_text(out, "model", row->model);
	add_text(out, "provider", row->provider);
	add_text(out, "price_date", row->price_date);
	add_text(out, "window", row->window);
	add_text(out, "reason", row->reason);
	dr_strbuf_addf(out,
	    ",\"usage\":{\"input\":%lld,\"cache_write_5m\":%lld,\"cache_write_1h\":%lld,"
	    "\"cache_read\":%lld,\"output\":%lld,\"web_searches\":%lld}",
	    (long long)u->input, (long long)u->cache_write_5m,
	    (long long)u->cache_write_1h, (long long)u->cache_read,
	    (long long)u->output, (long long)u->web_searches);
	dr_strbuf_addf(out, ",\"estimated\":%s,\"late\":%s}",
	    strstr(row->flags, "estimated") != NULL ? "true" : "false",
	    strstr(row->flags, "late") != NULL ? "true" : "false");
}

void
dr_activity_row_json(const struct dr_activity_row *row, struct dr_strbuf *out)
{
	begin_row(out, row->cursor, row->time_ms);
	add_text(out, "request_id", row->request_id);
	add_text(out, "key", row->key_id);
	add_text(out, "model", row->model);
	dr_strbuf_addf(out, ",\"status\":%d", row->status);
	add_text(out, "error", row->error);
	dr_strbuf_addc(out, '}');
}
