/*
 * fcgi_request - one request as it comes in: params, body, and the moment it is handed
 * over.
 *
 * What it is for: params become a table of C strings in the one buffer they arrived in,
 * the body one buffer of the announced size, and whatever is wrong with them a fault
 * for the gateway to answer. What it is not: output and the connection's end are
 * fcgi_conn's. It relies on the reader to call it slice by slice, in the order of the
 * wire.
 */
#include "io/fcgi_conn.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/fcgi_internal.h"

struct dr_fcgi_request *
dr_fcgi_request_new(struct dr_fcgi_conn *conn, uint16_t id, bool keep)
{
	struct dr_fcgi_request *req = dr_calloc(1, sizeof *req);

	req->magic = DR_FCGI_REQUEST_MAGIC;
	req->conn = conn;
	req->id = id;
	req->keep = keep;
	dr_strbuf_init(&req->params, DR_MAX_PARAMS_BYTES);
	dr_strbuf_init(&req->body, 0);
	return req;
}

void
dr_fcgi_request_free(struct dr_fcgi_request **req)
{
	if (*req == NULL)
		return;
	DR_CHECK(*req, DR_FCGI_REQUEST_MAGIC);
	dr_fcgi_drop_params(*req);
	dr_fcgi_drop_body(*req);
	DR_FREE(*req);
}

/* Nothing follows it here: on_request may have ended the request. */
static void
hand_over(struct dr_fcgi_request *req, enum dr_fcgi_fault fault)
{
	const struct dr_fcgi_options *options = &req->conn->server->options;

	DR_ASSERT(req->phase < DR_FCGI_RUNS);
	if (fault == DR_FCGI_BODY_TOO_LARGE)
		dr_strbuf_fini(&req->body);
	req->fault = fault;
	req->phase = DR_FCGI_RUNS;
	options->on_request(options->arg, req);
}

/* ---- params ---- */

static unsigned
count_pairs(const struct dr_strbuf *block)
{
	const char *name, *value;
	size_t pos = 0, name_len, value_len;
	unsigned n = 0;

	while (dr_fcgi_pair(block->data, block->len, &pos, &name, &name_len, &value,
		   &value_len) == 1)
		n++;
	return n;
}

/*
 * Turn "lengths name value" into "name NUL value NUL" where it stands: a pair has at
 * least two bytes of lengths, so what is written never overtakes what is still to be
 * read. Pairs with a NUL inside are left out: as C strings they would say something
 * else. False where a length points outside the block; the pairs before it are kept.
 */
static bool
index_params(struct dr_fcgi_request *req)
{
	char *block = req->params.data, *to = block;
	const char *name, *value;
	size_t pos = 0, name_len, value_len;
	int rc;

	req->table = dr_calloc(count_pairs(&req->params) + 1, sizeof *req->table);
	while ((rc = dr_fcgi_pair(block, req->params.len, &pos, &name, &name_len,
		    &value, &value_len)) == 1) {
		struct dr_fcgi_param *param = &req->table[req->n_params];

		if (memchr(name, '\0', name_len + value_len) != NULL)
			continue;
		memmove(to, name, name_len);
		to[name_len] = '\0';
		param->name = (uint32_t)(to - block);
		param->name_len = (uint32_t)name_len;
		to += name_len + 1;
		memmove(to, value, value_len);
		to[value_len] = '\0';
		param->value = (uint32_t)(to - block);
		to += value_len + 1;
		req->n_params++;
	}
	return rc == 0;
}

/* CONTENT_LENGTH; false where it is absent, empty or no number. */
static bool
announced_length(const struct dr_fcgi_request *req, size_t *length)
{
	const char *text = dr_fcgi_param(req, "CONTENT_LENGTH");

	*length = 0;
	if (text == NULL || *text == '\0' || text[strspn(text, "0123456789")] != '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*length > SIZE_MAX / 10 - 1)
			*length =
			    SIZE_MAX / 10; /* above every ceiling: as good as exact */
		else
			*length = *length * 10 + (size_t)(*text - '0');
	}
	return true;
}

/*
 * All params are in. The body's buffer is taken at once in its final size, so it is
 * neither moved while it grows nor larger than it has to be; pages of it that a slow
 * peer has not filled yet cost nothing.
 */
static void
end_params(struct dr_fcgi_request *req)
{
	size_t max_body = req->conn->server->options.max_body, length;

	if (!index_params(req)) {
		hand_over(req, DR_FCGI_BAD_PARAMS);
		return;
	}
	req->length_known = announced_length(req, &length);
	if (req->length_known && length > max_body) {
		hand_over(req, DR_FCGI_BODY_TOO_LARGE);
		return;
	}
	dr_strbuf_init(&req->body, req->length_known ? length : max_body);
	if (length > 0)
		dr_strbuf_reserve(&req->body, length);
	req->phase = DR_FCGI_READS_BODY;
}

bool
dr_fcgi_request_params(struct dr_fcgi_request *req, const struct dr_fcgi_record *record,
    const char *bytes, size_t len)
{
	struct dr_strbuf *params = &req->params;

	if (req->phase == DR_FCGI_RUNS)
		return true; /* the rest of a block that was refused */
	if (req->phase != DR_FCGI_READS_PARAMS)
		return record->content_length == 0;
	if (record->content_length == 0) {
		end_params(req);
		return true;
	}
	if (len > params->max - params->len) {
		/* The pairs that fit whole: enough to know whom to answer, and how. */
		dr_strbuf_add(params, bytes, params->max - params->len);
		(void)!index_params(req);
		hand_over(req, DR_FCGI_PARAMS_TOO_LARGE);
		return true;
	}
	if (params->size == 0)
		dr_strbuf_reserve(params, record->content_length);
	dr_strbuf_add(params, bytes, len);
	return true;
}

/* ---- the body ---- */

static void
end_body(struct dr_fcgi_request *req)
{
	bool is_short = req->length_known && req->body.len < req->body.max;

	hand_over(req, is_short ? DR_FCGI_BODY_SHORT : DR_FCGI_FINE);
}

bool
dr_fcgi_request_stdin(struct dr_fcgi_request *req, const struct dr_fcgi_record *record,
    const char *bytes, size_t len)
{
	size_t room = req->body.max - req->body.len;

	if (req->phase == DR_FCGI_READS_PARAMS)
		return false;
	if (record->content_length == 0)
		req->stdin_ended = true;
	if (req->phase != DR_FCGI_READS_BODY)
		return true; /* of a body that was refused */
	if (record->content_length == 0) {
		end_body(req);
		return true;
	}
	if (len > room && !req->length_known) {
		hand_over(req, DR_FCGI_BODY_TOO_LARGE);
		return true;
	}
	/* CGI: what comes beyond CONTENT_LENGTH is not part of the body. */
	dr_strbuf_add(&req->body, bytes, len < room ? len : room);
	return true;
}

/* ---- what the gateway asks ---- */

void
dr_fcgi_set_arg(struct dr_fcgi_request *req, void *request_arg)
{
	DR_CHECK(req, DR_FCGI_REQUEST_MAGIC);
	req->arg = request_arg;
}

enum dr_fcgi_fault
dr_fcgi_fault(const struct dr_fcgi_request *req)
{
	DR_CHECK(req, DR_FCGI_REQUEST_MAGIC);
	return req->fault;
}

/* Of two with the same name the first counts, as with libfcgi's FCGX_GetParam(). */
const char *
dr_fcgi_param(const struct dr_fcgi_request *req, const char *name)
{
	size_t len = strlen(name);

	DR_CHECK(req, DR_FCGI_REQUEST_MAGIC);
	for (unsigned i = 0; i < req->n_params; i++) {
		const struct dr_fcgi_param *param = &req->table[i];

		if (param->name_len == len &&
		    memcmp(req->params.data + param->name, name, len) == 0)
			return req->params.data + param->value;
	}
	return NULL;
}

bool
dr_fcgi_param_at(
    const struct dr_fcgi_request *req, size_t i, const char **name, const char **value)
{
	DR_CHECK(req, DR_FCGI_REQUEST_MAGIC);
	if (i >= req->n_params)
		return false;
	*name = req->params.data + req->table[i].name;
	*value = req->params.data + req->table[i].value;
	return true;
}

const char *
dr_fcgi_body(const struct dr_fcgi_request *req, size_t *len)
{
	DR_CHECK(req, DR_FCGI_REQUEST_MAGIC);
	*len = req->body.len;
	return req->body.data;
}

void
dr_fcgi_drop_body(struct dr_fcgi_request *req)
{
	DR_CHECK(req, DR_FCGI_REQUEST_MAGIC);
	dr_strbuf_fini(&req->body);
}

void
dr_fcgi_drop_params(struct dr_fcgi_request *req)
{
	DR_CHECK(req, DR_FCGI_REQUEST_MAGIC);
	dr_strbuf_fini(&req->params);
	free(req->table);
	req->table = NULL;
	req->n_params = 0;
}
