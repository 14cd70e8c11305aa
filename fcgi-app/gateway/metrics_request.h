/*
 * metrics_request - what a request and a process add to the metrics, in one place.
 */
#ifndef DR_METRICS_REQUEST_H
#define DR_METRICS_REQUEST_H

#include "gateway/request.h"

/* A request has ended. */
void dr_metrics_request(struct dr_request *req, int64_t charge_nano);
/* Its admission has been answered; its first call of a provider begins; a piece of a
 * provider's stream is in. */
void dr_metrics_admitted(const struct dr_request *req);
void dr_metrics_sent(const struct dr_request *req);
void dr_metrics_piece(struct dr_request *req);

/* The gauges of this process: dr_metrics_new()'s collect. */
void dr_metrics_collect(void *gateway);

#endif
