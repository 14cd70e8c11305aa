/*
 * money - amounts in nano-USD (1 USD = 1 USDC = 10^9), as text and back. Integers only.
 *
 * |amount| stays below 2^53, the largest integer that Redis' Lua numbers hold exactly.
 */
#ifndef DR_MONEY_H
#define DR_MONEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_NANO_PER_USD INT64_C(1000000000)
#define DR_MONEY_MAX    ((INT64_C(1) << 53) - 1)
#define DR_MONEY_TEXT   32 /* bytes for any amount as text */

/*
 * "25", "25.00", "0.000000001": digits, at most nine after the point, no sign, no
 * exponent, no space, at most DR_MONEY_MAX. False: *nano is unchanged.
 */
bool dr_money_parse(const char *text, int64_t *nano);

/* Without trailing zeros: "10", "0.5", "-3.25". As in `API key budget ($N) exceeded`.
 */
void dr_money_format(int64_t nano, char out[DR_MONEY_TEXT]);

#endif
