/*
 * api_ledger - what the two answers with an account's ledger share: the bounds of what
 * is asked for.
 */
#ifndef DR_API_LEDGER_H
#define DR_API_LEDGER_H

#include <stdbool.h>

#include "gateway/stream_read.h"
#include "handlers/api_json.h"

struct dr_request;

/* ?since= and ?until= into from and to: a date, a time (RFC 3339) or the id of a row,
 * both inclusive. False: the request has failed. */
bool dr_api_ledger_bounds(struct dr_request *req, const struct dr_api_query *query,
    struct dr_stream_read *read) DR_MUSTCHECK;

#endif
