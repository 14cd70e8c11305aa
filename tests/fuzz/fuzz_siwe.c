/*
 * fuzz_siwe - any bytes as a login message: nothing is read outside of them, the parts
 * of an accepted one lie in it, in order, and are its whole content: composed anew from
 * its parts it is the same message, but for the form of its times.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rfc3339.h"
#include "ethereum/personal_sign.h"
#include "ethereum/siwe.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The part with a NUL behind; the caller frees it. */
static char *
copy_of(const struct dr_siwe_part *part)
{
	char *copy = dr_malloc(part->len + 1);

	memcpy(copy, part->at, part->len);
	copy[part->len] = '\0';
	return copy;
}

static void
check_parts(const char *message, size_t size, const struct dr_siwe *siwe)
{
	const struct dr_siwe_part *parts[] = { &siwe->domain, &siwe->address,
		&siwe->statement, &siwe->uri, &siwe->chain, &siwe->nonce, &siwe->issued,
		&siwe->expires };
	const char *at = message;

	for (size_t i = 0; i < DR_N_ELEMENTS(parts); i++) {
		DR_ASSERT(parts[i]->at >= at);
		at = parts[i]->at + parts[i]->len;
		for (size_t j = 0; j < parts[i]->len; j++)
			DR_ASSERT(parts[i]->at[j] >= 0x20 && parts[i]->at[j] <= 0x7e);
	}
	DR_ASSERT(at == message + size);
	DR_ASSERT(siwe->chain_id > 0);
	DR_ASSERT(dr_address_is_checksummed(siwe->address.at, siwe->address.len));
}

static void
compose_again(const char *message, size_t size, const struct dr_siwe *siwe)
{
	char *domain = copy_of(&siwe->domain), *statement = copy_of(&siwe->statement);
	char *uri = copy_of(&siwe->uri), *nonce = copy_of(&siwe->nonce);
	struct dr_siwe_terms terms = { .domain = domain,
		.statement = statement,
		.uri = uri,
		.nonce = nonce,
		.chain_id = siwe->chain_id,
		.issued_ms = siwe->issued_ms,
		.expires_ms = siwe->expires_ms };
	struct dr_siwe_expected expected = { .domain = domain,
		.uri = uri,
		.address = siwe->signer,
		.chains = &siwe->chain_id,
		.n_chains = 1,
		.nonce = nonce,
		.now_ms = siwe->issued_ms };
	char text[DR_SIWE_MAX_TEXT];
	enum dr_siwe_result said;

	memcpy(terms.address, siwe->signer, sizeof terms.address);
	said = dr_siwe_compose(&terms, text);
	DR_ASSERT(
	    said == DR_SIWE_OK || said == DR_SIWE_EXPIRES_FIRST ||
	    said == DR_SIWE_TOO_LONG); /* milliseconds may be more than was there */
	if (said == DR_SIWE_OK)
		DR_ASSERT(
		    memcmp(text, message, (size_t)(siwe->issued.at - message)) == 0);
	said = dr_siwe_check(siwe, &expected);
	DR_ASSERT(said == DR_SIWE_OK || said == DR_SIWE_EXPIRES_FIRST);
	if (siwe->issued.len == 24 && siwe->expires.len == 24 && said == DR_SIWE_OK)
		DR_ASSERT(dr_siwe_compose(&terms, text) == DR_SIWE_OK &&
			  strlen(text) == size && memcmp(text, message, size) == 0);
	free(domain);
	free(statement);
	free(uri);
	free(nonce);
}

/* The same bytes as a signature and as a moment: no more than that nothing breaks. */
static void
read_otherwise(const char *bytes, size_t size)
{
	uint8_t signer[DR_ADDRESS_BYTES];
	char *text = dr_malloc(size + 1);
	int64_t ms;

	memcpy(text, bytes, size);
	text[size] = '\0';
	(void)!dr_personal_sign_recover(text, size, text, signer);
	if (dr_rfc3339_parse(bytes, size, &ms))
		DR_ASSERT(ms > -86400000 && ms < INT64_C(253402387200000));
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *message = (const char *)bytes;
	struct dr_siwe siwe;
	enum dr_siwe_result said = dr_siwe_parse(message, size, &siwe);

	DR_ASSERT(dr_siwe_text(said)[0] != '\0');
	if (said == DR_SIWE_OK) {
		check_parts(message, size, &siwe);
		compose_again(message, size, &siwe);
	}
	read_otherwise(message, size);
	return 0;
}
