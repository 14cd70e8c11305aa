/*
 * Logins as three wallets' libraries make them, and bent ones:
 * fixtures/siwe_vectors.json, which tests/e2e/siwe-vectors.mjs writes. Every case says
 * what it wants to hear.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/dr_assert.h"
#include "ethereum/personal_sign.h"
#include "ethereum/siwe.h"
#include "fixture.h"

#define MAX_CHAINS 8

struct one_case {
	const char *kind, *says,
	    *signature; /* borrowed from the file, as all texts are */
	const char *message;
	size_t len;
	int64_t chains[MAX_CHAINS];
	uint8_t address[DR_ADDRESS_BYTES];
	struct dr_siwe_expected expected;
};

static struct json_object *all;

static const char *
text_of(struct json_object *row, const char *name)
{
	struct json_object *value = json_object_object_get(row, name);

	assert_true(json_object_is_type(value, json_type_string));
	return json_object_get_string(value);
}

static void
read_case(size_t i, struct one_case *c)
{
	struct json_object *row = json_object_array_get_idx(all, i);
	struct json_object *chains = json_object_object_get(row, "chains");

	c->kind = text_of(row, "kind");
	c->says = text_of(row, "says");
	c->signature = text_of(row, "signature");
	c->message = text_of(row, "message");
	c->len =
	    (size_t)json_object_get_string_len(json_object_object_get(row, "message"));
	assert_true(
	    dr_address_parse(text_of(row, "address"), DR_ADDRESS_CHARS, c->address));
	c->expected = (struct dr_siwe_expected){
		.domain = text_of(row, "domain"),
		.uri = text_of(row, "uri"),
		.address = c->address,
		.chains = c->chains,
		.n_chains = json_object_array_length(chains),
		.nonce = text_of(row, "nonce"),
		.now_ms = json_object_get_int64(json_object_object_get(row, "now_ms")),
		.max_age_ms = 300000,
		.ahead_ms = 5000,
	};
	assert_in_range(c->expected.n_chains, 1, MAX_CHAINS);
	for (size_t j = 0; j < c->expected.n_chains; j++)
		c->chains[j] =
		    json_object_get_int64(json_object_array_get_idx(chains, j));
}

static const char *const siwe_names[] = {
#define X(name, text) "siwe " #name,
	DR_SIWE_RESULTS(X)
#undef X
};

static const char *const signature_names[] = {
#define X(name, text) "signature " #name,
	DR_SIGNATURE_RESULTS(X)
#undef X
};

/* The three steps of a login, as the file names what they say. */
static const char *
log_in(const struct one_case *c, const char *message, size_t len, const char *signature)
{
	enum dr_siwe_result said;
	enum dr_signature signed_by;
	struct dr_siwe siwe;

	said = dr_siwe_parse(message, len, &siwe);
	if (said == DR_SIWE_OK)
		said = dr_siwe_check(&siwe, &c->expected);
	if (said != DR_SIWE_OK)
		return siwe_names[said];
	signed_by = dr_personal_sign_check(message, len, signature, siwe.signer);
	return signed_by == DR_SIGNATURE_OK ? "OK" : signature_names[signed_by];
}

static bool
is_good(const struct one_case *c)
{
	return strcmp(c->says, "OK") == 0;
}

/* ---- the cases ---- */

static void
every_case_hears_what_it_wants(void **state)
{
	(void)state;
	for (size_t i = 0; i < json_object_array_length(all); i++) {
		struct one_case c;
		const char *said;

		read_case(i, &c);
		said = log_in(&c, c.message, c.len, c.signature);
		if (strcmp(said, c.says) != 0)
			fail_msg("case %zu, %s: %s, not %s", i, c.kind, said, c.says);
	}
}

/* What composes the messages of the gateway writes what the libraries do. */
static void
good_messages_are_composed_alike(void **state)
{
	(void)state;
	for (size_t i = 0; i < json_object_array_length(all); i++) {
		struct dr_siwe_terms terms = { 0 };
		char statement[256], text[DR_SIWE_MAX_TEXT];
		struct dr_siwe siwe;
		struct one_case c;

		read_case(i, &c);
		if (!is_good(&c))
			continue;
		assert_int_equal(dr_siwe_parse(c.message, c.len, &siwe), DR_SIWE_OK);
		snprintf(statement, sizeof statement, "%.*s", (int)siwe.statement.len,
		    siwe.statement.at);
		terms.domain = c.expected.domain;
		memcpy(terms.address, siwe.signer, sizeof terms.address);
		terms.statement = statement;
		terms.uri = c.expected.uri;
		terms.chain_id = siwe.chain_id;
		terms.nonce = c.expected.nonce;
		terms.issued_ms = siwe.issued_ms;
		terms.expires_ms = siwe.expires_ms;
		assert_int_equal(dr_siwe_compose(&terms, text), DR_SIWE_OK);
		assert_string_equal(text, c.message);
	}
}

/* ---- is the file whole? ---- */

static size_t
count(bool (*wanted)(const struct one_case *, const char *), const char *word)
{
	size_t n = 0;

	for (size_t i = 0; i < json_object_array_length(all); i++) {
		struct one_case c;

		read_case(i, &c);
		n += wanted(&c, word);
	}
	return n;
}

static bool
good_of_kind(const struct one_case *c, const char *kind)
{
	return is_good(c) && strcmp(c->kind, kind) == 0;
}

static bool
good_with_v(const struct one_case *c, const char *v)
{
	return is_good(c) && strcmp(c->signature + DR_SIGNATURE_CHARS - 2, v) == 0;
}

static bool
bad_of_kind(const struct one_case *c, const char *kind)
{
	return !is_good(c) && strcmp(c->kind, kind) == 0;
}

static bool
says(const struct one_case *c, const char *what)
{
	return strcmp(c->says, what) == 0;
}

static void
there_are_enough_good_ones_of_every_library_and_v(void **state)
{
	static const char *const libraries[] = { "viem", "siwe+ethers", "ethers" };
	static const char *const vs[] = { "1b", "1c", "00", "01" };

	(void)state;
	assert_in_range(count(says, "OK"), 250, SIZE_MAX);
	for (size_t i = 0; i < DR_N_ELEMENTS(libraries); i++)
		assert_in_range(count(good_of_kind, libraries[i]), 80, SIZE_MAX);
	for (size_t i = 0; i < DR_N_ELEMENTS(vs); i++)
		assert_in_range(count(good_with_v, vs[i]), 20, SIZE_MAX);
}

static void
every_bad_kind_and_every_refusal_is_there(void **state)
{
	static const char *const kinds[] = { "high s", "64 bytes", "66 bytes", "no 0x",
		"other signer", "trailing LF", "CRLF", "NUL at the end",
		"NUL in the nonce", "bad EIP-55", "address in lower case",
		"wrong domain", "domain@evil", "uri prefix", "uri userinfo",
		"chain not listed", "expired", "no expiry", "future issued-at",
		"old issued-at", "issued on 30 February", "expires on 30 February",
		"duplicate URI", "duplicate Version", "duplicate Chain ID",
		"duplicate Nonce", "duplicate Issued At", "duplicate Expiration Time",
		"swapped URI and Version", "swapped Version and Chain ID",
		"swapped Chain ID and Nonce", "swapped Nonce and Issued At",
		"swapped Issued At and Expiration Time" };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(kinds); i++)
		if (count(bad_of_kind, kinds[i]) == 0)
			fail_msg("no case of %s", kinds[i]);
	for (size_t i = DR_SIWE_OK + 1; i < DR_N_SIWE_RESULTS; i++)
		if (count(says, siwe_names[i]) == 0)
			fail_msg("no case says %s", siwe_names[i]);
	for (size_t i = DR_SIGNATURE_OK + 1; i < DR_N_SIGNATURE_RESULTS; i++)
		if (count(says, signature_names[i]) == 0)
			fail_msg("no case says %s", signature_names[i]);
}

/* ---- cuts and flips of good ones, with the signature they have ---- */

static void
refuse(const struct one_case *c, const char *message, size_t len, const char *signature)
{
	const char *said = log_in(c, message, len, signature);

	if (strcmp(said, "OK") == 0)
		fail_msg("taken: %.*s\n%s", (int)len, message, signature);
}

static void
no_cut_of_a_good_one_is_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < json_object_array_length(all); i++) {
		struct one_case c;

		read_case(i, &c);
		for (size_t n = 0; is_good(&c) && n < c.len; n++) {
			char *cut = malloc(n + 1); /* ASan sees a byte too far */

			assert_non_null(cut);
			memcpy(cut, c.message, n);
			refuse(&c, cut, n, c.signature);
			free(cut);
		}
	}
}

/* Each byte with one bit flipped, which one depends on place and case; and each byte as
 * every other byte in the first message of each library. */
static void
no_flip_in_a_good_one_is_taken(void **state)
{
	const char *library = "";

	(void)state;
	for (size_t i = 0; i < json_object_array_length(all); i++) {
		struct one_case c;
		char text[DR_SIWE_MAX];
		bool first;

		read_case(i, &c);
		if (!is_good(&c))
			continue;
		first = strcmp(library, c.kind) != 0;
		library = c.kind;
		memcpy(text, c.message, c.len);
		for (size_t at = 0; at < c.len; at++) {
			for (unsigned mask = 1; first && mask < 256; mask++) {
				text[at] = (char)(c.message[at] ^ mask);
				refuse(&c, text, c.len, c.signature);
			}
			text[at] = (char)(c.message[at] ^ (1 << (at + i) % 8));
			refuse(&c, text, c.len, c.signature);
			text[at] = c.message[at];
		}
	}
}

/* Were the parser blind, the signature alone would still hold. */
static void
no_flip_has_the_signature_of_the_whole(void **state)
{
	char text[DR_SIWE_MAX], digits[DR_SIGNATURE_CHARS + 1];
	struct one_case c;

	(void)state;
	read_case(0, &c);
	memcpy(text, c.message, c.len);
	for (size_t at = 0; at < c.len; at++) {
		assert_int_not_equal(
		    dr_personal_sign_check(text, at, c.signature, c.address),
		    DR_SIGNATURE_OK);
		text[at] ^= 1;
		assert_int_not_equal(
		    dr_personal_sign_check(text, c.len, c.signature, c.address),
		    DR_SIGNATURE_OK);
		text[at] ^= 1;
	}
	memcpy(digits, c.signature, sizeof digits);
	for (size_t at = 0; at < DR_SIGNATURE_CHARS - 2; at++) /* v has two forms */
		for (unsigned mask = 1; mask < 128; mask <<= 1) {
			digits[at] = (char)(c.signature[at] ^ mask);
			if (((digits[at] ^ c.signature[at]) & ~0x20) == 0)
				continue; /* the same digit in the other case */
			refuse(&c, c.message, c.len, digits);
			digits[at] = c.signature[at];
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case_hears_what_it_wants),
		cmocka_unit_test(good_messages_are_composed_alike),
		cmocka_unit_test(there_are_enough_good_ones_of_every_library_and_v),
		cmocka_unit_test(every_bad_kind_and_every_refusal_is_there),
		cmocka_unit_test(no_cut_of_a_good_one_is_taken),
		cmocka_unit_test(no_flip_in_a_good_one_is_taken),
		cmocka_unit_test(no_flip_has_the_signature_of_the_whole),
	};
	struct fixture file = fixture_read("siwe_vectors.json");
	int failed;

	all = json_tokener_parse(file.bytes);
	free(file.bytes);
	if (!json_object_is_type(all, json_type_array)) {
		fprintf(stderr, "siwe_vectors.json: no array of cases\n");
		return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	json_object_put(all);
	return failed;
}
