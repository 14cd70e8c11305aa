/*
 * retry_budget - see the header: a bucket, counted from its rim downwards.
 */
#include "gateway/retry_budget.h"

#define ONE 1000

static int64_t
spent_now(const struct dr_retry_budget *budget, uint64_t now_ms)
{
	int64_t back =
	    (int64_t)(now_ms - budget->at_ms) * (DR_RETRY_FLOOR_PER_S * ONE / 1000);

	return budget->spent > back ? budget->spent - back : 0;
}

static void
set(struct dr_retry_budget *budget, int64_t spent, uint64_t now_ms)
{
	budget->spent = spent > 0 ? spent : 0;
	budget->at_ms = now_ms;
}

void
dr_retry_budget_earn(struct dr_retry_budget *budget, unsigned percent, uint64_t now_ms)
{
	set(budget, spent_now(budget, now_ms) - (int64_t)percent * ONE / 100, now_ms);
}

bool
dr_retry_budget_left(const struct dr_retry_budget *budget, uint64_t now_ms)
{
	return spent_now(budget, now_ms) <= (DR_RETRY_MOST - 1) * ONE;
}

void
dr_retry_budget_spend(struct dr_retry_budget *budget, uint64_t now_ms)
{
	set(budget, spent_now(budget, now_ms) + ONE, now_ms);
}
