/*
 * handlers - the table of endpoints that main() hands to the gateway.
 */
#ifndef DR_HANDLERS_H
#define DR_HANDLERS_H

#include "gateway/handler.h"

#define DR_HANDLER(method, path, name) extern const struct dr_handler dr_handler_##name;
#include "handlers/handlers.def"
#undef DR_HANDLER

extern const struct dr_handler *const dr_handlers[]; /* NULL-terminated */

#endif
