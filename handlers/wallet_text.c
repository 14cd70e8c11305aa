/*
 * wallet_text - see the header.
 */
#include "handlers/wallet_text.h"

#include <string.h>

#include "base/json.h"
#include "handlers/api_json.h"
#ifdef DR_WITH_WALLET
#include "ethereum/address.h"
#endif

void
wallet_text_write(struct dr_strbuf *out, const char *lower)
{
#ifdef DR_WITH_WALLET
	uint8_t bytes[DR_ADDRESS_BYTES];
	char text[DR_ADDRESS_TEXT];

	if (dr_address_parse(lower, strlen(lower), bytes)) {
		dr_address_print(bytes, text);
		dr_json_add_string(out, text);
		return;
	}
#endif
	dr_json_add_string(out, lower);
}

void
wallet_text_add(struct dr_strbuf *out, const char *name, const char *lower)
{
	dr_api_name(out, name);
	wallet_text_write(out, lower);
}
