/*
 * duties - what derouter-watcher does by the clock, one row and one file each
 * (watcher.h says what a duty is).
 */
#ifndef DR_DUTIES_H
#define DR_DUTIES_H

#include "operator/watcher.h"

extern const struct dr_duty dr_duty_beat; /* beat.c: the watcher's own sign of life */
extern const struct dr_duty
    dr_duty_probes; /* probes.c: is a provider without a node there? */

extern const struct dr_duty
    dr_duty_sweeps; /* sweeps.c: requests whose process died are booked */

extern const struct dr_duty
    dr_duty_deposits; /* deposits.c: USDC deposits are followed on chain */

#endif
