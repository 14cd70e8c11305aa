/*
 * local_call - one question to Redis at a time, for a LOCAL handler that needs no more.
 *
 * The handler's own struct has a struct dr_local_call as its first member.
 * dr_local_call_new() makes it and gives it to the request, at whose end the question
 * is cancelled and the struct freed. A handler that must give back more than that (a
 * body, a stream of rows) has a cancel_local of its own instead (gateway/request.h).
 */
#ifndef DR_LOCAL_CALL_H
#define DR_LOCAL_CALL_H

#include <stddef.h>

#include "base/errors.h"
#include "io/store.h"

struct dr_request;

struct dr_local_call {
	struct dr_store_call call; /* its `done` is set anew for another question */
	struct dr_request *req;    /* borrowed: the owner */
};

/* `size` bytes, all zero behind their first member; borrowed from the request. */
void *dr_local_call_new(struct dr_request *req, size_t size,
    void (*done)(struct dr_store_call *, enum dr_error, const struct dr_reply *));

/* What `done` was called for: a pointer to the handler's own struct. */
void *dr_local_call_of(struct dr_store_call *call);

#endif
