/*
 * models - GET /v1/models and /v1/models/{id}: the models that are online right now and
 * that the key may call. One superset object serves both SDKs; `limit`, `after_id` and
 * `before_id` page as Anthropic's list does.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "gateway/endpoint.h"
#include "gateway/gateway.h"
#include "gateway/request.h"
#include "handlers/handlers.h"

#define MAX_LIST   (1024 * 1024)
#define MAX_LIMIT  1000
#define LIMIT_TEXT 16

static bool
is_online(const struct dr_request *req, const struct dr_model *model)
{
	return model->enabled && dr_endpoint_allows(req, model->name) &&
	       dr_providers_online(
		   req->gw->providers, model->name, dr_clock_ms(), dr_clock_wall_ms());
}

static void
add_model(struct dr_strbuf *out, const struct dr_model *model)
{
	char when[DR_CLOCK_TEXT];

	dr_clock_format_s(model->created * 1000, when);
	dr_strbuf_adds(out, "{\"id\":");
	dr_json_add_string(out, model->name);
	dr_strbuf_adds(
	    out, ",\"object\":\"model\",\"type\":\"model\",\"display_name\":");
	dr_json_add_string(out, model->display_name);
	dr_strbuf_addf(out, ",\"created\":%lld,\"created_at\":\"%s\",\"owned_by\":",
	    (long long)model->created, when);
	dr_json_add_string(out, model->owned_by);
	dr_strbuf_addc(out, '}');
}

/* ---- the list ---- */

struct page {
	const struct dr_model **models; /* owned array, borrowed models */
	bool backwards;                 /* before_id: "more" is what stands before */
	size_t n, first, end;           /* shown: [first, end) of n */
};

static size_t
index_of(const struct page *page, const char *id, size_t otherwise)
{
	for (size_t i = 0; i < page->n; i++)
		if (strcmp(page->models[i]->name, id) == 0)
			return i;
	return otherwise;
}

static size_t
read_limit(const struct dr_request *req, size_t otherwise)
{
	char text[LIMIT_TEXT];
	long n;

	if (dr_request_query(req, "limit", text, sizeof text) == NULL)
		return otherwise;
	n = strtol(text, NULL, 10);
	return n < 1 ? 1 : n > MAX_LIMIT ? MAX_LIMIT : (size_t)n;
}

/* The part of the list that after_id, before_id and limit ask for. */
static void
cut_page(const struct dr_request *req, struct page *page)
{
	char id[DR_MAX_MODEL_NAME + 1];
	size_t limit = read_limit(req, page->n);

	page->end = page->n;
	if (dr_request_query(req, "after_id", id, sizeof id) != NULL)
		page->first = index_of(page, id, page->n - 1) + 1;
	if (dr_request_query(req, "before_id", id, sizeof id) != NULL) {
		page->backwards = true;
		page->end = index_of(page, id, page->n);
		page->first = page->end > limit ? page->end - limit : 0;
	}
	if (page->first > page->end)
		page->first = page->end;
	if (page->end - page->first > limit)
		page->end = page->first + limit;
}

static void
add_page(struct dr_strbuf *out, const struct page *page)
{
	bool any = page->end > page->first;

	dr_strbuf_adds(out, "{\"object\":\"list\",\"data\":[");
	for (size_t i = page->first; i < page->end; i++) {
		if (i > page->first)
			dr_strbuf_addc(out, ',');
		add_model(out, page->models[i]);
	}
	dr_strbuf_addf(out, "],\"has_more\":%s,\"first_id\":",
	    (page->backwards ? page->first > 0 : page->end < page->n) ? "true"
								      : "false");
	dr_json_add_string(out, any ? page->models[page->first]->name : NULL);
	dr_strbuf_adds(out, ",\"last_id\":");
	dr_json_add_string(out, any ? page->models[page->end - 1]->name : NULL);
	dr_strbuf_addc(out, '}');
}

static void
answer_list(struct dr_request *req)
{
	const struct dr_models *models = req->config->models;
	struct page page = { 0 };
	struct dr_strbuf out;

	page.models = dr_calloc(dr_models_count(models) + 1, sizeof(struct dr_model *));
	for (size_t i = 0; i < dr_models_count(models); i++)
		if (is_online(req, dr_models_at(models, i)))
			page.models[page.n++] = dr_models_at(models, i);
	if (page.n > 0)
		cut_page(req, &page);
	dr_strbuf_init(&out, MAX_LIST);
	add_page(&out, &page);
	free(page.models);
	dr_reply_json(req, 200, &out);
	dr_strbuf_fini(&out);
}

/* ---- one model ---- */

static void
answer_one(struct dr_request *req)
{
	const char *name = dr_request_rest(req);
	const struct dr_model *model = dr_models_find(req->config->models, name);
	struct dr_strbuf out;

	if (model == NULL || !is_online(req, model)) {
		dr_request_fail(req, DR_ERR_MODEL_NOT_FOUND, name);
		return;
	}
	dr_strbuf_init(&out, MAX_LIST);
	add_model(&out, model);
	dr_reply_json(req, 200, &out);
	dr_strbuf_fini(&out);
}

const struct dr_handler dr_handler_models = {
	.method = "GET",
	.path = "/v1/models",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_KEY,
	.answer = answer_list,
};

const struct dr_handler dr_handler_model = {
	.method = "GET",
	.path = "/v1/models/",
	.kind = DR_HANDLER_LOCAL,
	.auth = DR_AUTH_KEY,
	.answer = answer_one,
};
