/*
 * api_ledger - GET /api/ledger: each time the balance moved, the newest first, in the
 * columns of `derouterctl ledger` without the providers.
 *
 * With ?type= many rows may have to be read for one that is wanted: a page ends after
 * MOST_ROWS too, maybe with fewer rows than were asked for, and goes on at its cursor.
 */
#include "handlers/api_ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rfc3339.h"
#include "config/reader.h"
#include "gateway/gateway.h"
#include "gateway/ledger_columns.h"
#include "gateway/request.h"
#include "handlers/handlers.h"

#define MAX_ANSWER (2 * 1024 * 1024) /* 200 rows of 10 KB: a reason may be long */
#define MOST_ROWS  20000
#define MAX_TYPE   32

struct ledger_call {
	struct dr_stream_read rows; /* must stay alive until it is done or cancelled */
	struct dr_request *req;
	char type[MAX_TYPE + 1]; /* "": all */
	size_t limit, n;
	bool more; /* there is one more that is wanted */
	char cursor[DR_STREAM_ID];
	struct dr_strbuf out;
};

/* ---- what is asked for ---- */

/* A moment as XRANGE takes it; false: it is none. */
static bool
read_bound(const char *text, char out[DR_STREAM_ID])
{
	int64_t ms;

	if (dr_stream_id_ok(text) && strlen(text) > 11) {
		snprintf(out, DR_STREAM_ID, "%s", text);
		return true;
	}
	if (!dr_date_parse(text, &ms) && !dr_rfc3339_parse(text, strlen(text), &ms))
		return false;
	/* an offset takes the first day of 1970 into the year before, where nothing is
	 */
	snprintf(out, DR_STREAM_ID, "%" PRId64, ms < 0 ? 0 : ms);
	return true;
}

bool
dr_api_ledger_bounds(struct dr_request *req, const struct dr_api_query *query,
    struct dr_stream_read *read)
{
	const char *since = dr_api_param(query, "since"),
		   *until = dr_api_param(query, "until");

	snprintf(read->from, sizeof read->from, "-");
	snprintf(read->to, sizeof read->to, "+");
	if (since != NULL && !read_bound(since, read->from)) {
		dr_request_fail(req, DR_ERR_BAD_FIELD,
		    "since: want a date, a time such as 2026-11-01T00:00:00Z or a "
		    "row's id");
		return false;
	}
	if (until != NULL && !read_bound(until, read->to)) {
		dr_request_fail(req, DR_ERR_BAD_FIELD,
		    "until: want a date, a time such as 2026-11-01T00:00:00Z or a "
		    "row's id");
		return false;
	}
	return true;
}

static bool
read_type(
    struct dr_request *req, const struct dr_api_query *query, char out[MAX_TYPE + 1])
{
	const char *type = dr_api_param(query, "type");

	if (type == NULL)
		return true;
	if (strlen(type) <= MAX_TYPE &&
	    strspn(type, "abcdefghijklmnopqrstuvwxyz_") == strlen(type)) {
		snprintf(out, MAX_TYPE + 1, "%s", type);
		return true;
	}
	dr_request_fail(
	    req, DR_ERR_BAD_FIELD, "type: want a type of rows, such as charge");
	return false;
}

/* The page before ended with the row that the cursor names. */
static bool
read_cursor(struct dr_request *req, const struct dr_api_query *query,
    struct dr_stream_read *rows)
{
	const char *cursor = dr_api_param(query, "cursor");

	if (cursor == NULL)
		return true;
	if (!dr_stream_id_ok(cursor) || strchr(cursor, '-') == NULL) {
		dr_request_fail(
		    req, DR_ERR_BAD_FIELD, "cursor: want the next_cursor of this list");
		return false;
	}
	snprintf(rows->to, sizeof rows->to, "(%s", cursor);
	return true;
}

/* ---- the rows ---- */

static struct ledger_call *
call_of(struct dr_stream_read *rows)
{
	return DR_CONTAINER_OF(rows, struct ledger_call, rows);
}

static bool
on_row(struct dr_stream_read *rows, const struct dr_reply *entry)
{
	struct ledger_call *call = call_of(rows);

	if (call->type[0] != '\0' &&
	    strcmp(dr_entry_field(entry, "type"), call->type) != 0)
		return true;
	if (call->n == call->limit) {
		call->more = true;
		return false;
	}
	call->n++;
	snprintf(call->cursor, sizeof call->cursor, "%s", dr_entry_id(entry));
	dr_api_item(&call->out);
	dr_ledger_add_json(&call->out, entry);
	return true;
}

static void
on_done(struct dr_stream_read *rows, enum dr_error err)
{
	struct ledger_call *call = call_of(rows);

	if (err != DR_OK) {
		dr_request_fail(call->req, err);
		return;
	}
	dr_api_list_end(&call->out, call->more  ? call->cursor
				    : rows->cut ? rows->last
						: NULL);
	dr_api_reply(call->req, &call->out);
}

static void
cancel(void *local)
{
	struct ledger_call *call = local;

	dr_stream_cancel(&call->rows);
	dr_strbuf_fini(&call->out);
}

static void
answer(struct dr_request *req)
{
	static const char *const names[] = { "since", "until", "type", "limit",
		"cursor", NULL };
	struct ledger_call *call = dr_calloc(1, sizeof *call);
	struct dr_api_query query;

	req->local = call;
	req->cancel_local = cancel;
	call->req = req;
	if (!dr_api_query(req, names, &query) ||
	    !dr_api_limit(req, &query, &call->limit) ||
	    !read_type(req, &query, call->type) ||
	    !dr_api_ledger_bounds(req, &query, &call->rows) ||
	    !read_cursor(req, &query, &call->rows))
		return;
	dr_strbuf_init(&call->out, MAX_ANSWER);
	dr_api_list_begin(&call->out);
	memcpy(call->rows.account, req->key.account, sizeof call->rows.account);
	call->rows.what = DR_SCHEMA_LEDGER;
	call->rows.backwards = true;
	call->rows.page = call->type[0] != '\0' ? DR_STREAM_PAGE : call->limit + 1;
	call->rows.most = MOST_ROWS;
	call->rows.row = on_row;
	call->rows.done = on_done;
	dr_stream_read(req->gw->store, &req->gw->stream_turns, &call->rows);
}

const struct dr_handler dr_handler_api_ledger = {
	.method = "GET",
	.path = "/api/ledger",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = answer,
};
