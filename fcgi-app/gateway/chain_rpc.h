/*
 * chain_rpc - batches of JSON-RPC calls to a chain's nodes, one batch at a time.
 *
 * Several nodes are used one after the other: whoever finds fault with one calls
 * dr_rpc_rotate(). Answers are capped, redirects are not followed, and a node's
 * address is never logged, since it may hold a key.
 *
 * Thread: the loop's. `done` comes exactly once per dr_rpc_send(), from the loop,
 * unless cancelled.
 */
#ifndef DR_CHAIN_RPC_H
#define DR_CHAIN_RPC_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "io/http_client.h"
#include "io/loop.h"

struct json_object;
struct dr_rpc;

/* NULL: no node's address can be read; said in err. All but `chain` are borrowed for
 * life, it during the call. */
struct dr_rpc *dr_rpc_new(struct dr_loop *loop, struct dr_http *http,
    const struct dr_chain *chain, char *err, size_t err_size);
void dr_rpc_free(struct dr_rpc **rpc); /* cancels; NULL is fine */

/* Longer answers are refused, as soon as they are; DR_RPC_MOST unless this was called.
 * Half a gigabyte and a second of the loop may go into JSON of DR_RPC_MOST. */
#define DR_RPC_MOST ((size_t)8 << 20)
void dr_rpc_cap(struct dr_rpc *rpc, size_t answer_bytes);

/* Gather a batch: begin, then calls, then send. `params` is JSON: "[\"0x1\",false]". */
void dr_rpc_begin(struct dr_rpc *rpc);
size_t dr_rpc_call(struct dr_rpc *rpc, const char *method, const char *params, ...)
    DR_PRINTF(3, 4); /* the number of the call */

/*
 * `why` NULL: every call has an answer, a result or an error of its own. Else: one line
 * that says what is wrong with the exchange or names the field that is malformed.
 */
void dr_rpc_send(struct dr_rpc *rpc, const struct dr_settings *settings,
    void (*done)(void *arg, const char *why), void *arg);

/* Valid until the next dr_rpc_begin(). NULL: JSON's null, or an error. */
struct json_object *dr_rpc_result(const struct dr_rpc *rpc, size_t call);
/* What the node says instead of a result; NULL: it gave one. */
const char *dr_rpc_error(const struct dr_rpc *rpc, size_t call);

void dr_rpc_rotate(struct dr_rpc *rpc);
void dr_rpc_use(struct dr_rpc *rpc, size_t node);
size_t dr_rpc_node(const struct dr_rpc *rpc); /* which one is in use, from 0 */
size_t dr_rpc_nodes(const struct dr_rpc *rpc);

#endif
