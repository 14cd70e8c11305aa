/*
 * standin_request - from a request's body to a plan: what the API would do, then what
 * the directives say.
 *
 * Reading is a scan of the top level: a full parse of a body of 1 MB would cost more
 * than the whole gateway that is measured. With --strict it is parsed all the same.
 */
#include "standin.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

enum route
standin_route(const char *method, const char *path)
{
	static const struct {
		const char *method, *path;
		enum route route;
	} routes[] = {
		{ "POST", "/v1/messages", ROUTE_MESSAGES },
		{ "POST", "/v1/messages/count_tokens", ROUTE_COUNT_TOKENS },
		{ "POST", "/v1/chat/completions", ROUTE_CHAT },
		{ "POST", "/v1/responses", ROUTE_RESPONSES },
		{ "GET", "/v1/models", ROUTE_MODELS },
		{ "GET", "/standin", ROUTE_STATS },
	};
	size_t len = strcspn(path, "?");

	for (size_t i = 0; i < DR_N_ELEMENTS(routes); i++)
		if (strcmp(method, routes[i].method) == 0 &&
		    len == strlen(routes[i].path) &&
		    memcmp(path, routes[i].path, len) == 0)
			return routes[i].route;
	return ROUTE_UNKNOWN;
}

/* ---- the scan ---- */

/* `at` stands behind an opening quote; where is the closing one? */
static const char *
string_end(const char *at, const char *end)
{
	while (at < end) {
		const char *quote = memchr(at, '"', (size_t)(end - at)), *back;

		if (quote == NULL)
			return end;
		for (back = quote; back > at && back[-1] == '\\'; back--)
			;
		if ((quote - back) % 2 == 0)
			return quote;
		at = quote + 1;
	}
	return end;
}

/* `at` stands on a value: behind its last byte. */
static const char *
value_end(const char *at, const char *end)
{
	int depth = 0;

	for (; at < end; at++) {
		switch (*at) {
		case '"':
			at = string_end(at + 1, end);
			break;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (depth-- == 0)
				return at;
			break;
		case ',':
			if (depth == 0)
				return at;
			break;
		default:
			break;
		}
	}
	return end;
}

static bool
is_text(const char *at, size_t len, const char *text)
{
	return len == strlen(text) && memcmp(at, text, len) == 0;
}

static void
take_member(struct request *req, const char *name, size_t name_len, const char *value,
    size_t len)
{
	if (is_text(name, name_len, "model")) {
		if (len >= 2 && *value == '"' && len - 2 < sizeof req->model) {
			memcpy(req->model, value + 1, len - 2);
			req->model[len - 2] = '\0';
		}
	} else if (is_text(name, name_len, "stream")) {
		req->stream = len >= 4 && memcmp(value, "true", 4) == 0;
	} else if (is_text(name, name_len, "stream_options")) {
		const char *at = memmem(value, len, "\"include_usage\"", 15);

		if (at != NULL) {
			at += 15;
			while (at < value + len && strchr(" \t\r\n:", *at) != NULL)
				at++;
			req->include_usage =
			    value + len - at >= 4 && memcmp(at, "true", 4) == 0;
		}
	} else if (is_text(name, name_len, "max_tokens") ||
		   is_text(name, name_len, "max_completion_tokens") ||
		   is_text(name, name_len, "max_output_tokens")) {
		req->max_tokens = strtoll(value, NULL, 10);
	}
}

static const char *
skip_space(const char *at, const char *end)
{
	while (at < end && strchr(" \t\r\n", *at) != NULL && *at != '\0')
		at++;
	return at;
}

void
standin_body_facts(struct request *req, const char *body, size_t len)
{
	const char *end = body + len, *at = skip_space(body, end);

	if (at == end || *at != '{')
		return;
	for (at++;;) {
		const char *name, *name_end, *value;

		at = skip_space(at, end);
		if (at == end || *at != '"')
			return;
		name = at + 1;
		name_end = string_end(name, end);
		at = skip_space(name_end + (name_end < end), end);
		if (at == end || *at != ':')
			return;
		value = skip_space(at + 1, end);
		at = value_end(value, end);
		len = (size_t)(at - value);
		while (len > 0 && strchr(" \t\r\n", value[len - 1]) != NULL)
			len--;
		take_member(req, name, (size_t)(name_end - name), value, len);
		if (at == end || *at != ',')
			return;
		at++;
	}
}

/* ---- directives ---- */

#define MAX_DIRECTIVE 400 /* bytes between the brackets */

/* The next word, up to a blank; false: none, or too long for `out`. */
static bool
next_word(const char **at, const char *end, char *out, size_t size)
{
	size_t n = 0;

	while (*at < end && **at == ' ')
		(*at)++;
	while (*at + n < end && (*at)[n] != ' ')
		n++;
	if (n == 0 || n >= size)
		return false;
	memcpy(out, *at, n);
	out[n] = '\0';
	*at += n;
	return true;
}

static void
add_pair(struct directive *d, const char *key, size_t key_len, const char *value)
{
	if (d->pairs == DR_N_ELEMENTS(d->pair))
		return;
	snprintf(
	    d->pair[d->pairs].key, sizeof d->pair[0].key, "%.*s", (int)key_len, key);
	snprintf(d->pair[d->pairs].value, sizeof d->pair[0].value, "%s", value);
	d->pairs++;
}

bool
standin_directive(const char *text, size_t len, struct directive *out)
{
	const char *end = text + len;
	char word[112];

	*out = (struct directive){ .pairs = 0 };
	if (!next_word(&text, end, out->name, sizeof out->name))
		return false;
	for (bool first = true; next_word(&text, end, word, sizeof word);
	     first = false) {
		char *equals = strchr(word, '=');
		size_t n = equals != NULL ? (size_t)(equals - word) : strlen(word);

		/* "fault cut-after=3": the first word names the fault, its value is n.
		 */
		if (first && strcmp(out->name, "fault") == 0) {
			snprintf(out->word, sizeof out->word, "%.*s", (int)n, word);
			if (equals != NULL)
				add_pair(out, "n", 1, equals + 1);
		} else {
			add_pair(out, word, n, equals != NULL ? equals + 1 : "1");
		}
	}
	return true;
}

const char *
standin_value(const struct directive *d, const char *key)
{
	for (unsigned i = 0; i < d->pairs; i++)
		if (strcmp(d->pair[i].key, key) == 0)
			return d->pair[i].value;
	return NULL;
}

int64_t
standin_number(const struct directive *d, const char *key, int64_t absent)
{
	const char *value = standin_value(d, key);

	return value != NULL ? strtoll(value, NULL, 10) : absent;
}

static void
do_tokens(struct conn *conn, const struct directive *d)
{
	struct tokens *t = &conn->plan.tokens;

	t->in = standin_number(d, "in", t->in);
	t->out = standin_number(d, "out", t->out);
	t->cache_read = standin_number(d, "cache_read", t->cache_read);
	t->write = standin_number(d, "cache_write", t->write);
	t->write_5m = standin_number(d, "cache_write_5m", t->write_5m);
	t->write_1h = standin_number(d, "cache_write_1h", t->write_1h);
	t->reasoning = standin_number(d, "reasoning", t->reasoning);
	t->searches = standin_number(d, "searches", t->searches);
}

static void
do_stream(struct conn *conn, const struct directive *d)
{
	struct plan *plan = &conn->plan;
	const char *eol = standin_value(d, "eol"), *kind = standin_value(d, "kind");
	const char *stop = standin_value(d, "stop");

	plan->events = standin_number(d, "events", plan->events);
	plan->gap_ms = standin_number(d, "gap_ms", plan->gap_ms);
	plan->first_ms = standin_number(d, "first_ms", plan->first_ms);
	plan->event_bytes = standin_number(d, "bytes", plan->event_bytes);
	plan->stamp = standin_number(d, "stamp", 0) != 0;
	plan->utf8 = standin_number(d, "utf8", 0) != 0;
	plan->bom = standin_number(d, "bom", 0) != 0;
	plan->comments = standin_number(d, "comments", 0) != 0;
	plan->no_space = standin_number(d, "nospace", 0) != 0;
	if (eol != NULL)
		snprintf(plan->eol, sizeof plan->eol, "%s",
		    strcmp(eol, "crlf") == 0 ? "\r\n"
		    : strcmp(eol, "cr") == 0 ? "\r"
					     : "\n");
	if (kind != NULL)
		plan->kind = strcmp(kind, "tool") == 0       ? KIND_TOOL
			     : strcmp(kind, "thinking") == 0 ? KIND_THINKING
							     : KIND_TEXT;
	if (stop != NULL)
		snprintf(plan->stop, sizeof plan->stop, "%s", stop);
}

/* Counters of [[fail first=N id=X]]: the only memory that outlives a request. */
static bool
still_failing(const char *id, int64_t first)
{
	static struct {
		char id[64];
		int64_t seen;
	} ids[1024];
	size_t i;

	for (i = 0; i < DR_N_ELEMENTS(ids) && ids[i].id[0] != '\0'; i++)
		if (strcmp(ids[i].id, id) == 0)
			break;
	if (i == DR_N_ELEMENTS(ids))
		return false;
	snprintf(ids[i].id, sizeof ids[i].id, "%s", id);
	return ids[i].seen++ < first;
}

static const struct error_row unknown = { "unknown", 418, "invalid_request_error",
	"invalid_request_error", NULL, "stand-in: no such fault or directive" };

static void
do_fault(struct conn *conn, const struct directive *d)
{
	const char *at = standin_value(d, "at");

	if (at != NULL && strcmp(at, standin_options.name) != 0)
		return;
	if (!standin_fault(conn, d))
		standin_error_plan(conn, &unknown); /* a typo in a test must show */
}

static void
do_fail(struct conn *conn, const struct directive *d)
{
	const char *id = standin_value(d, "id"), *fault = standin_value(d, "fault");
	struct directive copy = *d;

	if (!still_failing(id != NULL ? id : "", standin_number(d, "first", 1)))
		return;
	snprintf(copy.word, sizeof copy.word, "%s", fault != NULL ? fault : "500");
	do_fault(conn, &copy);
}

static const struct {
	const char *name;
	void (*run)(struct conn *conn, const struct directive *d);
} directives[] = {
	{ "tokens", do_tokens },
	{ "stream", do_stream },
	{ "fault", do_fault },
	{ "fail", do_fail },
};

static void
run_directive(struct conn *conn, const char *text, size_t len)
{
	struct directive d;

	if (!standin_directive(text, len, &d))
		return;
	for (size_t i = 0; i < DR_N_ELEMENTS(directives); i++)
		if (strcmp(d.name, directives[i].name) == 0)
			directives[i].run(conn, &d);
	/* Other names are none of ours: prompts and schemas hold "[[" too. */
}

static void
run_directives(struct conn *conn, const char *body, size_t len)
{
	const char *at = body, *end = body + len, *stop;

	/* memchr, not memmem: ten times as fast over a prompt of a megabyte */
	while ((at = memchr(at, '[', (size_t)(end - at))) != NULL) {
		size_t left;

		if (++at == end || *at != '[')
			continue;
		left = (size_t)(end - ++at);
		if (left == 0 || *at < 'a' || *at > 'z')
			continue;
		stop = memmem(at, left < MAX_DIRECTIVE ? left : MAX_DIRECTIVE, "]]", 2);
		if (stop != NULL)
			run_directive(conn, at, (size_t)(stop - at));
	}
}

/* ---- the plan ---- */

static bool
credential_is_good(const char *auth)
{
	for (unsigned i = 0; i < standin_options.n_credentials; i++)
		if (strcmp(auth, standin_options.credentials[i]) == 0)
			return true;
	return standin_options.n_credentials == 0;
}

/* What the real API would refuse; NULL: nothing. */
static const char *
refusal(const struct conn *conn, const char *body, size_t len)
{
	const struct request *req = &conn->req;
	bool posted = req->route <= ROUTE_COUNT_TOKENS;
	struct json_object *json;
	char err[200];

	if (req->route == ROUTE_UNKNOWN)
		return "404";
	if (req->route != ROUTE_STATS && !credential_is_good(req->auth))
		return "401";
	if (posted && req->model[0] == '\0')
		return "no-model";
	if (!standin_options.strict || !posted)
		return NULL;
	if ((req->route == ROUTE_MESSAGES || req->route == ROUTE_COUNT_TOKENS) &&
	    req->version[0] == '\0')
		return "no-version";
	json = dr_json_parse(body, len, err, sizeof err);
	if (json == NULL)
		return "bad-json";
	json_object_put(json);
	return NULL;
}

static void
plan_init(struct plan *plan, const struct request *req)
{
	*plan = (struct plan){
		.status = 200,
		.type = "application/json",
		.framing = FRAME_LENGTH,
		.tokens = { .in = 25,
		    .out = 15,
		    .absent = req->route > ROUTE_RESPONSES },
		.events = 5,
		.eol = "\n",
		.stop = "end_turn",
		.error_type = "overloaded_error",
		.refuse = NO_WAY,
		.cut_events = NEVER,
		.cut_bytes = NEVER,
		.early_events = NEVER,
		.stall_events = NEVER,
		.malformed_event = NEVER,
		.error_event = NEVER,
		.huge_event = NEVER,
		.line_event = NEVER,
	};
	dr_strbuf_init(&plan->header, 1 << 20);
	if (req->stream && req->route <= ROUTE_RESPONSES) {
		plan->sse = true;
		plan->type = "text/event-stream; charset=utf-8";
		plan->framing = FRAME_CHUNKED;
	}
}

/* The option --fault. */
static void
do_usual_fault(struct conn *conn)
{
	struct directive d;
	char text[128];
	int n;

	if (standin_options.fault == NULL)
		return;
	n = snprintf(text, sizeof text, "fault %s", standin_options.fault);
	if (standin_directive(text, (size_t)n, &d))
		do_fault(conn, &d);
}

void
standin_plan(struct conn *conn, const char *body, size_t len)
{
	const char *why;

	plan_init(&conn->plan, &conn->req);
	why = refusal(conn, body, len);
	if (why != NULL) {
		standin_error_plan(conn, standin_error_row(why));
	} else if (conn->req.route == ROUTE_MODELS) {
		do_usual_fault(conn);
	} else if (conn->req.route <= ROUTE_COUNT_TOKENS) {
		do_usual_fault(conn);
		if (!standin_fault_of_model(conn))
			standin_error_plan(conn, &unknown);
		run_directives(conn, body, len);
	}
	if (conn->req.http10 && conn->plan.framing == FRAME_CHUNKED)
		conn->plan.framing = FRAME_CLOSE;
}

void
standin_plan_free(struct plan *plan)
{
	if (plan->header.max > 0)
		dr_strbuf_fini(&plan->header);
}
