/*
 * hex - bytes as hexadecimal digits and back. Digits are read in any case and written
 * in lower case.
 */
#ifndef DR_HEX_H
#define DR_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"

/* 0..15, or -1: no hexadecimal digit. */
int dr_hex_digit(char c);
/* The 2 * n characters at `digits` as n bytes. False, with *out in part written: one of
 * them is no digit. What follows them is not looked at. */
bool dr_hex_read(const char *digits, size_t n, uint8_t *out) DR_MUSTCHECK;
/* n bytes as 2 * n digits; no NUL is added. */
void dr_hex_write(const uint8_t *bytes, size_t n, char *out);

#endif
