/*
 * metrics - GET /metrics: what all responders on all machines have counted, as
 * Prometheus text. For the operator's monitoring: the web server keeps others out.
 */
#include "base/mem.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "handlers/handlers.h"

struct metrics_call {
	struct dr_metrics_read read; /* stays alive until it is done or cancelled */
	struct dr_request *req;
};

static void
on_read(struct dr_metrics_read *read, enum dr_error err)
{
	struct metrics_call *call = DR_CONTAINER_OF(read, struct metrics_call, read);

	if (err == DR_OK)
		dr_reply_text(call->req, 200,
		    "text/plain; version=0.0.4; charset=utf-8", read->text.data);
	else
		dr_request_fail(call->req, err);
}

static void
cancel(void *local)
{
	struct metrics_call *call = local;

	dr_metrics_read_fini(&call->read);
}

static void
answer(struct dr_request *req)
{
	struct metrics_call *call = dr_calloc(1, sizeof *call);

	call->req = req;
	req->local = call;
	req->cancel_local = cancel;
	dr_metrics_read(req->gw->metrics, &call->read, on_read);
}

const struct dr_handler dr_handler_metrics = {
	.method = "GET",
	.path = "/metrics",
	.kind = DR_HANDLER_LOCAL,
	.answer = answer,
};
