/*
 * The login message: what is composed is read back, and every way of bending it has a
 * refusal of its own. Signed ones: test_siwe_vectors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/dr_assert.h"
#include "ethereum/siwe.h"

#define ADDRESS "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1"
#define OTHER   "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
#define NOW     INT64_C(1795701915000) /* 2026-11-26T14:05:15Z */
#define ASKS    " wants you to sign in with your Ethereum account:\n"
#define ISSUED  "2026-11-26T14:05:15.000Z"
#define EXPIRES "2026-11-26T14:10:15.000Z"

static const char good[] = "derouter.example:8443" ASKS ADDRESS "\n"
			   "\n"
			   "Log in to DeRouter.\n"
			   "\n"
			   "URI: https://derouter.example:8443/app\n"
			   "Version: 1\n"
			   "Chain ID: 8453\n"
			   "Nonce: abcDEF0123456789\n"
			   "Issued At: " ISSUED "\n"
			   "Expiration Time: " EXPIRES;

static const int64_t chains[] = { 1, 8453 };

static struct dr_siwe_expected
expected(void)
{
	return (struct dr_siwe_expected){
		.domain = "derouter.example:8443",
		.uri = "https://derouter.example:8443/app",
		.chains = chains,
		.n_chains = DR_N_ELEMENTS(chains),
		.nonce = "abcDEF0123456789",
		.now_ms = NOW,
		.max_age_ms = 300000,
		.ahead_ms = 5000,
	};
}

static enum dr_siwe_result
read_message(const char *message, size_t len)
{
	struct dr_siwe_expected wanted = expected();
	uint8_t address[DR_ADDRESS_BYTES];
	struct dr_siwe siwe;
	enum dr_siwe_result said;

	assert_true(dr_address_parse(ADDRESS, DR_ADDRESS_CHARS, address));
	wanted.address = address;
	said = dr_siwe_parse(message, len, &siwe);
	return said == DR_SIWE_OK ? dr_siwe_check(&siwe, &wanted) : said;
}

/* The good message with `to` for the first `from`. */
struct edit {
	const char *from, *to;
	enum dr_siwe_result said;
};

static const struct edit edits[] = {
	{ "", "", DR_SIWE_OK },
	{ "\nLog in to DeRouter.\n\n", "\n\n", DR_SIWE_OK },
	{ "Log in to DeRouter.", "a-._~:/?#[]@!$&'()*+,;=Z 9", DR_SIWE_OK },
	{ "ID: 8453", "ID: 1", DR_SIWE_OK },
	{ ISSUED, "2026-11-26T15:05:15+01:00", DR_SIWE_OK },
	/* bytes */
	{ "DeRouter.", "DeRouter\xc3\xa9.", DR_SIWE_BYTE },
	{ "DeRouter.", "De\tRouter.", DR_SIWE_BYTE },
	{ "DeRouter.", "De\x7fRouter.", DR_SIWE_BYTE },
	{ ":\n0x", ":\r\n0x", DR_SIWE_CR },
	{ ".\n\nURI", ".\r\n\r\nURI", DR_SIWE_CR },
	{ EXPIRES, EXPIRES "\r", DR_SIWE_CR },
	/* the first line */
	{ "wants you to", "wants you  to", DR_SIWE_FIRST_LINE },
	{ "account:\n", "account: \n", DR_SIWE_FIRST_LINE },
	{ "account:\n", "account:", DR_SIWE_FIRST_LINE },
	{ "Ethereum", "ethereum", DR_SIWE_FIRST_LINE },
	{ "derouter.example:8443 w", "derouter.example:8443\n w", DR_SIWE_FIRST_LINE },
	{ "derouter", "\nderouter", DR_SIWE_FIRST_LINE },
	{ "derouter.example:8443 ", " ", DR_SIWE_DOMAIN_FORM },
	{ "derouter", " derouter", DR_SIWE_DOMAIN_FORM },
	{ "derouter", "https://derouter", DR_SIWE_DOMAIN_FORM },
	{ "derouter", "evil/derouter", DR_SIWE_DOMAIN_FORM },
	{ ":8443 w", ":8443/ w", DR_SIWE_DOMAIN_FORM },
	{ ":8443 w", ": w", DR_SIWE_DOMAIN_FORM },
	{ ":8443 w", ":844321 w", DR_SIWE_DOMAIN_FORM },
	{ ":8443 w", ":84a3 w", DR_SIWE_DOMAIN_FORM },
	{ ":8443 w", ":8443:1 w", DR_SIWE_DOMAIN_FORM },
	{ "derouter.example", "[::1", DR_SIWE_DOMAIN_FORM },
	{ "derouter.example", "[]", DR_SIWE_DOMAIN_FORM },
	{ "derouter.example", "::1", DR_SIWE_DOMAIN_FORM },
	{ ":8443 w", ":8443@evil.example w", DR_SIWE_DOMAIN_USER },
	{ "derouter", "user@derouter", DR_SIWE_DOMAIN_USER },
	{ "derouter", "@derouter", DR_SIWE_DOMAIN_USER },
	{ ":8443 w", " w", DR_SIWE_OTHER_DOMAIN },
	{ "derouter", "Derouter", DR_SIWE_OTHER_DOMAIN },
	{ "derouter", "www.derouter", DR_SIWE_OTHER_DOMAIN },
	{ "derouter.example", "derouter.example.evil.example", DR_SIWE_OTHER_DOMAIN },
	{ "derouter.example", "[::1]", DR_SIWE_OTHER_DOMAIN },
	/* the address */
	{ ADDRESS, "0x1a642f0e3c3af545e7acbd38b07251b3990914f1", DR_SIWE_ADDRESS_CASE },
	{ ADDRESS, "0x1A642F0E3C3AF545E7ACBD38B07251B3990914F1", DR_SIWE_ADDRESS_CASE },
	{ "0x1a", "0x1A", DR_SIWE_ADDRESS_CASE },
	{ "0x1a", "0X1a", DR_SIWE_ADDRESS_FORM },
	{ "0x1a", "1a", DR_SIWE_ADDRESS_FORM },
	{ "0x1a", "0x1g", DR_SIWE_ADDRESS_FORM },
	{ "0914F1", "0914F10", DR_SIWE_ADDRESS_FORM },
	{ "0914F1\n", "0914F1 \n", DR_SIWE_ADDRESS_FORM },
	{ "\n0x1a", "\n 0x1a", DR_SIWE_ADDRESS_FORM },
	{ "\n0x1a", "\n\n0x1a", DR_SIWE_ADDRESS_FORM },
	{ ADDRESS, OTHER, DR_SIWE_OTHER_ADDRESS },
	/* the statement */
	{ "F1\n\n", "F1\n", DR_SIWE_BLANK_LINE },
	{ "F1\n\n", "F1\n \n", DR_SIWE_BLANK_LINE },
	{ ".\n\n", ".\n", DR_SIWE_BLANK_LINE },
	{ "Log in to", "Log in\nto", DR_SIWE_BLANK_LINE },
	{ "\nLog in to DeRouter.\n\n", "\n", DR_SIWE_BLANK_LINE },
	{ "\nLog in to DeRouter.\n\n", "\n\n\n", DR_SIWE_FIELD_MISSING },
	{ "F1\n\n", "F1\n\n\n", DR_SIWE_FIELD_UNKNOWN },
	{ ".\n\n", ".\n\n\n", DR_SIWE_FIELD_MISSING },
	{ "Log in", "\"Log in\"", DR_SIWE_STATEMENT_FORM },
	{ "Log in", "<b>Log in", DR_SIWE_STATEMENT_FORM },
	{ "Log in", "100% Log in", DR_SIWE_STATEMENT_FORM },
	/* fields: missing, twice, out of order, unknown */
	{ "URI: https://derouter.example:8443/app\n", "", DR_SIWE_FIELD_MISSING },
	{ "Version: 1\n", "", DR_SIWE_FIELD_MISSING },
	{ "Chain ID: 8453\n", "", DR_SIWE_FIELD_MISSING },
	{ "Nonce: abcDEF0123456789\n", "", DR_SIWE_FIELD_MISSING },
	{ "Issued At: " ISSUED "\n", "", DR_SIWE_FIELD_MISSING },
	{ "\nExpiration Time: " EXPIRES, "", DR_SIWE_NO_EXPIRY },
	{ "Expiration Time: " EXPIRES, "", DR_SIWE_NO_EXPIRY },
	{ "Version: 1\n", "Version: 1\nVersion: 1\n", DR_SIWE_FIELD_TWICE },
	{ "Nonce: ", "Nonce: abcDEF0123456789\nNonce: ", DR_SIWE_FIELD_TWICE },
	{ "Chain ID", "URI: https://evil.example/\nChain ID", DR_SIWE_FIELD_TWICE },
	{ EXPIRES, EXPIRES "\nExpiration Time: 2999-01-01T00:00:00Z",
	    DR_SIWE_FIELD_TWICE },
	{ EXPIRES, EXPIRES "\nNonce: abcDEF0123456789", DR_SIWE_FIELD_TWICE },
	{ "Version: 1\nChain ID: 8453\n", "Chain ID: 8453\nVersion: 1\n",
	    DR_SIWE_FIELD_ORDER },
	{ "Issued At: " ISSUED "\nExpiration Time: " EXPIRES,
	    "Expiration Time: " EXPIRES "\nIssued At: " ISSUED, DR_SIWE_FIELD_ORDER },
	{ EXPIRES, EXPIRES "\nNot Before: " ISSUED, DR_SIWE_FIELD_UNKNOWN },
	{ EXPIRES, EXPIRES "\nRequest ID: 1", DR_SIWE_FIELD_UNKNOWN },
	{ EXPIRES, EXPIRES "\nResources:\n- https://evil.example/",
	    DR_SIWE_FIELD_UNKNOWN },
	{ "Nonce: ", "nonce: ", DR_SIWE_FIELD_UNKNOWN },
	{ "Nonce: ", "Nonce:", DR_SIWE_FIELD_UNKNOWN },
	{ "Nonce: ", " Nonce: ", DR_SIWE_FIELD_UNKNOWN },
	{ "\nNonce: ", "\n\nNonce: ", DR_SIWE_FIELD_MISSING },
	{ EXPIRES, EXPIRES "\n", DR_SIWE_TRAILING },
	{ EXPIRES, EXPIRES "\n\n", DR_SIWE_TRAILING },
	/* the URI */
	{ "https://derouter", "HTTPS://derouter", DR_SIWE_URI_FORM },
	{ "https://derouter", "javascript://derouter", DR_SIWE_URI_FORM },
	{ "https://derouter", "//derouter", DR_SIWE_URI_FORM },
	{ "https://derouter.example:8443/app", "https://", DR_SIWE_URI_FORM },
	{ "https://derouter.example:8443/app", "", DR_SIWE_URI_FORM },
	{ "8443/app", "8443\\@evil.example/app", DR_SIWE_URI_USER },
	{ "8443/app", "8443\\evil.example/app", DR_SIWE_URI_FORM },
	{ "/app", "/app x", DR_SIWE_URI_FORM },
	{ "/app", "/app\"", DR_SIWE_URI_FORM },
	{ "https://", "https://user:secret@", DR_SIWE_URI_USER },
	{ "https://derouter.example:8443/app",
	    "https://derouter.example:8443@evil.example/app", DR_SIWE_URI_USER },
	{ "/app", "/app/", DR_SIWE_OTHER_URI },
	{ "/app", "/apple", DR_SIWE_OTHER_URI },
	{ "/app", "", DR_SIWE_OTHER_URI },
	{ "/app", "/app?x=%40", DR_SIWE_OTHER_URI },
	{ "/app", "/app#x@y", DR_SIWE_OTHER_URI },
	{ "https://derouter", "http://derouter", DR_SIWE_OTHER_URI },
	{ "https://derouter.example", "https://derouter.example.evil.example",
	    DR_SIWE_OTHER_URI },
	/* version, chain, nonce */
	{ "Version: 1", "Version: 2", DR_SIWE_VERSION },
	{ "Version: 1", "Version: 1 ", DR_SIWE_VERSION },
	{ "Version: 1", "Version: 01", DR_SIWE_VERSION },
	{ "Version: 1", "Version: ", DR_SIWE_VERSION },
	{ "8453\n", "08453\n", DR_SIWE_CHAIN_FORM },
	{ "8453\n", "0\n", DR_SIWE_CHAIN_FORM },
	{ "8453\n", "-1\n", DR_SIWE_CHAIN_FORM },
	{ "8453\n", "0x2105\n", DR_SIWE_CHAIN_FORM },
	{ "8453\n", "\n", DR_SIWE_CHAIN_FORM },
	{ "8453\n", " 8453\n", DR_SIWE_CHAIN_FORM },
	{ "8453\n", "1000000000000000000\n", DR_SIWE_CHAIN_FORM },
	{ "8453\n", "18446744073709560069\n", DR_SIWE_CHAIN_FORM }, /* 2^64 + 8453 */
	{ "8453\n", "10\n", DR_SIWE_OTHER_CHAIN },
	{ "8453\n", "999999999999999999\n", DR_SIWE_OTHER_CHAIN },
	{ "abcDEF0123456789", "abcDEF0", DR_SIWE_NONCE_FORM },
	{ "abcDEF0123456789", "", DR_SIWE_NONCE_FORM },
	{ "abcDEF0123456789", "abcDEF-123456789", DR_SIWE_NONCE_FORM },
	{ "abcDEF0123456789", "abcDEF0123456789 ", DR_SIWE_NONCE_FORM },
	{ "abcDEF0123456789",
	    "0123456789012345678901234567890123456789012345678901234567890123x",
	    DR_SIWE_NONCE_FORM },
	{ "abcDEF0123456789", "abcDEF0123456780", DR_SIWE_OTHER_NONCE },
	{ "abcDEF0123456789", "abcdef0123456789", DR_SIWE_OTHER_NONCE },
	{ "abcDEF0123456789", "abcDEF01234567890", DR_SIWE_OTHER_NONCE },
	{ "abcDEF0123456789", "abcDEF012345678", DR_SIWE_OTHER_NONCE },
	/* times: at both sides of every border */
	{ ISSUED, "2026-02-30T00:00:00Z", DR_SIWE_ISSUED_FORM },
	{ ISSUED, "", DR_SIWE_ISSUED_FORM },
	{ ISSUED, ISSUED " ", DR_SIWE_ISSUED_FORM },
	{ EXPIRES, "2026-13-01T00:00:00Z", DR_SIWE_EXPIRES_FORM },
	{ EXPIRES, "", DR_SIWE_EXPIRES_FORM },
	{ EXPIRES, "1795702215", DR_SIWE_EXPIRES_FORM },
	{ ISSUED, "2026-11-26T14:05:20.000Z", DR_SIWE_OK },
	{ ISSUED, "2026-11-26T14:05:20.001Z", DR_SIWE_ISSUED_LATER },
	{ ISSUED, "2026-11-26T14:05:21.000Z", DR_SIWE_ISSUED_LATER },
	{ ISSUED, "2026-11-26T14:00:15.000Z", DR_SIWE_OK },
	{ ISSUED, "2026-11-26T14:00:14.999Z", DR_SIWE_ISSUED_LONG_AGO },
	{ ISSUED, "1970-01-01T00:00:00Z", DR_SIWE_ISSUED_LONG_AGO },
	{ EXPIRES, ISSUED, DR_SIWE_EXPIRES_FIRST },
	{ EXPIRES, "2026-11-26T14:05:14Z", DR_SIWE_EXPIRES_FIRST },
	{ ISSUED "\nExpiration Time: " EXPIRES,
	    "2026-11-26T14:05:10Z\nExpiration Time: 2026-11-26T14:05:15Z",
	    DR_SIWE_EXPIRED },
	{ ISSUED "\nExpiration Time: " EXPIRES,
	    "2026-11-26T14:05:10Z\nExpiration Time: 2026-11-26T14:05:15.001Z",
	    DR_SIWE_OK },
};

static size_t
apply(const struct edit *edit, char *out, size_t size)
{
	const char *at = strstr(good, edit->from);
	int n;

	assert_non_null(at);
	n = snprintf(out, size, "%.*s%s%s", (int)(at - good), good, edit->to,
	    at + strlen(edit->from));
	assert_in_range(n, 1, size - 1);
	return (size_t)n;
}

static void
every_bend_has_its_refusal(void **state)
{
	bool seen[DR_N_SIWE_RESULTS] = {
		[DR_SIWE_NUL] = true, [DR_SIWE_TOO_LONG] = true
	};
	char text[2 * sizeof good];

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(edits); i++) {
		size_t len = apply(&edits[i], text, sizeof text);
		enum dr_siwe_result said = read_message(text, len);

		if (said != edits[i].said)
			print_message("row %zu: %s\n", i, text);
		assert_string_equal(dr_siwe_text(said), dr_siwe_text(edits[i].said));
		seen[said] = true;
	}
	for (int said = 0; said < DR_N_SIWE_RESULTS; said++)
		if (!seen[said])
			fail_msg("no row for: %s", dr_siwe_text(said));
}

static void
a_nul_is_refused_wherever_it_stands(void **state)
{
	char text[sizeof good];

	(void)state;
	assert_int_equal(
	    read_message(good, sizeof good), DR_SIWE_NUL); /* with its own */
	for (size_t at = 0; at < sizeof good - 1; at++) {
		memcpy(text, good, sizeof good);
		text[at] = '\0';
		assert_int_equal(read_message(text, sizeof good - 1), DR_SIWE_NUL);
	}
}

static void
no_cut_is_taken_for_whole(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof good - 1; n++)
		assert_int_not_equal(read_message(good, n), DR_SIWE_OK);
	assert_int_equal(read_message(good, sizeof good - 1), DR_SIWE_OK);
}

static void
a_message_has_2048_bytes_at_most(void **state)
{
	static char statement[DR_SIWE_MAX_TEXT], text[DR_SIWE_MAX_TEXT + 1];
	const size_t others = sizeof good - 1 - strlen("Log in to DeRouter.");
	struct edit edit = { "Log in to DeRouter.", statement, DR_SIWE_OK };
	size_t len;

	(void)state;
	memset(statement, 'x', DR_SIWE_MAX - others);
	len = apply(&edit, text, sizeof text);
	assert_int_equal(len, DR_SIWE_MAX);
	assert_int_equal(read_message(text, len), DR_SIWE_OK);
	statement[DR_SIWE_MAX - others] = 'x';
	len = apply(&edit, text, sizeof text);
	assert_int_equal(read_message(text, len), DR_SIWE_TOO_LONG);
}

static bool
part_is(struct dr_siwe_part part, const char *text)
{
	return part.len == strlen(text) && memcmp(part.at, text, part.len) == 0;
}

static void
every_part_is_found(void **state)
{
	struct dr_siwe siwe;
	char signer[DR_ADDRESS_TEXT];

	(void)state;
	assert_int_equal(dr_siwe_parse(good, sizeof good - 1, &siwe), DR_SIWE_OK);
	assert_true(part_is(siwe.domain, "derouter.example:8443"));
	assert_true(part_is(siwe.address, ADDRESS));
	assert_true(part_is(siwe.statement, "Log in to DeRouter."));
	assert_true(part_is(siwe.uri, "https://derouter.example:8443/app"));
	assert_true(part_is(siwe.chain, "8453"));
	assert_true(part_is(siwe.nonce, "abcDEF0123456789"));
	assert_true(part_is(siwe.issued, ISSUED));
	assert_true(part_is(siwe.expires, EXPIRES));
	assert_int_equal(siwe.chain_id, 8453);
	assert_int_equal(siwe.issued_ms, NOW);
	assert_int_equal(siwe.expires_ms, NOW + 300000);
	dr_address_print(siwe.signer, signer);
	assert_string_equal(signer, ADDRESS);
}

static struct dr_siwe_terms
terms(void)
{
	struct dr_siwe_terms t = {
		.domain = "derouter.example:8443",
		.statement = "Log in to DeRouter.",
		.uri = "https://derouter.example:8443/app",
		.chain_id = 8453,
		.nonce = "abcDEF0123456789",
		.issued_ms = NOW,
		.expires_ms = NOW + 300000,
	};

	assert_true(dr_address_parse(ADDRESS, DR_ADDRESS_CHARS, t.address));
	return t;
}

static void
what_is_composed_is_read_back(void **state)
{
	struct dr_siwe_terms t = terms();
	char text[DR_SIWE_MAX_TEXT];
	struct dr_siwe siwe;

	(void)state;
	assert_int_equal(dr_siwe_compose(&t, text), DR_SIWE_OK);
	assert_string_equal(text, good);
	t.statement = NULL;
	assert_int_equal(dr_siwe_compose(&t, text), DR_SIWE_OK);
	assert_int_equal(dr_siwe_parse(text, strlen(text), &siwe), DR_SIWE_OK);
	assert_int_equal(siwe.statement.len, 0);
	assert_int_equal(read_message(text, strlen(text)), DR_SIWE_OK);
}

static void
nothing_is_composed_that_would_be_refused(void **state)
{
	static char long_statement[DR_SIWE_MAX_TEXT];
	char text[DR_SIWE_MAX_TEXT] = "x";
	struct {
		struct dr_siwe_terms terms;
		enum dr_siwe_result said;
	} bad[12];
	size_t n = 0;

	(void)state;
	memset(long_statement, 'x', sizeof long_statement - 1);
#define BAD(member, value, result)                                                     \
	do {                                                                           \
		bad[n].terms = terms();                                                \
		bad[n].terms.member = (value);                                         \
		bad[n++].said = DR_SIWE_##result;                                      \
	} while (0)
	BAD(domain, "https://derouter.example", DOMAIN_FORM);
	BAD(domain, "me@derouter.example", DOMAIN_USER);
	BAD(statement, "two\nlines", BLANK_LINE);
	BAD(statement, "a\n\nURI: https://evil.example/", FIELD_MISSING);
	BAD(statement, long_statement, TOO_LONG);
	BAD(uri, "derouter.example", URI_FORM);
	BAD(uri, "https://x/\nVersion: 1", FIELD_TWICE);
	BAD(chain_id, 0, CHAIN_FORM);
	BAD(nonce, "short", NONCE_FORM);
	BAD(nonce, "abcDEF0123456789\nIssued At: " ISSUED, FIELD_TWICE);
	BAD(expires_ms, NOW, EXPIRES_FIRST);
#undef BAD
	for (size_t i = 0; i < n; i++) {
		enum dr_siwe_result said = dr_siwe_compose(&bad[i].terms, text);

		assert_string_equal(dr_siwe_text(said), dr_siwe_text(bad[i].said));
		assert_string_equal(text, "");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_bend_has_its_refusal),
		cmocka_unit_test(a_nul_is_refused_wherever_it_stands),
		cmocka_unit_test(no_cut_is_taken_for_whole),
		cmocka_unit_test(a_message_has_2048_bytes_at_most),
		cmocka_unit_test(every_part_is_found),
		cmocka_unit_test(what_is_composed_is_read_back),
		cmocka_unit_test(nothing_is_composed_that_would_be_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
