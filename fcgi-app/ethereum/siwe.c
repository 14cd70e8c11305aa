/*
 * siwe - writing the message and holding it against what was asked for; siwe_parse.c
 * reads it. See the header.
 */
#include "ethereum/siwe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

const char *
dr_siwe_text(enum dr_siwe_result result)
{
	static const char *const texts[DR_N_SIWE_RESULTS] = {
#define X(name, text) [DR_SIWE_##name] = text,
		DR_SIWE_RESULTS(X)
#undef X
	};

	DR_ASSERT(result < DR_N_SIWE_RESULTS);
	return texts[result];
}

enum dr_siwe_result
dr_siwe_compose(const struct dr_siwe_terms *terms, char out[DR_SIWE_MAX_TEXT])
{
	const char *statement = terms->statement != NULL ? terms->statement : "";
	char address[DR_ADDRESS_TEXT], issued[DR_CLOCK_TEXT], expires[DR_CLOCK_TEXT];
	enum dr_siwe_result said = DR_SIWE_TOO_LONG;
	struct dr_siwe parsed;
	int n;

	dr_address_print(terms->address, address);
	dr_clock_format(terms->issued_ms, issued);
	dr_clock_format(terms->expires_ms, expires);
	n = snprintf(out, DR_SIWE_MAX_TEXT,
	    "%s wants you to sign in with your Ethereum account:\n"
	    "%s\n"
	    "\n"
	    "%s%s"
	    "\n"
	    "URI: %s\n"
	    "Version: 1\n"
	    "Chain ID: %" PRId64 "\n"
	    "Nonce: %s\n"
	    "Issued At: %s\n"
	    "Expiration Time: %s",
	    terms->domain, address, statement, *statement != '\0' ? "\n" : "",
	    terms->uri, terms->chain_id, terms->nonce, issued, expires);
	/* No wallet may sign what would then be refused, nor a field that came in by
	 * way of another: the parser knows both. */
	if (n >= 0 && n <= DR_SIWE_MAX)
		said = dr_siwe_parse(out, (size_t)n, &parsed);
	if (said == DR_SIWE_OK && parsed.expires_ms <= parsed.issued_ms)
		said = DR_SIWE_EXPIRES_FIRST;
	if (said != DR_SIWE_OK)
		out[0] = '\0';
	return said;
}

static bool
part_is(const struct dr_siwe_part *part, const char *text)
{
	return strlen(text) == part->len && memcmp(part->at, text, part->len) == 0;
}

static bool
chain_is_listed(int64_t chain, const struct dr_siwe_expected *expected)
{
	for (size_t i = 0; i < expected->n_chains; i++)
		if (expected->chains[i] == chain)
			return true;
	return false;
}

static enum dr_siwe_result
check_times(const struct dr_siwe *siwe, const struct dr_siwe_expected *expected)
{
	if (siwe->issued_ms > expected->now_ms + expected->ahead_ms)
		return DR_SIWE_ISSUED_LATER;
	if (siwe->issued_ms < expected->now_ms - expected->max_age_ms)
		return DR_SIWE_ISSUED_LONG_AGO;
	if (siwe->expires_ms <= siwe->issued_ms)
		return DR_SIWE_EXPIRES_FIRST;
	return expected->now_ms >= siwe->expires_ms ? DR_SIWE_EXPIRED : DR_SIWE_OK;
}

enum dr_siwe_result
dr_siwe_check(const struct dr_siwe *siwe, const struct dr_siwe_expected *expected)
{
	if (!part_is(&siwe->domain, expected->domain))
		return DR_SIWE_OTHER_DOMAIN;
	if (expected->address != NULL &&
	    memcmp(siwe->signer, expected->address, DR_ADDRESS_BYTES) != 0)
		return DR_SIWE_OTHER_ADDRESS;
	if (!part_is(&siwe->uri, expected->uri))
		return DR_SIWE_OTHER_URI;
	if (!chain_is_listed(siwe->chain_id, expected))
		return DR_SIWE_OTHER_CHAIN;
	if (!part_is(&siwe->nonce, expected->nonce))
		return DR_SIWE_OTHER_NONCE;
	return check_times(siwe, expected);
}
