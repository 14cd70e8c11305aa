/*
 * retry_budget - how many second attempts a process may make: a share of the requests
 * that it serves, and a few a second in any case, so that an outage of the providers
 * never multiplies the load on them.
 *
 * Pure. Units: thousandths of an attempt; ms.
 */
#ifndef DR_RETRY_BUDGET_H
#define DR_RETRY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define DR_RETRY_FLOOR_PER_S 10  /* attempts a second, however little is served */
#define DR_RETRY_MOST        100 /* attempts that can be saved up */

struct dr_retry_budget { /* zeroed: full at its first use */
	int64_t spent;   /* below the ceiling */
	uint64_t at_ms;
};

/* A request is served: `percent` of an attempt is earned. */
void dr_retry_budget_earn(
    struct dr_retry_budget *budget, unsigned percent, uint64_t now_ms);
bool dr_retry_budget_left(const struct dr_retry_budget *budget, uint64_t now_ms);
void dr_retry_budget_spend(struct dr_retry_budget *budget, uint64_t now_ms);

#endif
