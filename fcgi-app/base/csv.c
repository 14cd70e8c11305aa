/*
 * csv - see the header.
 */
#include "base/csv.h"

#include <string.h>

void
dr_csv_add(struct dr_strbuf *out, const char *text, bool foreign)
{
	const char *guard =
	    foreign && text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL ? "'"
									      : "";

	if (text[strcspn(text, ",\"\r\n")] == '\0') {
		dr_strbuf_adds(out, guard);
		dr_strbuf_adds(out, text);
		return;
	}
	dr_strbuf_addc(out, '"');
	dr_strbuf_adds(out, guard);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			dr_strbuf_addc(out, '"');
		dr_strbuf_addc(out, *text);
	}
	dr_strbuf_addc(out, '"');
}
