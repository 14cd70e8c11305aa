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

/* The value of a field in an entry's list of fields and values; "" where it is not
 * there. */
static const char *
field(const struct dr_reply *fields, const char *name)
{
	for (size_t i = 0; i + 1 < dr_reply_count(fields); i += 2)
		if (strcmp(dr_reply_string(dr_reply_at(fields, i), NULL), name) == 0)
			return dr_reply_string(dr_reply_at(fields, i + 1), NULL);
	return "";
}

static int64_t
number(const struct dr_reply *fields, const char *name)
{
	return strtoll(field(fields, name), NULL, 10);
}

/* An entry is { id, { field, value, ... } }; its id begins with Redis' time in ms. */
static const struct dr_reply *
open_entry(const struct dr_reply *entry, const char **cursor, int64_t *time_ms)
{
	if (entry == NULL || dr_reply_count(entry) != 2)
		return NULL;
	*cursor = dr_reply_string(dr_reply_at(entry, 0), NULL);
	*time_ms = strtoll(*cursor, NULL, 10);
	return dr_reply_at(entry, 1);
}

bool
dr_ledger_row_read(const struct dr_reply *entry, struct dr_ledger_row *out)
{
	const struct dr_reply *f = open_entry(entry, &out->cursor, &out->time_ms);

	if (f == NULL)
		return false;
	out->type = field(f, "type");
	out->request_id = field(f, "req");
	out->key_id = field(f, "key");
	out->model = field(f, "model");
	out->provider = field(f, "provider");
	out->price_date = field(f, "price");
	out->window = field(f, "window");
	out->flags = field(f, "flags");
	out->reason = field(f, "reason");
	out->nano = number(f, "nano");
	out->balance_nano = number(f, "balance");
	out->usage = (struct dr_usage){ .input = number(f, "in"),
		.cache_write_5m = number(f, "cw5"),
		.cache_write_1h = number(f, "cw1"),
		.cache_read = number(f, "cr"),
		.output = number(f, "out"),
		.web_searches = number(f, "web") };
	return out->type[0] != '\0';
}

bool
dr_activity_row_read(const struct dr_reply *entry, struct dr_activity_row *out)
{
	const struct dr_reply *f = open_entry(entry, &out->cursor, &out->time_ms);

	if (f == NULL)
		return false;
	out->request_id = field(f, "req");
	out->key_id = field(f, "key");
	out->model = field(f, "model");
	out->status = (int)number(f, "status");
	out->error = field(f, "error");
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
