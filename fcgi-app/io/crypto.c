/*
 * crypto - digests, random ids and sealed secrets, by way of GnuTLS. Nothing here is a
 * scheme of our own, and nothing speaks TLS: that is libcurl's business. Relies on the
 * library setting itself up when it is loaded.
 */
#include "io/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/mem.h"

#define NONCE_BYTES 12 /* the size GCM is made for (NIST SP 800-38D, 8.2) */
#define TAG_BYTES   16

static const char seal_version[] = "v1.";

/* ---- digests ---- */

static void
digest_hex(gnutls_digest_algorithm_t kind, const void *data, size_t len, char *out)
{
	uint8_t digest[32];
	unsigned n = gnutls_hash_get_len(kind);

	DR_ASSERT(n > 0 && n <= sizeof digest);
	DR_ASSERT(gnutls_hash_fast(kind, data, len, digest) == 0);
	dr_hex_write(digest, n, out);
	out[2 * n] = '\0';
}

void
dr_sha256_hex(const void *data, size_t len, char out[DR_SHA256_HEX])
{
	digest_hex(GNUTLS_DIG_SHA256, data, len, out);
}

void
dr_sha1_hex(const void *data, size_t len, char out[DR_SHA1_HEX])
{
	digest_hex(GNUTLS_DIG_SHA1, data, len, out);
}

bool
dr_equal_secret(const void *a, const void *b, size_t len)
{
	return gnutls_memcmp(a, b, len) == 0;
}

/* ---- random ---- */

void
dr_random_bytes(void *out, size_t len)
{
	DR_ASSERT(gnutls_rnd(GNUTLS_RND_KEY, out, len) == 0);
}

/* Bytes drawn but not yet used. A forked child must not use the same ones again. */
static uint8_t pool[4096]; /* 130 ids: drawing costs system calls */
static size_t pool_left;
static pid_t pool_owner;

static uint8_t
pool_byte(void)
{
	uint8_t byte;

	if (pool_left == 0) {
		dr_random_bytes(pool, sizeof pool);
		pool_left = sizeof pool;
	}
	byte = pool[--pool_left];
	pool[pool_left] = 0; /* ids may be secrets: what was used is not kept */
	return byte;
}

void
dr_random_id(char *out, size_t n)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	const unsigned letters = sizeof alphabet - 1;
	const unsigned fair = 256 / letters * letters; /* above it `%` favours some */

	if (pool_owner != getpid()) {
		pool_owner = getpid();
		pool_left = 0;
	}
	for (size_t i = 0; i < n;) {
		uint8_t byte = pool_byte();

		if (byte < fair)
			out[i++] = alphabet[byte % letters];
	}
	out[n] = '\0';
}

/* ---- the key file ---- */

static bool
parse_line(const char *text, size_t len, uint8_t out[DR_SEAL_KEY_BYTES])
{
	if (len > 0 && text[len - 1] == '\r')
		len--;
	if (len != (size_t)2 * DR_SEAL_KEY_BYTES)
		return false;
	return dr_hex_read(text, DR_SEAL_KEY_BYTES, out);
}

/* What is wrong with the text, or NULL. Says nothing of its content. */
static const char *
parse_keys(const char *text, size_t len, struct dr_seal_key *out)
{
	static const char *const wrong[] = {
		"want 64 hex digits and nothing else",
		"line 2: want 64 hex digits and nothing else",
		"line 3: want 64 hex digits and nothing else",
		"line 4: want 64 hex digits and nothing else",
	};
	const char *end = text + len;
	unsigned n = 0;

	do {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		size_t line = (size_t)((eol != NULL ? eol : end) - text);

		if (n == DR_N_ELEMENTS(wrong))
			return "want four keys at most, a line each";
		if (!parse_line(text, line, n == 0 ? out->bytes : out->older[n - 1]))
			return wrong[n];
		n++;
		text = eol != NULL ? eol + 1 : end;
	} while (text < end);
	out->n_older = n - 1;
	return NULL;
}

/* What is wrong with the open file, or NULL. */
static const char *
read_key(int fd, struct dr_seal_key *out)
{
	/* four lines with CR and LF, and one byte that is too many */
	char text[(1 + DR_SEAL_KEYS_OLDER) * (2 * DR_SEAL_KEY_BYTES + 2) + 1];
	struct dr_seal_key key = { .n_older = 0 };
	const char *trouble;
	size_t len = 0;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "not a regular file";
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return "open to group or others: want mode 0600 or 0400";
	do {
		n = read(fd, text + len, sizeof text - len);
		if (n > 0)
			len += (size_t)n;
	} while (len < sizeof text && (n > 0 || (n < 0 && errno == EINTR)));
	trouble = n < 0 ? strerror(errno)
		  : len == sizeof text
		      ? "want four keys of 64 hex digits at most, a line each"
		      : parse_keys(text, len, &key);
	if (trouble == NULL)
		*out = key;
	dr_wipe(&key, sizeof key);
	dr_wipe(text, sizeof text);
	return trouble;
}

bool
dr_seal_key_load(const char *path, struct dr_seal_key *out, char *err, size_t err_size)
{
	const char *trouble;
	/* O_NONBLOCK: opening a FIFO by mistake must not hang the start. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	trouble = fd < 0 ? strerror(errno) : read_key(fd, out);
	if (fd >= 0)
		close(fd);
	if (trouble != NULL)
		snprintf(err, err_size, "%s: %s", path, trouble);
	return trouble == NULL;
}

/* ---- sealed secrets ---- */

static gnutls_aead_cipher_hd_t
cipher_new(const uint8_t key[DR_SEAL_KEY_BYTES])
{
	gnutls_aead_cipher_hd_t cipher;
	gnutls_datum_t datum = { (unsigned char *)key, DR_SEAL_KEY_BYTES };

	DR_ASSERT(
	    gnutls_aead_cipher_init(&cipher, GNUTLS_CIPHER_AES_256_GCM, &datum) == 0);
	return cipher;
}

void
dr_seal(const struct dr_seal_key *key, const char *context, const void *plain,
    size_t len, struct dr_strbuf *out)
{
	gnutls_aead_cipher_hd_t cipher = cipher_new(key->bytes);
	size_t room = len + TAG_BYTES;
	uint8_t *box = dr_malloc(NONCE_BYTES + room);
	gnutls_datum_t raw = { box, 0 }, text;

	/* Random nonces are good for 2^32 texts under one key; there is one per
	 * credential. */
	dr_random_bytes(box, NONCE_BYTES);
	DR_ASSERT(
	    gnutls_aead_cipher_encrypt(cipher, box, NONCE_BYTES, context,
		strlen(context), TAG_BYTES, plain, len, box + NONCE_BYTES, &room) == 0);
	gnutls_aead_cipher_deinit(cipher);
	raw.size = (unsigned)(NONCE_BYTES + room);
	DR_ASSERT(gnutls_base64_encode2(&raw, &text) == 0);
	dr_strbuf_adds(out, seal_version);
	dr_strbuf_add(out, text.data, text.size);
	gnutls_free(text.data);
	free(box);
}

/*
 * Decode base64 strictly: one text per value. The decoder skips white space and ignores
 * the spare bits before the padding, so a damaged text may still decode; encoding the
 * result again shows it.
 */
static bool
decode(const char *text, gnutls_datum_t *raw)
{
	gnutls_datum_t in = { (unsigned char *)text, (unsigned)strlen(text) }, again;
	bool same;

	if (in.size == 0 || gnutls_base64_decode2(&in, raw) != 0)
		return false;
	DR_ASSERT(gnutls_base64_encode2(raw, &again) == 0);
	same = again.size == in.size && memcmp(again.data, in.data, in.size) == 0;
	gnutls_free(again.data);
	if (!same)
		gnutls_free(raw->data);
	return same;
}

static bool
open_with(const uint8_t key[DR_SEAL_KEY_BYTES], const char *context,
    const gnutls_datum_t *raw, struct dr_strbuf *out)
{
	gnutls_aead_cipher_hd_t cipher = cipher_new(key);
	size_t len = raw->size; /* more than the plain text needs */
	uint8_t *plain = dr_malloc(len);
	bool ok = gnutls_aead_cipher_decrypt(cipher, raw->data, NONCE_BYTES, context,
		      strlen(context), TAG_BYTES, raw->data + NONCE_BYTES,
		      raw->size - NONCE_BYTES, plain, &len) == 0;

	gnutls_aead_cipher_deinit(cipher);
	if (ok)
		dr_strbuf_add(out, plain, len);
	dr_wipe(plain, raw->size);
	free(plain);
	return ok;
}

bool
dr_open(const struct dr_seal_key *key, const char *context, const char *sealed,
    struct dr_strbuf *out)
{
	const size_t version_len = sizeof seal_version - 1;
	gnutls_datum_t raw;
	bool ok = false;

	if (strncmp(sealed, seal_version, version_len) != 0 ||
	    !decode(sealed + version_len, &raw))
		return false;
	if (raw.size >= NONCE_BYTES + TAG_BYTES) {
		ok = open_with(key->bytes, context, &raw, out);
		for (unsigned i = 0; !ok && i < key->n_older; i++)
			ok = open_with(key->older[i], context, &raw, out);
	}
	gnutls_free(raw.data);
	return ok;
}
