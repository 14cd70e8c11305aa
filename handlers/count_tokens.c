/*
 * count_tokens - POST /v1/messages/count_tokens: passed through, free, with a limit of
 * its own.
 */
#include "handlers/handlers.h"

const struct dr_handler dr_handler_count_tokens = {
	.method = "POST",
	.path = "/v1/messages/count_tokens",
	.kind = DR_HANDLER_COUNT,
	.dialect = DR_DIALECT_ANTHROPIC,
	.upstream_path = "/v1/messages/count_tokens",
};
