/*
 * handlers - see the header.
 */
#include "handlers/handlers.h"

#include <stddef.h>

const struct dr_handler *const dr_handlers[] = {
#define DR_HANDLER(method, path, name) &dr_handler_##name,
#include "handlers/handlers.def"
#undef DR_HANDLER
	NULL,
};
