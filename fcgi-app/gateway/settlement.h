/*
 * settlement - what a request costs, told to Redis in one receipt.
 *
 * Who pays for what (api-contract.md section 6): refused or failed before the first
 * byte: nothing. Complete: the provider's usage. Cut by the provider or left by the
 * client: the usage seen so far; output that was not reported yet is estimated from the
 * bytes produced and marked.
 */
#ifndef DR_SETTLEMENT_H
#define DR_SETTLEMENT_H

#include "gateway/request.h"

/* At most once a second: tell the ticket what the stream has cost so far, for the
 * lease's renewal. */
void dr_cost_so_far(struct dr_request *req);

/* Take the usage over from the stream, with estimates where `final` output is missing.
 */
void dr_usage_so_far(
    const struct dr_request *req, struct dr_usage *usage, bool *estimated);

/* Book it. Returns the charge in nano-USD (0 where nothing was admitted). */
int64_t dr_settle(struct dr_request *req) DR_MUSTCHECK;

#endif
