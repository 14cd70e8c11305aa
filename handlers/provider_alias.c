/*
 * provider_alias - see the header. The key of the secrets goes in: without it, whoever
 * guesses a name could tell whether it is right.
 */
#include "handlers/provider_alias.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

void
provider_alias(const struct dr_seal_key *key, const char *account, const char *provider,
    char out[PROVIDER_ALIAS_SIZE])
{
	char text[DR_SEAL_KEY_BYTES + 256], sha[DR_SHA256_HEX];

	memcpy(text, key->bytes, DR_SEAL_KEY_BYTES);
	snprintf(text + DR_SEAL_KEY_BYTES, sizeof text - DR_SEAL_KEY_BYTES, "%s/%s",
	    account, provider);
	dr_sha256_hex(text, DR_SEAL_KEY_BYTES + strlen(text + DR_SEAL_KEY_BYTES), sha);
	dr_wipe(text, sizeof text);
	snprintf(out, PROVIDER_ALIAS_SIZE, "p_%.8s", sha);
}
