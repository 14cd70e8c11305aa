/*
 * session_gate - in front of the dashboard's handlers: who is logged in?
 *
 * A cookie goes along with whatever page makes the browser call, so a call that changes
 * something must also say that it comes from our own page. A Bearer token is given on
 * purpose and needs no such proof.
 */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "gateway/gateway.h"
#include "gateway/request.h"

void
dr_session_gate_note(struct dr_request *req)
{
	struct dr_session session;

	if (!dr_session_parse(dr_fcgi_param(req->edge, "HTTP_AUTHORIZATION"),
		dr_fcgi_param(req->edge, "HTTP_COOKIE"), &session))
		return;
	req->session_read = dr_calloc(1, sizeof *req->session_read);
	req->session_read->session = session;
	memcpy(req->key.account, session.token.account, sizeof session.token.account);
}

bool
dr_session_gate_same_origin(const struct dr_request *req)
{
	const char *origin = dr_fcgi_param(req->edge, "HTTP_ORIGIN");
	const char *site = dr_fcgi_param(req->edge, "HTTP_SEC_FETCH_SITE");
	const char *ours = req->config->settings->public_url;

	if (origin != NULL && origin[0] != '\0')
		return ours[0] != '\0' && strcmp(origin, ours) == 0;
	return site != NULL && strcmp(site, "same-origin") == 0;
}

static bool
needs_origin(const struct dr_request *req)
{
	return req->session_read->session.by_cookie && strcmp(req->method, "GET") != 0;
}

static void
on_checked(struct dr_session_read *read, enum dr_error err)
{
	struct dr_request *req = read->arg;

	DR_CHECK(req, DR_REQUEST_MAGIC);
	if (err == DR_ERR_API_TOO_OFTEN) {
		req->retry_after_ms = read->retry_after_ms;
		dr_request_fail(req, err, (long long)req->config->settings->api_rpm);
	} else if (err != DR_OK) {
		dr_request_fail(req, err);
	} else if (needs_origin(req) && !dr_session_gate_same_origin(req)) {
		dr_request_fail(req, DR_ERR_BAD_ORIGIN);
	} else {
		req->session = &read->session;
		req->handler->answer(req);
	}
}

enum dr_req_state
dr_session_gate(struct dr_request *req)
{
	const struct dr_settings *s = req->config->settings;

	if (req->session_read == NULL)
		return dr_fail(req, DR_ERR_BAD_SESSION);
	req->session_read->arg = req;
	dr_session_check(req->gw->store, req->session_read, s->api_rpm,
	    dr_settings_clock_offset(s), on_checked);
	return DR_REQ_WAIT;
}
