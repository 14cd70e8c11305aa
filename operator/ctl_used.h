/*
 * ctl_used - what keys have used, summed from an account's ledger.
 *
 * Sums are named "used:KID:WHAT", as the opening of a trimmed ledger keeps them.
 */
#ifndef DR_CTL_USED_H
#define DR_CTL_USED_H

#include "operator/ctl_ledger.h"

/* Add a row "charge" or "abandoned". */
void ctl_used_add(
    struct ctl_sums *sums, const char *id, const struct ctl_reply *fields);

int ctl_usage(struct ctl *ctl, int argc, char **argv);

#endif
