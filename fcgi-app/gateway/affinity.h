/*
 * affinity - which requests belong to one conversation, so that they find the prompt
 * cache that the one before them has filled.
 *
 * A number, the same for all turns of a conversation and another for almost any other;
 * dr_route() gives each number a home among the providers (rendezvous hashing), so that
 * nothing has to be remembered or shared: the home lasts as long as the provider is a
 * candidate, which is longer than any prompt cache, and is the same in every process.
 *
 * It comes, in this order, from what the client says its session is (headers of
 * claude-code and codex, x-session-affinity), `prompt_cache_key`, `metadata.user_id`,
 * or the texts that every turn repeats: the system prompt, and the messages up to the
 * first of the user's (Chat's first one is the same in many conversations), without
 * cache_control, which clients move on with each turn. The account is always part of
 * it. Pure.
 */
#ifndef DR_AFFINITY_H
#define DR_AFFINITY_H

#include <stddef.h>
#include <stdint.h>

#include "dialects/dialect.h"

#define DR_AFFINITY_VALUE_BYTES                                                        \
	65536                      /* walked of the system prompt, of the messages     \
				    */
#define DR_AFFINITY_TEXT_BYTES 256 /* hashed at each end of a text there */

/* `session`: the session's name from a header, "" or NULL: none. Never 0. */
uint64_t dr_affinity_of(const char *account, const char *session, const char *body,
    const struct dr_body_facts *facts);

/* Mix two numbers into one: the weight of a provider for a conversation. */
uint64_t dr_affinity_mix(uint64_t a, uint64_t b);
/* After FNV-1a, by words of this machine: never stored, never sent. */
uint64_t dr_affinity_hash(uint64_t seed, const void *bytes, size_t len);
#define DR_AFFINITY_SEED UINT64_C(0xcbf29ce484222325)

#endif
