/*
 * chat_completions - POST /v1/chat/completions: OpenAI Chat Completions, unary and SSE.
 */
#include "handlers/handlers.h"

const struct dr_handler dr_handler_chat_completions = {
	.method = "POST",
	.path = "/v1/chat/completions",
	.kind = DR_HANDLER_GENERATE,
	.dialect = DR_DIALECT_CHAT,
	.upstream_path = "/v1/chat/completions",
};
