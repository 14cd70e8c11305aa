/*
 * ctl_served - what each provider has served on each UTC day, summed from ledger rows:
 * exact by construction, and at no cost to the requests themselves.
 */
#ifndef DR_CTL_SERVED_H
#define DR_CTL_SERVED_H

#include "operator/ctl_ledger.h"

/* Add a row (charge or abandoned) to sums "served:PROVIDER:DAY:WHAT". */
void ctl_served_add(
    struct ctl_sums *sums, const char *id, const struct ctl_reply *fields);

/* provider usage [NAME] [--since DATE] [--until DATE] [--csv] */
int ctl_provider_usage(struct ctl *ctl, int argc, char **argv);

#endif
