/*
 * ctl_zone - account set ACCOUNT --tz ZONE: the days and months of an account's
 * budgets.
 *
 * Redis knows no time zones: the account carries the offsets of its zone from UTC with
 * the moments at which they begin, for the years to come, as the system's tzdata says.
 * The scripts look the offset up, so that a budget's day begins at the account's own
 * midnight, on the days when the clocks change too.
 */
#ifndef DR_CTL_ZONE_H
#define DR_CTL_ZONE_H

#include "base/strbuf.h"
#include "operator/ctl.h"

int ctl_account_set(struct ctl *ctl, int argc, char **argv);

/*
 * Append "MS MINUTES MS MINUTES ..." for the zone from from_ms on for `years`: at MS
 * (since 1970) the offset becomes MINUTES. "UTC", "+05:30", or a name of tzdata. False:
 * no such zone.
 */
bool ctl_zone_offsets(
    const char *zone, int64_t from_ms, int years, struct dr_strbuf *out);

#endif
