/*
 * endpoint - from the params of a FastCGI request to what is asked of the gateway:
 * which endpoint, which key, which model. The checks' order is api-contract.md section
 * 2: route, key present, key valid, body readable, model present, model known; then the
 * limits.
 */
#ifndef DR_ENDPOINT_H
#define DR_ENDPOINT_H

#include "gateway/request.h"

/*
 * Find handler, shape of errors, request id and key. An error that must not wait for
 * the key (no such endpoint, wrong method) is noted in the request and returned; a
 * missing key is only noted (has_key).
 */
enum dr_error dr_endpoint_find(struct dr_request *req) DR_MUSTCHECK;

/* Is the handler one for which the key is checked first? */
bool dr_endpoint_wants_key(const struct dr_request *req);

/* The methods that there are for the request's path: "GET, PATCH". */
void dr_endpoint_methods(const struct dr_request *req, struct dr_strbuf *out);

/* Scan the body into req->facts and look the model up; notes nothing as an error yet.
 */
void dr_endpoint_read_body(struct dr_request *req, const char *body, size_t len);

/* The key is good: what else is wrong? ROUTE where nothing is. */
enum dr_req_state dr_endpoint_check_body(struct dr_request *req) DR_MUSTCHECK;

/* Body and model are fine as far as can be told before the key is known to be good. */
bool dr_endpoint_is_servable(const struct dr_request *req);

/* Admission said no: the error with its number, wait and names. */
enum dr_req_state dr_endpoint_refuse(
    struct dr_request *req, enum dr_error err) DR_MUSTCHECK;

/* May the (admitted) key call this model? */
bool dr_endpoint_allows(const struct dr_request *req, const char *model);

/*
 * What the request's variants (service_tier, speed ...) multiply this price by, into
 * *ppm. False: the row does not offer one of them, or a tool of the vendor's. While the
 * body is there.
 */
bool dr_endpoint_is_priced(const struct dr_request *req, const struct dr_price *price,
    int64_t *ppm) DR_MUSTCHECK;

#endif
