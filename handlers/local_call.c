/*
 * local_call - see the header.
 */
#include "handlers/local_call.h"

#include "base/mem.h"
#include "gateway/request.h"

static void
cancel(void *local)
{
	struct dr_local_call *call = local;

	dr_store_cancel(&call->call);
}

void *
dr_local_call_new(struct dr_request *req, size_t size,
    void (*done)(struct dr_store_call *, enum dr_error, const struct dr_reply *))
{
	struct dr_local_call *call = dr_calloc(1, size);

	DR_ASSERT(size >= sizeof *call);
	call->req = req;
	call->call.done = done;
	req->local = call;
	req->cancel_local = cancel;
	return call;
}

void *
dr_local_call_of(struct dr_store_call *call)
{
	return DR_CONTAINER_OF(call, struct dr_local_call, call);
}
