/*
 * error_body - errors in the API's own shape: writing ours, reading the provider's.
 *
 * The shapes are in the dialects' files; here is what they share, above all the
 * judgement whose fault a provider's error is. What is done about it (another provider,
 * a cool-down) is decided by the gateway.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "dialects/parts.h"

/* The one place that knows all dialects. */
const struct dr_dialect_parts *
dr_dialect_parts(enum dr_dialect_id dialect)
{
	static const struct dr_dialect_parts *const parts[DR_N_DIALECTS] = {
		[DR_DIALECT_ANTHROPIC] = &dr_anthropic_parts,
		[DR_DIALECT_CHAT] = &dr_openai_chat_parts,
		[DR_DIALECT_RESPONSES] = &dr_openai_responses_parts,
	};

	DR_ASSERT((unsigned)dialect < DR_N_DIALECTS);
	return parts[dialect];
}

/* ---- ours ---- */

void
dr_error_body(enum dr_dialect_id dialect, enum dr_error err, const char *message,
    const char *request_id, struct dr_strbuf *out)
{
	dr_dialect_parts(dialect)->add_error(
	    dr_error_info(err), message, request_id, out);
}

void
dr_error_event(enum dr_dialect_id dialect, enum dr_error err, const char *message,
    const char *request_id, int64_t sequence, struct dr_strbuf *out)
{
	dr_dialect_parts(dialect)->add_error_event(
	    dr_error_info(err), message, request_id, sequence, out);
}

/* ---- the provider's ---- */

/* What a type or code says by itself, whatever the status. */
static const struct {
	const char *word;
	enum dr_fault fault;
} words[] = {
	/* the provider's account: money, limits that waiting does not lift, credential
	 */
	{ "insufficient_quota", DR_FAULT_ACCOUNT },
	{ "credit_balance_exhausted", DR_FAULT_ACCOUNT },
	{ "organization_spend_limit_exceeded", DR_FAULT_ACCOUNT },
	{ "project_spend_limit_exceeded", DR_FAULT_ACCOUNT },
	{ "billing_hard_limit_reached", DR_FAULT_ACCOUNT },
	{ "billing_not_active", DR_FAULT_ACCOUNT },
	{ "account_deactivated", DR_FAULT_ACCOUNT },
	{ "billing_error", DR_FAULT_ACCOUNT },
	{ "authentication_error", DR_FAULT_ACCOUNT },
	{ "permission_error", DR_FAULT_ACCOUNT },
	{ "invalid_api_key", DR_FAULT_ACCOUNT },
	/* it may be asked again later */
	{ "overloaded_error", DR_FAULT_OVERLOADED },
	{ "rate_limit_error", DR_FAULT_OVERLOADED },
	{ "rate_limit_exceeded", DR_FAULT_OVERLOADED },
	{ "slow_down", DR_FAULT_OVERLOADED },
	{ "server_is_overloaded", DR_FAULT_OVERLOADED },
	{ "service_unavailable_error", DR_FAULT_OVERLOADED },
	/* "requests" and "tokens" are the types of a 429 */
	{ "requests", DR_FAULT_OVERLOADED },
	{ "tokens", DR_FAULT_OVERLOADED },
	/* the request's own */
	{ "invalid_request_error", DR_FAULT_CALLER },
	{ "not_found_error", DR_FAULT_CALLER },
	{ "request_too_large", DR_FAULT_CALLER },
	{ "context_length_exceeded", DR_FAULT_CALLER },
	{ "invalid_prompt", DR_FAULT_CALLER },
};

/* NONE: the word says nothing by itself. */
static enum dr_fault
fault_of_word(const char *word)
{
	for (size_t i = 0; i < DR_N_ELEMENTS(words); i++) {
		if (strcmp(words[i].word, word) == 0)
			return words[i].fault;
	}
	return DR_FAULT_NONE;
}

/* The code is the finer of the two; an account's trouble goes before everything. */
static enum dr_fault
fault_of_error(const struct dr_provider_error *error)
{
	enum dr_fault by_code = fault_of_word(error->code);
	enum dr_fault by_type = fault_of_word(error->type);

	if (by_type == DR_FAULT_ACCOUNT || by_code == DR_FAULT_NONE)
		by_code = by_type;
	if (strstr(error->message, "credit balance is too low") != NULL)
		return DR_FAULT_ACCOUNT;
	return by_code;
}

/* What HTTP says where the words do not help (architecture.md section 5). */
static enum dr_fault
fault_of_status(int status)
{
	switch (status) {
	case 401:
	case 402:
	case 403:
		return DR_FAULT_ACCOUNT;
	case 429:
	case 503:
	case 529:
		return DR_FAULT_OVERLOADED;
	case 408:
		return DR_FAULT_SERVER;
	default:
		return status >= 400 && status < 500 ? DR_FAULT_CALLER
						     : DR_FAULT_SERVER;
	}
}

/*
 * A word may make an error the provider's trouble; none makes a 5xx the caller's, since
 * providers put invalid_request_error on errors of their own.
 */
void
dr_error_judge(int status, bool in_shape, struct dr_provider_error *out)
{
	enum dr_fault told = in_shape ? fault_of_error(out) : DR_FAULT_NONE;
	enum dr_fault fault = fault_of_status(status);

	if (status < 300) { /* an error inside of a 200: only its words can tell */
		out->fault = told != DR_FAULT_NONE ? told
			     : in_shape            ? DR_FAULT_SERVER
						   : DR_FAULT_NONE;
		return;
	}
	if (fault == DR_FAULT_CALLER && !in_shape)
		fault = DR_FAULT_NONE;
	/* words may only make it the provider's trouble, never the caller's */
	if (told == DR_FAULT_ACCOUNT ||
	    (told == DR_FAULT_OVERLOADED && fault != DR_FAULT_ACCOUNT))
		fault = told;
	out->fault = fault;
}

struct error_reading {
	struct dr_provider_error *out;
	struct dr_json_member error; /* the error object */
	bool typed;                  /* "type":"error" stands beside it */
	bool message;                /* it has a message */
};

/* A short word of the error; a number is kept as its digits. */
static void
keep_word(const struct dr_json_member *member, char *out, size_t out_size)
{
	if (member->type == DR_JSON_STRING)
		dr_json_text_cut(
		    member->value + 1, member->value_len - 2, out, out_size);
	else if (member->type == DR_JSON_NUMBER)
		dr_json_text_cut(member->value, member->value_len, out, out_size);
}

/* An error that is no object is not in the shape, whatever else it is. */
static bool
on_outer(void *arg, const struct dr_json_member *member)
{
	struct error_reading *reading = arg;
	char type[8];

	if (dr_json_key_is(member, "error") && member->type == DR_JSON_OBJECT)
		reading->error = *member;
	else if (dr_json_key_is(member, "type"))
		reading->typed = dr_json_text(member, type, sizeof type) &&
				 strcmp(type, "error") == 0;
	return true;
}

/* The message is what makes it an error object; type and code may be absent or null. */
static bool
on_inner(void *arg, const struct dr_json_member *member)
{
	struct error_reading *reading = arg;
	struct dr_provider_error *out = reading->out;

	if (dr_json_key_is(member, "type")) {
		keep_word(member, out->type, sizeof out->type);
	} else if (dr_json_key_is(member, "code")) {
		keep_word(member, out->code, sizeof out->code);
	} else if (dr_json_key_is(member, "message") &&
		   member->type == DR_JSON_STRING) {
		keep_word(member, out->message, sizeof out->message);
		reading->message = true;
	}
	return true;
}

/*
 * Two scans, one per level: so the check is as strict as the scan of a request's body,
 * and what is passed on to the client byte for byte is JSON.
 */
bool
dr_read_provider_error(enum dr_dialect_id dialect, int status, const char *body,
    size_t len, struct dr_provider_error *out)
{
	const struct dr_dialect_parts *parts = dr_dialect_parts(dialect);
	struct error_reading reading = { .out = out };
	bool in_shape;
	char err[64];

	memset(out, 0, sizeof *out);
	in_shape = dr_json_scan(body, len, on_outer, &reading, err, sizeof err) &&
		   reading.error.value != NULL &&
		   dr_json_scan(reading.error.value, reading.error.value_len, on_inner,
		       &reading, err, sizeof err) &&
		   reading.message;
	if (parts->typed_error)
		in_shape = in_shape && reading.typed && out->type[0] != '\0';
	dr_error_judge(status, in_shape, out);
	return in_shape;
}
