/*
 * endpoint - see the header.
 */
#include "gateway/endpoint.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/money.h"
#include "dialects/json_scan.h"
#include "gateway/affinity.h"
#include "gateway/bound.h"
#include "gateway/gateway.h"

/* ---- the path ---- */

/* The path as the client wrote it, without the query. */
static void
read_path(struct dr_request *req)
{
	const char *uri = dr_fcgi_param(req->edge, "REQUEST_URI");
	size_t len;

	if (uri == NULL || uri[0] != '/')
		uri = dr_fcgi_param(req->edge, "SCRIPT_NAME");
	if (uri == NULL)
		uri = "";
	len = strcspn(uri, "?");
	req->path_cut = len >= sizeof req->path;
	if (req->path_cut)
		len = sizeof req->path - 1;
	memcpy(req->path, uri, len);
	req->path[len] = '\0';
}

const char *
dr_request_rest(const struct dr_request *req)
{
	return req->path + strcspn(req->handler->path, "*");
}

const char *
dr_request_query(
    const struct dr_request *req, const char *name, char *out, size_t out_size)
{
	const char *q = dr_fcgi_param(req->edge, "QUERY_STRING");
	size_t n = strlen(name);

	while (q != NULL && *q != '\0') {
		size_t len = strcspn(q, "&");

		if (len > n && q[n] == '=' && memcmp(q, name, n) == 0) {
			snprintf(out, out_size, "%.*s", (int)(len - n - 1), q + n + 1);
			return out;
		}
		q += len;
		if (*q == '&')
			q++;
	}
	return NULL;
}

static bool
path_matches(const struct dr_handler *handler, const char *path)
{
	const char *pattern = handler->path;
	size_t n = 0, segment;

	while (pattern[n] == path[n] && pattern[n] != '\0' && pattern[n] != '*')
		n++;
	if (pattern[n] == '\0') /* after a slash more must follow */
		return (path[n] == '\0') != (pattern[n - 1] == '/');
	if (pattern[n] != '*')
		return false;
	segment = strcspn(path + n, "/");
	return segment > 0 && strcmp(path + n + segment, pattern + n + 1) == 0;
}

/* The handler of path and method; where only the method differs, that one and
 * *wrong_method. */
static const struct dr_handler *
find_handler(const struct dr_request *req, bool *wrong_method)
{
	const struct dr_handler *other = NULL;

	*wrong_method = false;
	for (size_t i = 0; req->gw->handlers[i] != NULL && !req->path_cut; i++) {
		const struct dr_handler *handler = req->gw->handlers[i];

		if (!path_matches(handler, req->path))
			continue;
		if (strcmp(handler->method, req->method) == 0)
			return handler;
		if (other == NULL)
			other = handler;
	}
	*wrong_method = other != NULL;
	return other;
}

void
dr_endpoint_methods(const struct dr_request *req, struct dr_strbuf *out)
{
	const char *comma = "";

	for (size_t i = 0; req->gw->handlers[i] != NULL; i++) {
		if (!path_matches(req->gw->handlers[i], req->path))
			continue;
		dr_strbuf_adds(out, comma);
		dr_strbuf_adds(out, req->gw->handlers[i]->method);
		comma = ", ";
	}
}

static bool
path_is_below(const char *path, const char *base)
{
	size_t n = strlen(base);

	return strncmp(path, base, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* Errors speak the dialect of the route that was called, unknown ones included. */
static enum dr_dialect_id
error_shape(const struct dr_request *req)
{
	if (path_is_below(req->path, "/v1/messages"))
		return DR_DIALECT_ANTHROPIC;
	if (path_is_below(req->path, "/v1/chat"))
		return DR_DIALECT_CHAT;
	if (path_is_below(req->path, "/v1/responses"))
		return DR_DIALECT_RESPONSES;
	if (path_is_below(req->path, "/provider") || path_is_below(req->path, "/api"))
		return DR_DIALECT_CHAT;
	return dr_fcgi_param(req->edge, "HTTP_ANTHROPIC_VERSION") != NULL
		   ? DR_DIALECT_ANTHROPIC
		   : DR_DIALECT_CHAT;
}

/* ---- the key ---- */

static const char *
presented_key(const struct dr_request *req)
{
	const char *auth = dr_fcgi_param(req->edge, "HTTP_AUTHORIZATION");
	const char *key = dr_fcgi_param(req->edge, "HTTP_X_API_KEY");

	if (key != NULL && key[0] != '\0')
		return key;
	if (auth == NULL || strncasecmp(auth, "Bearer ", 7) != 0)
		return NULL;
	auth += 7;
	auth += strspn(auth, " ");
	return auth[0] != '\0' ? auth : NULL;
}

/* A missing or malformed key is noted, not returned: the endpoint may need none. */
static void
read_key(struct dr_request *req)
{
	const char *text = presented_key(req);

	req->key_presented = text != NULL;
	req->has_key =
	    text != NULL &&
	    dr_api_key_parse(req->config->settings->key_prefix, text, &req->key);
	if (!req->has_key)
		dr_session_gate_note(req);
	dr_request_id_new(
	    req->has_key || req->session_read != NULL ? req->key.account : NULL,
	    req->id);
}

bool
dr_endpoint_wants_key(const struct dr_request *req)
{
	enum dr_handler_auth auth = req->handler->auth;

	return req->handler->kind != DR_HANDLER_LOCAL || auth == DR_AUTH_KEY ||
	       (auth == DR_AUTH_KEY_OR_SESSION && req->session_read == NULL);
}

static enum dr_error
note(struct dr_request *req, enum dr_error err)
{
	DR_ASSERT(req->err == err);
	return err;
}

static enum dr_error
refuse_method(struct dr_request *req)
{
	const char *upgrade = dr_fcgi_param(req->edge, "HTTP_UPGRADE");

	if (upgrade != NULL && strcasecmp(upgrade, "websocket") == 0 &&
	    strcmp(req->path, "/v1/responses") == 0)
		(void)dr_fail(req, DR_ERR_UPGRADE);
	else
		(void)dr_fail(req, DR_ERR_BAD_METHOD, req->method, req->path);
	return note(req, req->err);
}

static enum dr_error
check_edge(struct dr_request *req)
{
	switch (dr_fcgi_fault(req->edge)) {
	case DR_FCGI_PARAMS_TOO_LARGE:
		(void)dr_fail(
		    req, DR_ERR_HEADERS_TOO_LARGE, (long long)DR_MAX_PARAMS_BYTES);
		return note(req, DR_ERR_HEADERS_TOO_LARGE);
	case DR_FCGI_BAD_PARAMS:
		(void)dr_fail(
		    req, DR_ERR_BAD_HEADER, "The web server sent damaged parameters");
		return note(req, DR_ERR_BAD_HEADER);
	case DR_FCGI_FINE:
	case DR_FCGI_BODY_TOO_LARGE: /* said after the key was checked */
	case DR_FCGI_BODY_SHORT:
		break;
	}
	return DR_OK;
}

enum dr_error
dr_endpoint_find(struct dr_request *req)
{
	const char *method = dr_fcgi_param(req->edge, "REQUEST_METHOD");
	bool wrong_method;

	snprintf(req->method, sizeof req->method, "%s", method != NULL ? method : "");
	read_path(req);
	req->shape = error_shape(req);
	read_key(req);
	req->handler = find_handler(req, &wrong_method);
	if (strcmp(req->method, "OPTIONS") == 0 && strncmp(req->path, "/v1/", 4) == 0)
		req->preflight = true;
	if (req->preflight)
		return DR_OK;
	if (req->handler == NULL) {
		(void)dr_fail(req, DR_ERR_NOT_FOUND, req->method, req->path);
		return note(req, DR_ERR_NOT_FOUND);
	}
	if (wrong_method)
		return refuse_method(req);
	if (dr_endpoint_wants_key(req)) {
		if (!req->key_presented)
			(void)dr_fail(req, DR_ERR_NO_KEY);
		else if (!req->has_key)
			(void)dr_fail(req, DR_ERR_BAD_KEY);
		if (req->err != DR_OK)
			return note(req, req->err);
	}
	return check_edge(req);
}

/* ---- the body ---- */

/* The text of a value in the body; "" where it is no short string. */
static void
text_of(const char *body, const struct dr_span *span, char *out, size_t out_size)
{
	const struct dr_json_member member = { .value = body + span->at,
		.value_len = span->len,
		.type = span->len > 0 && body[span->at] == '"' ? DR_JSON_STRING
							       : DR_JSON_OBJECT };

	if (!dr_json_text(&member, out, out_size))
		out[0] = '\0';
}

/* The first field that this price row does not offer, its text in value; NULL: all are
 * offered, and *ppm is what they multiply the price by. */
static const char *
read_variants(const struct dr_request *req, const char *body,
    const struct dr_price *price, int64_t *ppm, char value[64])
{
	const struct {
		const char *field;
		const struct dr_span *span;
	} fields[] = { { "service_tier", &req->facts.service_tier },
		{ "speed", &req->facts.speed },
		{ "inference_geo", &req->facts.inference_geo } };
	int64_t one;

	*ppm = DR_PPM;
	for (size_t i = 0; i < DR_N_ELEMENTS(fields); i++) {
		if (fields[i].span->len == 0)
			continue;
		text_of(body, fields[i].span, value, 64);
		if (!dr_price_variant(price, fields[i].field, value, &one))
			return fields[i].field;
		*ppm = dr_ppm_times(*ppm, one);
	}
	return NULL;
}

static bool
offers(void *arg, const char *tool)
{
	return dr_price_offers(arg, tool);
}

/* What this price row does not offer of what the request asks for. */
static bool
is_unpriced(const struct dr_request *req, const char *body,
    const struct dr_price *price, int64_t *ppm, struct dr_extra *out)
{
	const char *field = read_variants(req, body, price, ppm, out->value);

	if (field == NULL)
		return dr_body_extra(req->handler->dialect, body, &req->facts, offers,
		    (void *)(uintptr_t)price, out);
	snprintf(out->field, sizeof out->field, "%s", field);
	return true;
}

bool
dr_endpoint_is_priced(
    const struct dr_request *req, const struct dr_price *price, int64_t *ppm)
{
	struct dr_extra unpriced;
	size_t len;

	return !is_unpriced(req, dr_fcgi_body(req->edge, &len), price, ppm, &unpriced);
}

/* What a request says about how it is to be served may cost more; what has no price is
 * refused. */
static void
price_request(struct dr_request *req, const char *body)
{
	struct dr_extra what;

	if (!is_unpriced(req, body, req->price, &req->price_ppm, &what))
		return;
	req->facts.err = DR_ERR_BAD_FIELD;
	snprintf(req->facts.problem, sizeof req->facts.problem,
	    what.value[0] != '\0' ? "%s: \"%s\" is not offered for this model"
				  : "%s%s is not offered for this model",
	    what.field, what.value);
}

/* ---- its conversation ---- */

/* What clients say their session is, in the order of how much they mean it. */
static const char *
session_of(const struct dr_request *req)
{
	static const char *const names[] = { "HTTP_X_SESSION_AFFINITY",
		"HTTP_X_CLAUDE_CODE_SESSION_ID", "HTTP_SESSION_ID", "HTTP_THREAD_ID" };
	const char *value;

	for (size_t i = 0; i < DR_N_ELEMENTS(names); i++)
		if ((value = dr_fcgi_param(req->edge, names[i])) != NULL &&
		    value[0] != '\0')
			return value;
	return NULL;
}

void
dr_endpoint_read_body(struct dr_request *req, const char *body, size_t len)
{
	dr_body_read(req->handler->dialect, body, len, &req->facts);
	if (req->facts.err != DR_OK)
		return;
	req->model = dr_models_find(req->config->models, req->facts.model);
	if (req->model == NULL)
		return;
	req->price = dr_model_price(req->model, req->received_wall_ms);
	if (req->price == NULL) /* its first price is still to come */
		req->model = NULL;
	else if (req->handler->kind == DR_HANDLER_GENERATE)
		price_request(req, body);
	req->asked = req->model;
	req->affinity =
	    dr_affinity_of(req->key.account, session_of(req), body, &req->facts);
	dr_bound_read(req, body);
}

/* Is `name` in the comma-separated list? An empty list holds everything. */
static bool
listed(const char *list, const char *name)
{
	size_t n = strlen(name);

	if (list == NULL || list[0] == '\0')
		return true;
	for (const char *p = list; *p != '\0';) {
		size_t len = strcspn(p, ",");

		if (len == n && memcmp(p, name, n) == 0)
			return true;
		p += len;
		if (*p == ',')
			p++;
	}
	return false;
}

bool
dr_endpoint_allows(const struct dr_request *req, const char *model)
{
	return listed(req->ticket.admitted.allowed_models, model);
}

/* The models that this key can call on this route, "a, b, c". */
static void
add_available(struct dr_request *req, struct dr_strbuf *out)
{
	const struct dr_models *models = req->config->models;

	for (size_t i = 0; i < dr_models_count(models); i++) {
		const struct dr_model *model = dr_models_at(models, i);

		if (!model->enabled || !dr_endpoint_allows(req, model->name) ||
		    !dr_providers_offer(
			req->gw->providers, model->name, req->handler->dialect))
			continue;
		if (out->len > 0)
			dr_strbuf_adds(out, ", ");
		dr_strbuf_adds(out, model->name);
	}
	if (out->len == 0)
		dr_strbuf_adds(out, "none");
}

static enum dr_req_state
fail_model(struct dr_request *req)
{
	struct dr_strbuf names;
	enum dr_req_state next;

	dr_strbuf_init(&names, 32 * 1024);
	add_available(req, &names);
	next = dr_fail(req, DR_ERR_MODEL_UNAVAILABLE, req->facts.model, names.data);
	dr_strbuf_fini(&names);
	return next;
}

static bool
is_encoded(const struct dr_request *req)
{
	const char *coding = dr_fcgi_param(req->edge, "HTTP_CONTENT_ENCODING");

	return coding != NULL && coding[0] != '\0' &&
	       strcasecmp(coding, "identity") != 0;
}

bool
dr_endpoint_is_servable(const struct dr_request *req)
{
	return dr_fcgi_fault(req->edge) == DR_FCGI_FINE && !is_encoded(req) &&
	       req->facts.err == DR_OK && req->model != NULL &&
	       (!dr_providers_ready(
		    req->gw->providers) || /* then it cannot be told: 503 later */
		   dr_providers_offer(
		       req->gw->providers, req->model->name, req->handler->dialect));
}

enum dr_req_state
dr_endpoint_check_body(struct dr_request *req)
{
	if (dr_fcgi_fault(req->edge) == DR_FCGI_BODY_TOO_LARGE)
		return dr_fail(req, DR_ERR_BODY_TOO_LARGE,
		    (long long)req->config->settings->max_body);
	if (dr_fcgi_fault(req->edge) == DR_FCGI_BODY_SHORT)
		return dr_fail(req, DR_ERR_BAD_JSON,
		    "Request body is shorter than Content-Length");
	if (is_encoded(req))
		return dr_fail(
		    req, DR_ERR_BAD_HEADER, "Content-Encoding is not supported");
	if (req->facts.err == DR_ERR_NO_MODEL)
		return dr_fail(req, DR_ERR_NO_MODEL);
	if (req->facts.err != DR_OK)
		return dr_fail(req, req->facts.err, req->facts.problem);
	/* checked for its key alone: nothing is booked, whatever has come since */
	return req->admit_mode != DR_ADMIT_KEY && dr_endpoint_is_servable(req)
		   ? DR_REQ_ROUTE
		   : fail_model(req);
}

/* ---- refusals ---- */

enum dr_req_state
dr_endpoint_refuse(struct dr_request *req, enum dr_error err)
{
	const struct dr_admitted *a = &req->ticket.admitted;
	char usd[DR_MONEY_TEXT];

	switch (err) {
	case DR_ERR_BUDGET:
		dr_money_format(a->budget_nano, usd);
		return dr_fail(req, err, usd);
	case DR_ERR_RPM:
		req->retry_after_ms = a->retry_after_ms;
		return dr_fail(req, err, (long long)a->limit);
	case DR_ERR_CONCURRENCY:
		return dr_fail(req, err, (long long)a->limit);
	case DR_ERR_HELD:
		return dr_fail(req, err, (long long)a->running);
	case DR_ERR_MODEL_UNAVAILABLE:
		return fail_model(req);
	default:
		return dr_fail(req, err);
	}
}
