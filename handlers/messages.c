/*
 * messages - POST /v1/messages: Anthropic Messages, unary and SSE.
 */
#include "handlers/handlers.h"

const struct dr_handler dr_handler_messages = {
	.method = "POST",
	.path = "/v1/messages",
	.kind = DR_HANDLER_GENERATE,
	.dialect = DR_DIALECT_ANTHROPIC,
	.upstream_path = "/v1/messages",
};
