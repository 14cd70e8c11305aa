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

/* Who must be known before a LOCAL handler is asked; the other kinds want a key. */
enum dr_handler_auth {
	DR_AUTH_NONE,
	DR_AUTH_KEY,
	DR_AUTH_SESSION, /* of the dashboard: cookie or Bearer token (session.h) */
	DR_AUTH_KEY_OR_SESSION /* a key in the form of one is taken as such */
};

struct dr_handler {
	const char *method;
	/*
	 * "/v1/models/" with the slash: one more segment must follow, which
	 * dr_request_rest() gives. In "/api/keys/[*]/rotate", written without the
	 * brackets, the star stands for one segment; the rest begins with it.
	 */
	const char *path;
	enum dr_handler_kind kind;

	/* GENERATE, COUNT */
	enum dr_dialect_id dialect;
	const char *upstream_path; /* "/v1/messages" */

	/*
	 * LOCAL. Called once who calls is known (`auth`; req->key.account says which
	 * account it is), or at once. Ends the request, now or from a later callback,
	 * by dr_reply_json() or dr_request_fail().
	 */
	enum dr_handler_auth auth;
	void (*answer)(struct dr_request *req);
};

#endif
