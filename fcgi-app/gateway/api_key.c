/*
 * api_key - see the header.
 */
#include "gateway/api_key.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const char id_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char secret_letters[] =
    "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/* Take n letters off *text into out; false where one is none of them. */
static bool
take_letters(const char **text, size_t n, const char *letters, char *out)
{
	if (strspn(*text, letters) < n)
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

	if (strncmp(text, prefix, n) != 0)
		return false;
	text += n;
	if (!take_letters(&text, DR_ACCOUNT_LEN, id_letters, out->account) ||
	    *text++ != '-' ||
	    !take_letters(&text, DR_KEY_ID_LEN, id_letters, out->key_id) ||
	    *text++ != '-' ||
	    !take_letters(&text, DR_SECRET_LEN, secret_letters, secret) ||
	    *text != '\0')
		return false;
	dr_sha256_hex(secret, DR_SECRET_LEN, out->sha);
	dr_wipe(secret, sizeof secret);
	return true;
}

void
dr_api_key_new(const char *prefix, const char *account, char text[DR_API_KEY_SIZE],
    struct dr_api_key *out)
{
	char secret[DR_SECRET_LEN + 1];

	snprintf(out->account, sizeof out->account, "%s", account);
	dr_random_id(out->key_id, DR_KEY_ID_LEN);
	dr_random_id(secret, DR_SECRET_LEN);
	dr_sha256_hex(secret, DR_SECRET_LEN, out->sha);
	snprintf(
	    text, DR_API_KEY_SIZE, "%s%s-%s-%s", prefix, account, out->key_id, secret);
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
dr_account_id_ok(const char *text)
{
	return strlen(text) == DR_ACCOUNT_LEN &&
	       strspn(text, id_letters) == DR_ACCOUNT_LEN;
}

bool
dr_request_id_account(const char *id, char account[DR_ACCOUNT_LEN + 1])
{
	if (strlen(id) != DR_REQUEST_ID_SIZE - 1 || strncmp(id, "req_", 4) != 0 ||
	    strspn(id + 4, id_letters) != DR_REQUEST_ID_SIZE - 5)
		return false;
	memcpy(account, id + 4 + DR_REQUEST_ID_LEN, DR_ACCOUNT_LEN + 1);
	return true;
}
