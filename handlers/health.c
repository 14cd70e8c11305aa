/*
 * health - GET /healthz: the process turns; GET /readyz: Redis is reachable and the
 * list of providers is in. For the operator's monitoring: the web server keeps others
 * out.
 */
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "handlers/handlers.h"

static void
answer_healthz(struct dr_request *req)
{
	dr_reply_text(req, 200, "text/plain; charset=utf-8", "ok\n");
}

static void
answer_readyz(struct dr_request *req)
{
	bool store = dr_store_is_up(req->gw->store);

	if (store && dr_providers_ready(req->gw->providers) && !req->gw->draining)
		dr_reply_text(req, 200, "text/plain; charset=utf-8", "ready\n");
	else
		dr_reply_text(req, 503, "text/plain; charset=utf-8",
		    !store              ? "Redis is unreachable\n"
		    : req->gw->draining ? "shutting down\n"
					: "the list of providers is not in yet\n");
}

const struct dr_handler dr_handler_healthz = {
	.method = "GET",
	.path = "/healthz",
	.kind = DR_HANDLER_LOCAL,
	.answer = answer_healthz,
};

const struct dr_handler dr_handler_readyz = {
	.method = "GET",
	.path = "/readyz",
	.kind = DR_HANDLER_LOCAL,
	.answer = answer_readyz,
};
