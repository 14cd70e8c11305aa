/*
 * test_crypto - known vectors where a standard has them; else what must hold for every
 * value.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/crypto.h"

/* ---- digests ---- */

/* FIPS 180-4 examples and the empty message. */
static const struct {
	const char *message, *sha256, *sha1;
} vectors[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	    "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	    "a9993e364706816aba3e25717850c26c9cd0d89d" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
	    "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
};

static void
digests_are_those_of_the_standard(void **state)
{
	char sha256[DR_SHA256_HEX], sha1[DR_SHA1_HEX];
	char *million = dr_malloc(1000000);

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(vectors); i++) {
		size_t len = strlen(vectors[i].message);

		dr_sha256_hex(vectors[i].message, len, sha256);
		assert_string_equal(sha256, vectors[i].sha256);
		dr_sha1_hex(vectors[i].message, len, sha1);
		assert_string_equal(sha1, vectors[i].sha1);
	}
	memset(million, 'a', 1000000);
	dr_sha256_hex(million, 1000000, sha256);
	assert_string_equal(
	    sha256, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(million);
}

static void
secrets_are_equal_only_byte_for_byte(void **state)
{
	char a[64], b[64];

	(void)state;
	memset(a, 'x', sizeof a);
	memcpy(b, a, sizeof a);
	assert_true(dr_equal_secret(a, b, sizeof a));
	assert_true(dr_equal_secret(a, "y", 0));
	for (size_t bit = 0; bit < sizeof b * 8; bit++) {
		b[bit / 8] = (char)(b[bit / 8] ^ (1 << bit % 8));
		assert_false(dr_equal_secret(a, b, sizeof a));
		b[bit / 8] = a[bit / 8];
	}
}

/* ---- random ---- */

/*
 * Of 36 characters each is drawn about 10,000 times. A byte taken modulo 36 would
 * favour the first four by an eighth (8 values of 256 against 7), twelve standard
 * deviations off.
 */
static void
ids_favour_no_character(void **state)
{
	enum { N = 3600, EACH = 100, EXPECTED = N * EACH / 36 };
	size_t seen[256] = { 0 };
	char id[EACH + 1];

	(void)state;
	for (int i = 0; i < N; i++) {
		dr_random_id(id, EACH);
		assert_int_equal(strlen(id), EACH);
		assert_int_equal(
		    strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789"), EACH);
		for (int k = 0; k < EACH; k++)
			seen[(unsigned char)id[k]]++;
	}
	for (const char *c = "abcdefghijklmnopqrstuvwxyz0123456789"; *c != '\0'; c++)
		assert_in_range(
		    seen[(unsigned char)*c], EXPECTED - 700, EXPECTED + 700);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
ids_do_not_repeat(void **state)
{
	enum { N = 20000 };
	static char ids[N][25];

	(void)state;
	for (int i = 0; i < N; i++)
		dr_random_id(ids[i], 24);
	qsort(ids, N, sizeof ids[0], by_text);
	for (int i = 1; i < N; i++)
		assert_string_not_equal(ids[i - 1], ids[i]);
	dr_random_id(ids[0], 0);
	assert_string_equal(ids[0], "");
}

/* Bytes drawn ahead are copied by fork(); both sides using them would share ids. */
static void
a_forked_child_has_ids_of_its_own(void **state)
{
	char mine[25], other[25] = "";
	int fds[2], status;
	pid_t child;

	(void)state;
	dr_random_id(mine, 24);
	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		dr_random_id(mine, 24);
		_exit(write(fds[1], mine, sizeof mine) == sizeof mine ? 0 : 1);
	}
	dr_random_id(mine, 24);
	assert_int_equal(read(fds[0], other, sizeof other), sizeof other);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(strlen(other), 24);
	assert_string_not_equal(mine, other);
	close(fds[0]);
	close(fds[1]);
}

/* ---- sealed secrets ---- */

static const struct dr_seal_key key = { .bytes = { 1, 2, 3, 250, 251, 252 } };

static struct dr_strbuf
sealed_text(const char *context, const char *plain, size_t len)
{
	struct dr_strbuf text;

	dr_strbuf_init(&text, 1 << 20);
	dr_seal(&key, context, plain, len, &text);
	assert_false(text.failed);
	return text;
}

static bool
opens(const struct dr_seal_key *with, const char *context, const char *text)
{
	struct dr_strbuf plain;
	bool ok;

	dr_strbuf_init(&plain, 1 << 20);
	ok = dr_open(with, context, text, &plain);
	if (!ok)
		assert_int_equal(plain.len, 0); /* nothing of it gets out */
	dr_strbuf_fini(&plain);
	return ok;
}

static void
what_is_sealed_opens_again(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, 3, 15, 16, 17, 100, 5000, 70000 };
	char *plain = dr_malloc(70000);

	(void)state;
	dr_random_bytes(plain, 70000);
	for (size_t i = 0; i < DR_N_ELEMENTS(sizes); i++) {
		struct dr_strbuf text = sealed_text("openai-1", plain, sizes[i]), out;

		dr_strbuf_init(&out, 1 << 20);
		dr_strbuf_adds(&out, "before ");
		assert_true(dr_open(&key, "openai-1", text.data, &out));
		assert_int_equal(out.len, 7 + sizes[i]);
		assert_memory_equal(out.data + 7, plain, sizes[i]);
		assert_int_equal(strncmp(text.data, "v1.", 3), 0);
		dr_strbuf_fini(&out);
		dr_strbuf_fini(&text);
	}
	free(plain);
}

/* A vector from outside: this is AES-256-GCM, not only something that undoes itself. */
static void
a_text_sealed_elsewhere_with_aes_256_gcm_opens(void **state)
{
	static const struct dr_seal_key zero;
	struct dr_strbuf out;

	(void)state;
	/* GCM specification, test case 14: key, nonce and the one block are zeros. */
	dr_strbuf_init(&out, 100);
	assert_true(dr_open(&zero, "",
	    "v1.AAAAAAAAAAAAAAAAzqdAPU1ga24HTsXTuvOdGNDRyKeZmWvwJluYtdSKuRk=", &out));
	assert_int_equal(out.len, 16);
	assert_memory_equal(out.data, zero.bytes, 16);
	dr_strbuf_fini(&out);
}

static void
two_seals_of_one_secret_differ(void **state)
{
	struct dr_strbuf a = sealed_text("p", "secret", 6),
			 b = sealed_text("p", "secret", 6);

	(void)state;
	assert_string_not_equal(a.data, b.data);
	dr_strbuf_fini(&a);
	dr_strbuf_fini(&b);
}

static void
no_damaged_text_opens(void **state)
{
	struct dr_strbuf text = sealed_text("p", "sk-secret-1234", 14);
	struct dr_strbuf longer;

	(void)state;
	for (size_t bit = 0; bit < text.len * 8; bit++) {
		char was = text.data[bit / 8];

		text.data[bit / 8] = (char)(was ^ (1 << bit % 8));
		assert_false(opens(&key, "p", text.data));
		text.data[bit / 8] = was;
	}
	for (size_t cut = 0; cut < text.len; cut++) {
		char was = text.data[cut];

		text.data[cut] = '\0';
		assert_false(opens(&key, "p", text.data));
		text.data[cut] = was;
	}
	dr_strbuf_init(&longer, 1000);
	for (const char *tail = "A=\n "; *tail != '\0'; tail++) {
		dr_strbuf_clear(&longer);
		dr_strbuf_addf(&longer, "%s%c", text.data, *tail);
		assert_false(opens(&key, "p", longer.data));
	}
	assert_true(opens(&key, "p", text.data));
	dr_strbuf_fini(&longer);
	dr_strbuf_fini(&text);
}

static void
a_text_opens_only_in_its_context_and_with_its_key(void **state)
{
	struct dr_strbuf text = sealed_text("provider-1", "secret", 6);

	(void)state;
	assert_false(opens(&key, "provider-2", text.data));
	assert_false(opens(&key, "provider-", text.data));
	assert_false(opens(&key, "", text.data));
	for (size_t bit = 0; bit < DR_SEAL_KEY_BYTES * 8; bit++) {
		struct dr_seal_key other = key;

		other.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(opens(&other, "provider-1", text.data));
	}
	assert_true(opens(&key, "provider-1", text.data));
	dr_strbuf_fini(&text);
}

/* While the key is being changed both open; the older one alone does not seal. */
static void
an_older_key_opens_and_does_not_seal(void **state)
{
	struct dr_seal_key fresh = { .bytes = { 9 }, .n_older = 2, .older = { { 8 } } };
	struct dr_seal_key only_fresh = { .bytes = { 9 } };
	struct dr_strbuf old = sealed_text("p", "secret", 6), text;

	(void)state;
	memcpy(fresh.older[1], key.bytes, sizeof key.bytes);
	assert_true(opens(&fresh, "p", old.data));
	assert_false(opens(&fresh, "q", old.data));
	assert_false(opens(&only_fresh, "p", old.data));
	fresh.n_older = 1;
	assert_false(opens(&fresh, "p", old.data));
	dr_strbuf_init(&text, 1000);
	dr_seal(&fresh, "p", "secret", 6, &text);
	assert_true(opens(&only_fresh, "p", text.data));
	assert_false(opens(&key, "p", text.data));
	dr_strbuf_fini(&text);
	dr_strbuf_fini(&old);
}

static void
what_was_never_sealed_does_not_open(void **state)
{
	static const char *const texts[] = { "", "v", "v1", "v1.", "v2.AAAA", "v1.AAAA",
		"v1.!!!!", "sk-plain-secret",
		"v1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(texts); i++)
		assert_false(opens(&key, "p", texts[i]));
}

/* ---- the key file ---- */

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

#define OLD64 "ff112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static const struct {
	const char *content;
	mode_t mode;
	const char *trouble; /* NULL: it is taken */
	unsigned older;
} files[] = {
	{ HEX64 "\n" OLD64 "\n", 0600, NULL, 1 },
	{ HEX64 "\n" OLD64 "\n" OLD64 "\r\n" OLD64, 0600, NULL, 3 },
	{ HEX64 "\n" OLD64 "\n" OLD64 "\n" OLD64 "\n" OLD64 "\n", 0600, "four keys",
	    0 },
	{ HEX64 "\n" OLD64 "\n" OLD64 "\n" OLD64 "\n\n", 0600, "four keys", 0 },
	{ HEX64 "\n" OLD64 "0\n", 0600, "line 2: want 64", 0 },
	{ HEX64 "\n\n" OLD64 "\n", 0600, "line 2: want 64", 0 },
	{ HEX64, 0600, NULL, 0 },
	{ HEX64 "\n", 0400, NULL, 0 },
	{ HEX64 "\r\n", 0600, NULL, 0 },
	{ HEX64, 0640, "group or others", 0 },
	{ HEX64, 0604, "group or others", 0 },
	{ HEX64, 0620, "group or others", 0 },
	{ HEX64 "\n\n", 0600, "64 hex digits", 0 },
	{ HEX64 "0", 0600, "64 hex digits", 0 },
	{ HEX64 " ", 0600, "64 hex digits", 0 },
	{ "", 0600, "64 hex digits", 0 },
	{ "\n", 0600, "64 hex digits", 0 },
	{ "g0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", 0600,
	    "64 hex digits", 0 },
	{ "0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", 0600,
	    "64 hex digits", 0 },
};

static void
a_key_file_is_taken_only_when_private_and_whole(void **state)
{
	char dir[] = "/tmp/dr-crypto-XXXXXX", path[64], err[200];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/key", dir);
	for (size_t i = 0; i < DR_N_ELEMENTS(files); i++) {
		struct dr_seal_key loaded = { .n_older = 0 };
		FILE *file = fopen(path, "w");

		fputs(files[i].content, file);
		fclose(file);
		assert_int_equal(chmod(path, files[i].mode), 0);
		if (files[i].trouble == NULL) {
			assert_true(dr_seal_key_load(path, &loaded, err, sizeof err));
			assert_int_equal(loaded.bytes[1], 0x11);
			assert_int_equal(loaded.bytes[31], 0xff);
			assert_int_equal(loaded.n_older, files[i].older);
			for (unsigned k = 0; k < loaded.n_older; k++)
				assert_int_equal(loaded.older[k][0], 0xff);
		} else {
			assert_false(dr_seal_key_load(path, &loaded, err, sizeof err));
			assert_non_null(strstr(err, files[i].trouble));
			assert_non_null(strstr(err, path));
			assert_null(strstr(err, "0011223344")); /* never the content */
			assert_int_equal(loaded.bytes[1], 0);
		}
		unlink(path);
	}
	rmdir(dir);
}

static void
a_key_file_that_is_no_file_is_refused_without_waiting(void **state)
{
	char dir[] = "/tmp/dr-crypto-XXXXXX", path[64], err[200];
	struct dr_seal_key loaded;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/key", dir);
	assert_false(dr_seal_key_load(path, &loaded, err, sizeof err));
	assert_non_null(strstr(err, "No such file"));
	assert_false(dr_seal_key_load(dir, &loaded, err, sizeof err));
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_false(dr_seal_key_load(path, &loaded, err, sizeof err));
	assert_non_null(strstr(err, "not a regular file"));
	unlink(path);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_those_of_the_standard),
		cmocka_unit_test(secrets_are_equal_only_byte_for_byte),
		cmocka_unit_test(ids_favour_no_character),
		cmocka_unit_test(ids_do_not_repeat),
		cmocka_unit_test(a_forked_child_has_ids_of_its_own),
		cmocka_unit_test(what_is_sealed_opens_again),
		cmocka_unit_test(a_text_sealed_elsewhere_with_aes_256_gcm_opens),
		cmocka_unit_test(two_seals_of_one_secret_differ),
		cmocka_unit_test(no_damaged_text_opens),
		cmocka_unit_test(a_text_opens_only_in_its_context_and_with_its_key),
		cmocka_unit_test(an_older_key_opens_and_does_not_seal),
		cmocka_unit_test(what_was_never_sealed_does_not_open),
		cmocka_unit_test(a_key_file_is_taken_only_when_private_and_whole),
		cmocka_unit_test(a_key_file_that_is_no_file_is_refused_without_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
