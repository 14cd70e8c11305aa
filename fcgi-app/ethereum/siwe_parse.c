/*
 * siwe_parse - reading the message, strictly and in one way only: what two readers
 * could understand differently is refused. See siwe.h.
 */
#include <string.h>

#include "base/rfc3339.h"
#include "ethereum/siwe.h"

#define ASKS " wants you to sign in with your Ethereum account:"

/* ---- characters ---- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter_or_digit(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Of RFC 3986, section 2: what a URI is made of, but for the percent sign. */
static bool
is_of_uri(char c)
{
	return c != '\0' &&
	       (is_letter_or_digit(c) || strchr("-._~:/?#[]@!$&'()*+,;=", c) != NULL);
}

static enum dr_siwe_result
check_bytes(const char *message, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)message[i];

		if (c == '\0')
			return DR_SIWE_NUL;
		if (c == '\r')
			return DR_SIWE_CR;
		if (c != '\n' && (c < 0x20 || c > 0x7e))
			return DR_SIWE_BYTE;
	}
	return DR_SIWE_OK;
}

/* ---- lines ---- */

struct lines {
	const char *at, *end; /* at NULL: all lines were read */
};

static bool
next_line(struct lines *lines, struct dr_siwe_part *line)
{
	const char *lf;

	if (lines->at == NULL)
		return false;
	lf = memchr(lines->at, '\n', (size_t)(lines->end - lines->at));
	line->at = lines->at;
	line->len = (size_t)((lf != NULL ? lf : lines->end) - lines->at);
	lines->at = lf != NULL ? lf + 1 : NULL;
	return true;
}

static bool
blank_line(struct lines *lines)
{
	struct dr_siwe_part line;

	return next_line(lines, &line) && line.len == 0;
}

/* ---- hosts and URIs ---- */

enum host { HOST_FINE, HOST_WRONG, HOST_USER };

/* A name, an IPv4 address or an IPv6 one in brackets, and maybe a port. */
static enum host
check_host(const char *at, size_t len)
{
	const char *end = at + len, *from = at;
	bool brackets = len > 0 && *at == '[';

	if (memchr(at, '@', len) != NULL)
		return HOST_USER;
	for (at += brackets; at < end; at++)
		if (!is_letter_or_digit(*at) && *at != '.' &&
		    *at != (brackets ? ':' : '-'))
			break;
	if (at == from + brackets)
		return HOST_WRONG;
	if (brackets && (at == end || *at++ != ']'))
		return HOST_WRONG;
	if (at == end)
		return HOST_FINE;
	if (*at++ != ':' || at == end || end - at > 5)
		return HOST_WRONG;
	while (at < end && is_digit(*at))
		at++;
	return at == end ? HOST_FINE : HOST_WRONG;
}

static enum dr_siwe_result
read_uri(struct dr_siwe_part uri, struct dr_siwe *out)
{
	static const char *const schemes[] = { "https://", "http://" };
	const char *at = uri.at, *end = uri.at + uri.len, *host;
	enum host said;

	out->uri = uri;
	for (size_t i = 0; i < DR_N_ELEMENTS(schemes) && at == uri.at; i++)
		if (uri.len >= strlen(schemes[i]) &&
		    memcmp(uri.at, schemes[i], strlen(schemes[i])) == 0)
			at += strlen(schemes[i]);
	if (at == uri.at)
		return DR_SIWE_URI_FORM;
	for (host = at; at < end && *at != '/' && *at != '?' && *at != '#';)
		at++;
	said = check_host(host, (size_t)(at - host));
	if (said != HOST_FINE)
		return said == HOST_USER ? DR_SIWE_URI_USER : DR_SIWE_URI_FORM;
	while (at < end && (is_of_uri(*at) || *at == '%'))
		at++;
	return at == end ? DR_SIWE_OK : DR_SIWE_URI_FORM;
}

/* ---- the other fields ---- */

static enum dr_siwe_result
read_version(struct dr_siwe_part version, struct dr_siwe *out)
{
	(void)out;
	return version.len == 1 && *version.at == '1' ? DR_SIWE_OK : DR_SIWE_VERSION;
}

static enum dr_siwe_result
read_chain(struct dr_siwe_part chain, struct dr_siwe *out)
{
	int64_t id = 0;

	out->chain = chain;
	if (chain.len == 0 || chain.len > 18 || *chain.at == '0')
		return DR_SIWE_CHAIN_FORM;
	for (size_t i = 0; i < chain.len; i++) {
		if (!is_digit(chain.at[i]))
			return DR_SIWE_CHAIN_FORM;
		id = id * 10 + (chain.at[i] - '0');
	}
	out->chain_id = id;
	return DR_SIWE_OK;
}

static enum dr_siwe_result
read_nonce(struct dr_siwe_part nonce, struct dr_siwe *out)
{
	out->nonce = nonce;
	if (nonce.len < DR_SIWE_MIN_NONCE || nonce.len > DR_SIWE_MAX_NONCE)
		return DR_SIWE_NONCE_FORM;
	for (size_t i = 0; i < nonce.len; i++)
		if (!is_letter_or_digit(nonce.at[i]))
			return DR_SIWE_NONCE_FORM;
	return DR_SIWE_OK;
}

static enum dr_siwe_result
read_issued(struct dr_siwe_part issued, struct dr_siwe *out)
{
	out->issued = issued;
	return dr_rfc3339_parse(issued.at, issued.len, &out->issued_ms)
		   ? DR_SIWE_OK
		   : DR_SIWE_ISSUED_FORM;
}

static enum dr_siwe_result
read_expires(struct dr_siwe_part expires, struct dr_siwe *out)
{
	out->expires = expires;
	return dr_rfc3339_parse(expires.at, expires.len, &out->expires_ms)
		   ? DR_SIWE_OK
		   : DR_SIWE_EXPIRES_FORM;
}

/* In their order. The expiration is optional in EIP-4361, and nothing else is here. */
static const struct field {
	const char *name;
	enum dr_siwe_result missing;
	enum dr_siwe_result (*read)(struct dr_siwe_part value, struct dr_siwe *out);
} fields[] = {
	{ "URI: ", DR_SIWE_FIELD_MISSING, read_uri },
	{ "Version: ", DR_SIWE_FIELD_MISSING, read_version },
	{ "Chain ID: ", DR_SIWE_FIELD_MISSING, read_chain },
	{ "Nonce: ", DR_SIWE_FIELD_MISSING, read_nonce },
	{ "Issued At: ", DR_SIWE_FIELD_MISSING, read_issued },
	{ "Expiration Time: ", DR_SIWE_NO_EXPIRY, read_expires },
};
#define N_FIELDS DR_N_ELEMENTS(fields)

/* Which field's line it is; N_FIELDS: none. */
static size_t
field_of(const struct dr_siwe_part *line)
{
	size_t i = 0;

	while (i < N_FIELDS &&
	       (line->len < strlen(fields[i].name) ||
		   memcmp(line->at, fields[i].name, strlen(fields[i].name)) != 0))
		i++;
	return i;
}

/* Why does the line of field `got` stand where `wanted` should? */
static enum dr_siwe_result
misplaced(
    struct lines *lines, const struct dr_siwe_part *line, size_t wanted, size_t got)
{
	struct dr_siwe_part later;

	if (got < wanted)
		return DR_SIWE_FIELD_TWICE;
	if (got == N_FIELDS)
		return line->len == 0 ? fields[wanted].missing : DR_SIWE_FIELD_UNKNOWN;
	while (next_line(lines, &later))
		if (field_of(&later) == wanted)
			return DR_SIWE_FIELD_ORDER;
	return fields[wanted].missing;
}

static enum dr_siwe_result
read_fields(struct lines *lines, struct dr_siwe *out)
{
	struct dr_siwe_part line;

	for (size_t i = 0; i < N_FIELDS; i++) {
		size_t name_len = strlen(fields[i].name), got;
		struct dr_siwe_part value;
		enum dr_siwe_result said;

		if (!next_line(lines, &line))
			return fields[i].missing;
		got = field_of(&line);
		if (got != i)
			return misplaced(lines, &line, i, got);
		value.at = line.at + name_len;
		value.len = line.len - name_len;
		said = fields[i].read(value, out);
		if (said != DR_SIWE_OK)
			return said;
	}
	if (!next_line(lines, &line))
		return DR_SIWE_OK;
	if (line.len == 0)
		return DR_SIWE_TRAILING;
	return field_of(&line) < N_FIELDS ? DR_SIWE_FIELD_TWICE : DR_SIWE_FIELD_UNKNOWN;
}

/* ---- what comes before the fields ---- */

static enum dr_siwe_result
read_domain(struct lines *lines, struct dr_siwe *out)
{
	const size_t asks = strlen(ASKS);
	struct dr_siwe_part line;

	if (!next_line(lines, &line) || line.len < asks ||
	    memcmp(line.at + line.len - asks, ASKS, asks) != 0)
		return DR_SIWE_FIRST_LINE;
	out->domain.at = line.at;
	out->domain.len = line.len - asks;
	switch (check_host(out->domain.at, out->domain.len)) {
	case HOST_FINE:
		return DR_SIWE_OK;
	case HOST_USER:
		return DR_SIWE_DOMAIN_USER;
	default:
		return DR_SIWE_DOMAIN_FORM;
	}
}

static enum dr_siwe_result
read_address(struct lines *lines, struct dr_siwe *out)
{
	struct dr_siwe_part line;

	if (!next_line(lines, &line) ||
	    !dr_address_parse(line.at, line.len, out->signer))
		return DR_SIWE_ADDRESS_FORM;
	out->address = line;
	return dr_address_is_checksummed(line.at, line.len) ? DR_SIWE_OK
							    : DR_SIWE_ADDRESS_CASE;
}

/* A blank line, the statement if there is one, and a blank line. */
static enum dr_siwe_result
read_statement(struct lines *lines, struct dr_siwe *out)
{
	if (!blank_line(lines) || !next_line(lines, &out->statement))
		return DR_SIWE_BLANK_LINE;
	if (out->statement.len == 0)
		return DR_SIWE_OK;
	for (size_t i = 0; i < out->statement.len; i++)
		if (out->statement.at[i] != ' ' && !is_of_uri(out->statement.at[i]))
			return DR_SIWE_STATEMENT_FORM;
	return blank_line(lines) ? DR_SIWE_OK : DR_SIWE_BLANK_LINE;
}

enum dr_siwe_result
dr_siwe_parse(const char *message, size_t len, struct dr_siwe *out)
{
	static enum dr_siwe_result (*const readers[])(
	    struct lines *, struct dr_siwe *) = { read_domain, read_address,
		read_statement, read_fields };
	struct lines lines = { message, message + len };
	enum dr_siwe_result said = DR_SIWE_TOO_LONG;

	memset(out, 0, sizeof *out);
	if (len <= DR_SIWE_MAX)
		said = check_bytes(message, len);
	for (size_t i = 0; i < DR_N_ELEMENTS(readers) && said == DR_SIWE_OK; i++)
		said = readers[i](&lines, out);
	return said;
}
