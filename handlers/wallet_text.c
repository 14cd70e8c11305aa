/*
 * wallet_text - see the header.
 */
#include "handlers/wallet_text.h"

#include <string.h>

#include "handlers/api_json.h"
#ifdef DR_WITH_WALLET
#include "ethereum/address.h"
#endif

void
wallet_text_add(struct dr_strbuf *out, const char *name, const char *lower)
{
#ifdef DR_WITH_WALLET
	uint8_t bytes[DR_ADDRESS_BYTES];
	char text[DR_ADDRESS_TEXT];

	if (dr_address_parse(lower, strlen(lower), bytes)) {
		dr_address_print(bytes, text);
		dr_api_add_text(out, name, text);
		return;
	}
#endif
	dr_api_add_text(out, name, lower);
}
