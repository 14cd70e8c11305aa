/*
 * access_log - one JSON line per request, with fixed keys (architecture.md section 7).
 *
 * Written at SETTLE, gathered and written once per loop turn; a line is never split
 * between two writes of one process unless the disk is full. SIGHUP opens the file anew
 * (log rotation).
 */
#ifndef DR_ACCESS_LOG_H
#define DR_ACCESS_LOG_H

#include "base/dr_assert.h"
#include "io/loop.h"

struct dr_access_log; /* opaque */
struct dr_request;

/* path "": no log. NULL where the file cannot be opened: said in the operator's log. */
struct dr_access_log *dr_access_log_new(
    struct dr_loop *loop, const char *path) DR_MUSTCHECK;
void dr_access_log_reopen(struct dr_access_log *log);
void dr_access_log_free(
    struct dr_access_log **log); /* writes what is left; NULL is fine */

void dr_access_log_write(
    struct dr_access_log *log, const struct dr_request *req, int64_t charge_nano);

/* Two letters: who ended it ('-' clean, C, U, P, L, R, K, I) and in which state (R A T
 * S Y N, '-' clean). */
void dr_end_code(const struct dr_request *req, char out[3]);

#endif
