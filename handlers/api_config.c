/*
 * api_config - GET /api/config: what the dashboard and other programs need to know
 * before anybody is logged in.
 */
#include "base/strbuf.h"
#include "gateway/request.h"
#include "handlers/api_json.h"
#include "handlers/handlers.h"
#include "handlers/wallet_text.h"

#define MAX_ANSWER (64 * 1024)

#ifdef DR_WITH_WALLET
#define HAS_LOGIN true
#else
#define HAS_LOGIN false
#endif

/* NULL where the setting is empty. */
static const char *
set(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

static void
add_chain(struct dr_strbuf *out, int64_t id, const char *name)
{
	dr_api_item(out);
	dr_strbuf_addc(out, '{');
	dr_api_add_whole(out, "chainId", id);
	dr_api_add_text(out, "name", name);
	dr_strbuf_addc(out, '}');
}

/* Where a wallet may be to log in, as in auth_challenge. */
static void
add_chains(struct dr_strbuf *out, const struct dr_chains *chains)
{
	bool any = false;

	dr_api_name(out, "chains");
	dr_strbuf_addc(out, '[');
	for (size_t i = 0; i < chains->n; i++) {
		if (!chains->all[i].enabled)
			continue;
		add_chain(out, chains->all[i].id, chains->all[i].name);
		any = true;
	}
	if (!any)
		add_chain(out, 1, "Ethereum");
	dr_strbuf_addc(out, ']');
}

static void
answer(struct dr_request *req)
{
	const struct dr_settings *s = req->config->settings;
	struct dr_api_query query;
	struct dr_strbuf out;

	if (!dr_api_query(req, NULL, &query))
		return;
	dr_strbuf_init(&out, MAX_ANSWER);
	dr_strbuf_addc(&out, '{');
	dr_api_add_text(&out, "object", "config");
	dr_api_add_bool(&out, "login", HAS_LOGIN && s->public_url[0] != '\0');
	dr_api_add_text(&out, "statement", WALLET_LOGIN_STATEMENT);
	dr_api_add_text(&out, "base_url", set(s->public_url));
	dr_api_add_text(&out, "support_url", set(s->support_url));
	add_chains(&out, req->config->chains);
	dr_api_add_text(&out, "key_prefix", s->key_prefix);
	dr_api_add_whole(&out, "default_rpm", s->default_rpm);
	dr_api_add_whole(&out, "default_concurrency", s->default_concurrency);
	dr_api_add_whole(&out, "max_rpm", s->max_rpm);
	dr_api_add_whole(&out, "max_concurrency", s->max_concurrency);
	dr_strbuf_addc(&out, '}');
	dr_api_reply(req, &out);
}

const struct dr_handler dr_handler_api_config = {
	.method = "GET",
	.path = "/api/config",
	.kind = DR_HANDLER_LOCAL,
	.answer = answer,
};
