/*
 * openapi - GET /api/openapi.json: every endpoint of handlers.def described in OpenAPI
 * 3.1. The document is openapi.json beside this file, compiled in; tests hold it
 * against the table and against real answers.
 */
#include "handlers/openapi.h"

#include "base/strbuf.h"
#include "gateway/request.h"
#include "handlers/api_json.h"
#include "handlers/handlers.h"

static void
answer(struct dr_request *req)
{
	struct dr_api_query query;
	struct dr_strbuf out;

	if (!dr_api_query(req, NULL, &query))
		return;
	dr_strbuf_init(&out, dr_openapi_json_len);
	dr_strbuf_add(&out, dr_openapi_json, dr_openapi_json_len);
	dr_api_reply(req, &out);
}

const struct dr_handler dr_handler_openapi = {
	.method = "GET",
	.path = "/api/openapi.json",
	.kind = DR_HANDLER_LOCAL,
	.answer = answer,
};
