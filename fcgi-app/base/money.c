/*
 * money - see the header. Digits in, digits out: no floating point comes near an
 * amount.
 */
#include "base/money.h"

#include <inttypes.h>
#include <stdio.h>

#define PLACES 9 /* digits of a nano-USD after the point */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Put one more digit behind `value`; false where it would leave DR_MONEY_MAX. */
static bool
add_digit(int64_t *value, char c)
{
	if (*value > (DR_MONEY_MAX - (c - '0')) / 10)
		return false;
	*value = *value * 10 + (c - '0');
	return true;
}

bool
dr_money_parse(const char *text, int64_t *nano)
{
	int64_t value = 0;
	int places = 0;

	if (!is_digit(*text))
		return false;
	for (; is_digit(*text); text++)
		if (!add_digit(&value, *text))
			return false;
	if (*text == '.') {
		if (!is_digit(*++text))
			return false;
		for (; is_digit(*text); text++, places++)
			if (places == PLACES || !add_digit(&value, *text))
				return false;
	}
	if (*text != '\0')
		return false;
	for (; places < PLACES; places++)
		if (!add_digit(&value, '0'))
			return false;
	*nano = value;
	return true;
}

void
dr_money_format(int64_t nano, char out[DR_MONEY_TEXT])
{
	/* negated as unsigned: INT64_MIN has no positive twin */
	uint64_t size = nano < 0 ? -(uint64_t)nano : (uint64_t)nano;
	uint64_t whole = size / (uint64_t)DR_NANO_PER_USD;
	unsigned fraction = (unsigned)(size % (uint64_t)DR_NANO_PER_USD);
	int n;

	n = snprintf(out, DR_MONEY_TEXT, "%s%" PRIu64 ".%0*u", nano < 0 ? "-" : "",
	    whole, PLACES, fraction);
	while (out[n - 1] == '0')
		n--;
	if (out[n - 1] == '.')
		n--;
	out[n] = '\0';
}
