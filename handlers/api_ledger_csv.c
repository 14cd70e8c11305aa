/*
 * api_ledger_csv - GET /api/ledger.csv: the whole ledger as a file, the oldest row
 * first.
 *
 * It is read in pages and sent as it is read, no faster than the client takes it, so
 * its length costs no memory. Once the head is out there is no other status: where
 * Redis fails then, the connection is broken, so that no half file looks like a whole
 * one. nginx sees that a FastCGI answer has no end only where it buffers it, hence the
 * header; other servers need none and pass it on.
 */
#include <limits.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "gateway/gateway.h"
#include "gateway/ledger_columns.h"
#include "gateway/request.h"
#include "handlers/api_ledger.h"
#include "handlers/handlers.h"

#define MAX_PAGE (8 * 1024 * 1024)

struct csv_call {
	struct dr_stream_read rows; /* must stay alive until it is done or cancelled */
	struct dr_request *req;
	bool waiting; /* for the client, before the next page */
	struct dr_strbuf page;
};

static struct csv_call *
call_of(struct dr_stream_read *rows)
{
	return DR_CONTAINER_OF(rows, struct csv_call, rows);
}

static bool
on_row(struct dr_stream_read *rows, const struct dr_reply *entry)
{
	dr_ledger_add_csv(&call_of(rows)->page, entry);
	return true;
}

/* The head goes out with the first page: until then a failure has a status. */
static void
send_page(struct csv_call *call)
{
	struct dr_request *req = call->req;

	DR_ASSERT(!call->page.failed);
	if (!req->head_sent)
		dr_reply_head(req, 200, "text/csv; charset=utf-8", -1,
		    "content-disposition: attachment; filename=\"ledger.csv\"\r\n"
		    "cache-control: no-store\r\nx-accel-buffering: yes\r\n");
	dr_reply_body(req, call->page.data, call->page.len);
	dr_strbuf_clear(&call->page);
}

static void
on_page(struct dr_stream_read *rows)
{
	struct csv_call *call = call_of(rows);

	send_page(call);
	if (call->req->edge != NULL &&
	    dr_fcgi_unsent(call->req->edge) >= DR_OUT_HIGH_WATER)
		call->waiting = true;
	else
		dr_stream_next(rows);
}

static void
on_drained(void *local)
{
	struct csv_call *call = local;

	if (!call->waiting)
		return;
	call->waiting = false;
	dr_stream_next(&call->rows);
}

static void
on_done(struct dr_stream_read *rows, enum dr_error err)
{
	struct csv_call *call = call_of(rows);

	if (err != DR_OK) {
		dr_request_fail(call->req, err);
		return;
	}
	send_page(call);
	dr_request_go(call->req, DR_REQ_SETTLE);
}

static void
cancel(void *local)
{
	struct csv_call *call = local;

	call->waiting = false;
	dr_stream_cancel(&call->rows);
	dr_strbuf_fini(&call->page);
}

static void
answer(struct dr_request *req)
{
	static const char *const names[] = { "since", "until", NULL };
	struct csv_call *call = dr_calloc(1, sizeof *call);
	struct dr_api_query query;

	req->local = call;
	req->cancel_local = cancel;
	call->req = req;
	if (!dr_api_query(req, names, &query) ||
	    !dr_api_ledger_bounds(req, &query, &call->rows))
		return;
	req->drained_local = on_drained;
	dr_strbuf_init(&call->page, MAX_PAGE);
	dr_ledger_add_csv_head(&call->page);
	memcpy(call->rows.account, req->key.account, sizeof call->rows.account);
	call->rows.what = DR_SCHEMA_LEDGER;
	call->rows.page = DR_STREAM_PAGE;
	call->rows.most = SIZE_MAX;
	call->rows.row = on_row;
	call->rows.paged = on_page;
	call->rows.done = on_done;
	dr_stream_read(req->gw->store, &req->gw->stream_turns, &call->rows);
}

const struct dr_handler dr_handler_api_ledger_csv = {
	.method = "GET",
	.path = "/api/ledger.csv",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_SESSION,
	.answer = answer,
};
