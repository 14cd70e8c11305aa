/*
 * responses - POST /v1/responses: OpenAI Responses, unary and SSE.
 */
#include "handlers/handlers.h"

const struct dr_handler dr_handler_responses = {
	.method = "POST",
	.path = "/v1/responses",
	.kind = DR_HANDLER_GENERATE,
	.dialect = DR_DIALECT_RESPONSES,
	.upstream_path = "/v1/responses",
};
