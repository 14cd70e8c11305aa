/*
 * api_key - see the header. Pure text: whether a key exists is Redis' to say.
 */
#include "gateway/api_key.h"

#include <string.h>

#include "base/mem.h"

#define ID_LETTERS     "abcdefghijklmnopqrstuvwxyz0123456789"
#define SECRET_LETTERS ID_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Take exactly n letters off *text into out; false where one is none of them. */
static bool
take_letters(const char **text, size_t n, const char *letters, char *out)
{
	if (strnlen(*text, n) < n || strspn(*text, letters) < n)
		return false;
	memcpy(out, *text, n);
	out[n] = '\0';
	*text += n;
	return true;
}

bool
dr_api_key_parse(const char *prefix, const char *text, struct dr_api_key *out)
{
	size_t n = strlen(prefix);
	char secret[DR_SECRET_LEN + 1];
	struct dr_api_key key;

	if (strncmp(text, prefix, n) != 0)
		return false;
	text += n;
	if (!take_letters(&text, DR_ACCOUNT_LEN, ID_LETTERS, key.account) ||
	    *text++ != '-' ||
	    !take_letters(&text, DR_KEY_ID_LEN, ID_LETTERS, key.key_id) ||
	    *text++ != '-' || strlen(text) != DR_SECRET_LEN ||
	    !take_letters(&text, DR_SECRET_LEN, SECRET_LETTERS, secret))
		return false;
	dr_sha256_hex(secret, DR_SECRET_LEN, key.sha);
	dr_wipe(secret, sizeof secret);
	*out = key;
	return true;
}

/* Each letter equally likely: bytes beyond a whole number of alphabets are thrown away.
 */
static void
draw_secret(char out[DR_SECRET_LEN + 1])
{
	const size_t n_letters = sizeof SECRET_LETTERS - 1;
	unsigned char bytes[2 * DR_SECRET_LEN];
	size_t n = 0;

	while (n < DR_SECRET_LEN) {
		dr_random_bytes(bytes, sizeof bytes);
		for (size_t i = 0; i < sizeof bytes && n < DR_SECRET_LEN; i++)
			if (bytes[i] < 256 / n_letters * n_letters)
				out[n++] = SECRET_LETTERS[bytes[i] % n_letters];
	}
	out[n] = '\0';
	dr_wipe(bytes, sizeof bytes);
}

void
dr_api_key_new(const char *prefix, const char *account, char text[DR_API_KEY_SIZE],
    struct dr_api_key *out)
{
	char id[DR_KEY_ID_LEN + 1];

	dr_random_id(id, DR_KEY_ID_LEN);
	dr_api_key_renew(prefix, account, id, text, out);
}

void
dr_api_key_renew(const char *prefix, const char *account, const char *key_id,
    char text[DR_API_KEY_SIZE], struct dr_api_key *out)
{
	char secret[DR_SECRET_LEN + 1];
	struct dr_strbuf buf;

	DR_ASSERT(dr_account_id_ok(account) && dr_key_id_ok(key_id));
	memcpy(out->account, account, sizeof out->account);
	memcpy(out->key_id, key_id, sizeof out->key_id);
	draw_secret(secret);
	dr_sha256_hex(secret, DR_SECRET_LEN, out->sha);
	dr_strbuf_init(&buf, DR_API_KEY_SIZE - 1);
	dr_strbuf_reserve(
	    &buf, DR_API_KEY_SIZE - 1); /* no copy of it is left behind in growing */
	dr_strbuf_addf(&buf, "%s%s-%s-%s", prefix, account, out->key_id, secret);
	DR_ASSERT(!buf.failed); /* the prefix is bounded where settings are checked */
	memcpy(text, buf.data, buf.len + 1);
	dr_wipe(buf.data, buf.len);
	dr_strbuf_fini(&buf);
	dr_wipe(secret, sizeof secret);
}

void
dr_request_id_new(const char *account, char out[DR_REQUEST_ID_SIZE])
{
	memcpy(out, "req_", 4);
	dr_random_id(
	    out + 4, DR_REQUEST_ID_LEN + (account == NULL ? DR_ACCOUNT_LEN : 0));
	if (account != NULL)
		memcpy(out + 4 + DR_REQUEST_ID_LEN, account, DR_ACCOUNT_LEN + 1);
}

bool
dr_request_id_account(const char *id, char account[DR_ACCOUNT_LEN + 1])
{
	if (strlen(id) != DR_REQUEST_ID_SIZE - 1 || strncmp(id, "req_", 4) != 0 ||
	    strspn(id + 4, ID_LETTERS) != DR_REQUEST_ID_SIZE - 5)
		return false;
	memcpy(account, id + 4 + DR_REQUEST_ID_LEN, DR_ACCOUNT_LEN + 1);
	return true;
}

static bool
is_id(const char *text, size_t len)
{
	return strlen(text) == len && strspn(text, ID_LETTERS) == len;
}

bool
dr_account_id_ok(const char *text)
{
	return is_id(text, DR_ACCOUNT_LEN);
}

bool
dr_key_id_ok(const char *text)
{
	return is_id(text, DR_KEY_ID_LEN);
}

void
dr_account_id_new(char out[DR_ACCOUNT_LEN + 1])
{
	dr_random_id(out, DR_ACCOUNT_LEN);
}
