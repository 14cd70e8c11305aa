/*
 * chains - see the header. Strict like models.json: unknown fields, fields that stand
 * twice, wrong types and ranges are told, all of them, and the file is refused.
 */
#include "config/chains.h"

#include <ctype.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/money.h"
#include "config/conf_file.h"
#include "config/json_lines.h"
#include "config/reader.h"

#define MAX_FILE_BYTES (1024 * 1024)
#define MAX_BLOCK      INT64_C(1000000000000)
#define MAX_URL        2048

static const char *const top_fields[] = { "chains", NULL };
static const char *const chain_fields[] = { "id", "name", "enabled", "rpc", "usdc",
	"treasury", "policy", "confirmations", "finalized_above", "start_block",
	"min_deposit", "explorer", NULL };

static void
read_address(struct dr_reader *r, struct json_object *object, const char *field,
    char out[DR_CHAIN_ADDRESS_TEXT])
{
	const char *text = dr_reader_text(r, object, field, true);

	out[0] = '\0';
	if (text == NULL)
		return;
	if (strlen(text) != DR_CHAIN_ADDRESS_TEXT - 1 || strncmp(text, "0x", 2) != 0 ||
	    strspn(text + 2, "0123456789abcdefABCDEF") != DR_CHAIN_ADDRESS_TEXT - 3) {
		dr_reader_mistake(r, field, "must be an address: 0x and 40 digits");
		return;
	}
	if (strspn(text + 2, "0") == DR_CHAIN_ADDRESS_TEXT - 3) {
		dr_reader_mistake(r, field, "must not be the zero address");
		return;
	}
	for (size_t i = 0; i < DR_CHAIN_ADDRESS_TEXT; i++)
		out[i] = (char)tolower((unsigned char)text[i]);
}

static bool
is_loopback(const char *host)
{
	size_t n = strcspn(host, ":/");

	if (strncmp(host, "[::1]", 5) == 0)
		return true;
	return (n == 9 && strncmp(host, "127.0.0.1", n) == 0) ||
	       (n == 9 && strncmp(host, "localhost", n) == 0);
}

/* What is wrong with it; NULL: nothing. */
static const char *
url_mistake(const char *url)
{
	if (strlen(url) > MAX_URL)
		return "must be shorter";
	for (const char *p = url; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return "must not hold blanks or control bytes";
	if (strncmp(url, "https://", 8) == 0 && url[8] != '\0')
		return NULL;
	if (strncmp(url, "http://", 7) == 0 && is_loopback(url + 7))
		return NULL;
	return "must begin with https:// (http:// to a loopback address only)";
}

static void
read_rpc(struct dr_reader *r, struct json_object *object, struct dr_chain *chain)
{
	struct json_object *list = dr_reader_array(r, object, "rpc", true);
	size_t n = list != NULL ? json_object_array_length(list) : 0;

	if (list != NULL && (n == 0 || n > DR_CHAIN_MAX_RPC))
		dr_reader_mistake(
		    r, "rpc", "must name 1 to %d nodes", DR_CHAIN_MAX_RPC);
	for (size_t i = 0; i < n && i < DR_CHAIN_MAX_RPC; i++) {
		struct json_object *element = json_object_array_get_idx(list, i);
		size_t mark = dr_reader_enter_element(r, "rpc", i);
		const char *text = json_object_is_type(element, json_type_string)
				       ? json_object_get_string(element)
				       : "";
		bool points =
		    strncmp(text, "env:", 4) == 0 || strncmp(text, "file:", 5) == 0;
		const char *wrong = points ? NULL : url_mistake(text);

		if (wrong != NULL)
			dr_reader_mistake(
			    r, NULL, "%s, or be \"env:NAME\" or \"file:PATH\"", wrong);
		chain->rpc[chain->n_rpc++] = dr_strdup(text);
		dr_reader_leave(r, mark);
	}
}

static void
read_policy(struct dr_reader *r, struct json_object *object, struct dr_chain *chain)
{
	const char *text = dr_reader_text(r, object, "policy", false);

	chain->policy = DR_CHAIN_BLOCKS;
	if (text != NULL && strcmp(text, "safe") == 0)
		chain->policy = DR_CHAIN_SAFE;
	else if (text != NULL && strcmp(text, "finalized") == 0)
		chain->policy = DR_CHAIN_FINALIZED;
	else if (text != NULL && strcmp(text, "confirmations") != 0)
		dr_reader_mistake(r, "policy",
		    "must be \"confirmations\", \"safe\" or \"finalized\"");
	if (chain->policy == DR_CHAIN_BLOCKS)
		(void)dr_reader_whole(
		    r, object, "confirmations", 1, 10000, &chain->confirmations);
	else if (json_object_object_get_ex(object, "confirmations", NULL))
		dr_reader_mistake(
		    r, "confirmations", "has no meaning with this policy");
}

static void
read_enabled(struct dr_reader *r, struct json_object *object, struct dr_chain *chain)
{
	struct json_object *value;

	chain->enabled = true;
	if (!json_object_object_get_ex(object, "enabled", &value))
		return;
	if (json_object_is_type(value, json_type_boolean))
		chain->enabled = json_object_get_boolean(value) != 0;
	else
		dr_reader_mistake(r, "enabled", "must be true or false");
}

static void
read_chain(struct dr_reader *r, struct json_object *object, struct dr_chain *chain)
{
	const char *text;

	chain->explorer = dr_strdup("");
	if (!json_object_is_type(object, json_type_object)) {
		dr_reader_mistake(r, NULL, "must be an object in { }");
		return;
	}
	dr_reader_only(r, object, chain_fields);
	(void)dr_reader_whole(r, object, "id", 1, MAX_BLOCK, &chain->id);
	text = dr_reader_text(r, object, "name", true);
	if (text != NULL && (text[0] == '\0' || strlen(text) > DR_CHAIN_MAX_NAME))
		dr_reader_mistake(
		    r, "name", "must have 1 to %d bytes", DR_CHAIN_MAX_NAME);
	snprintf(chain->name, sizeof chain->name, "%s", text != NULL ? text : "");
	read_enabled(r, object, chain);
	read_rpc(r, object, chain);
	read_address(r, object, "usdc", chain->usdc);
	if (chain->enabled) /* an example cannot know it */
		read_address(r, object, "treasury", chain->treasury);
	read_policy(r, object, chain);
	if (json_object_object_get_ex(object, "finalized_above", NULL))
		(void)dr_reader_decimal(r, object, "finalized_above", true, 1,
		    DR_MONEY_MAX, &chain->finalized_above);
	(void)dr_reader_whole(
	    r, object, "start_block", 0, MAX_BLOCK, &chain->start_block);
	(void)dr_reader_decimal(
	    r, object, "min_deposit", true, 0, DR_MONEY_MAX, &chain->min_deposit);
	text = dr_reader_text(r, object, "explorer", false);
	if (text != NULL && strncmp(text, "https://", 8) != 0)
		dr_reader_mistake(r, "explorer", "must begin with https://");
	if (text != NULL) {
		free(chain->explorer);
		chain->explorer = dr_strdup(text);
	}
}

static void
on_twice(void *arg, const char *path, unsigned line)
{
	(void)line;
	dr_reader_mistake(arg, path, "stands twice");
}

static void
read_all(struct dr_reader *r, struct dr_chains *chains, struct json_object *root)
{
	struct json_object *list;

	if (!json_object_is_type(root, json_type_object)) {
		dr_reader_mistake(r, NULL, "must be an object in { }");
		return;
	}
	dr_json_each_twice(r->text, on_twice, r);
	dr_reader_only(r, root, top_fields);
	list = dr_reader_array(r, root, "chains", true);
	if (list == NULL)
		return;
	chains->n = json_object_array_length(list);
	chains->all = dr_calloc(chains->n + 1, sizeof *chains->all);
	for (size_t i = 0; i < chains->n; i++) {
		size_t mark = dr_reader_enter_element(r, "chains", i);

		read_chain(r, json_object_array_get_idx(list, i), &chains->all[i]);
		for (size_t j = 0; j < i; j++)
			if (chains->all[j].id == chains->all[i].id)
				dr_reader_mistake(r, "id", "is chains[%zu]'s too", j);
		dr_reader_leave(r, mark);
	}
}

struct dr_chains *
dr_chains_load(const char *path, dr_report *report, void *report_arg)
{
	struct dr_chains *chains = dr_calloc(1, sizeof *chains);
	struct dr_reader r = {
		.file = path, .report = report, .report_arg = report_arg
	};
	struct json_object *root;
	char err[256], line[4096];
	size_t len;
	char *text;

	chains->magic = DR_CHAINS_MAGIC;
	if (path[0] == '\0')
		return chains;
	text = dr_conf_slurp(path, MAX_FILE_BYTES, &len, err, sizeof err);
	root = text != NULL ? dr_json_parse(text, len, err, sizeof err) : NULL;
	if (root == NULL) {
		snprintf(line, sizeof line, "%.3500s: %s", path, err);
		report(report_arg, line);
		r.failed = true;
	} else {
		dr_strbuf_init(&r.at, 4096);
		r.text = text;
		read_all(&r, chains, root);
		dr_strbuf_fini(&r.at);
	}
	json_object_put(root);
	free(text);
	if (r.failed)
		dr_chains_free(&chains);
	return chains;
}

void
dr_chains_free(struct dr_chains **chains)
{
	struct dr_chains *c = *chains;

	if (c == NULL)
		return;
	DR_CHECK(c, DR_CHAINS_MAGIC);
	*chains = NULL;
	for (size_t i = 0; i < c->n; i++) {
		free(c->all[i].explorer);
		for (size_t j = 0; j < c->all[i].n_rpc; j++)
			free(c->all[i].rpc[j]);
	}
	free(c->all);
	DR_FREE(c);
}

const struct dr_chain *
dr_chains_find(const struct dr_chains *chains, int64_t id)
{
	DR_CHECK(chains, DR_CHAINS_MAGIC);
	for (size_t i = 0; i < chains->n; i++)
		if (chains->all[i].enabled && chains->all[i].id == id)
			return &chains->all[i];
	return NULL;
}

char *
dr_chain_url(const struct dr_chain *chain, size_t i, char *err, size_t err_size)
{
	const char *from = chain->rpc[i], *wrong;
	size_t len;
	char *url;

	DR_ASSERT(i < chain->n_rpc);
	if (strncmp(from, "file:", 5) == 0) {
		char why[200];

		url = dr_conf_slurp(from + 5, MAX_URL + 2, &len, why, sizeof why);
		if (url == NULL) {
			snprintf(err, err_size, "%s %s", from + 5, why);
			return NULL;
		}
		url[strcspn(url, "\r\n")] = '\0';
	} else if (strncmp(from, "env:", 4) == 0) {
		const char *value = getenv(from + 4);

		if (value == NULL) {
			snprintf(
			    err, err_size, "%s is not in the environment", from + 4);
			return NULL;
		}
		url = dr_strdup(value);
	} else {
		url = dr_strdup(from);
	}
	wrong = url_mistake(url);
	if (wrong == NULL)
		return url;
	snprintf(err, err_size, "rpc[%zu] %s", i, wrong);
	free(url);
	return NULL;
}
