/*
 * handler - what main() tells the gateway about the endpoints: one struct per endpoint,
 * listed in handlers/handlers.def. The gateway knows no endpoint by name.
 */
#ifndef DR_HANDLER_H
#define DR_HANDLER_H

#include <stdbool.h>

#include "dialects/dialect.h"

struct dr_request;

enum dr_handler_kind {
	DR_HANDLER_GENERATE, /* admitted in full, forwarded, charged */
	DR_HANDLER_COUNT,    /* forwarded, free, a limit of its own */
	DR_HANDLER_LOCAL     /* answered here by `answer` */
};

struct dr_handler {
	const char *method;
	const char *path; /* "/v1/models/" with the slash: also what follows it
			     (dr_request_rest()) */
	enum dr_handler_kind kind;

	/* GENERATE, COUNT */
	enum dr_dialect_id dialect;
	const char *upstream_path; /* "/v1/messages" */

	/*
	 * LOCAL. Called once the key is known to be good (needs_key), or at once. Ends
	 * the request, now or from a later callback, by dr_reply_json(),
	 * dr_reply_empty() or dr_request_fail().
	 */
	bool needs_key;
	void (*answer)(struct dr_request *req);
};

#endif
