/*
 * csv - cells of a CSV file (RFC 4180), written into a strbuf.
 *
 * A spreadsheet takes a cell that begins with = + - @ for a formula, quoted or not. In
 * a text that somebody else has chosen that would be their program on the reader's
 * machine: an apostrophe goes in front of it, which a spreadsheet takes for "text".
 * Numbers are left alone.
 */
#ifndef DR_CSV_H
#define DR_CSV_H

#include "base/strbuf.h"

/* A cell, quoted where it has to be; `foreign`: its text is not ours. The commas
 * between cells are the caller's. */
void dr_csv_add(struct dr_strbuf *out, const char *text, bool foreign);

#endif
