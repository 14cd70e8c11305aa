/*
 * binding - what ties a request to the organisation at whose account an earlier answer
 * was made: previous_response_id, conversation, and encrypted reasoning, which only
 * that organisation can read. OpenAI Responses has these; the other two APIs have not.
 *
 * Neither ids nor secrets are kept, only marks of them: two 64-bit hashes of the text
 * as it stands between its quotes, backslashes left out, since "\/" is "/". Pure.
 */
#ifndef DR_BINDING_H
#define DR_BINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dr_body_facts;

struct dr_mark { /* both 0: none */
	uint64_t a, b;
};

struct dr_mark dr_mark_of(const char *text, size_t len);

static inline bool
dr_mark_is(struct dr_mark mark)
{
	return mark.a != 0 || mark.b != 0;
}

/* ---- encrypted reasoning, found while bytes pass ---- */

#define DR_MAX_SEALED 8 /* the last ones are kept */

/* Reads the values of "encrypted_content" out of JSON, in pieces of any size. Zeroed:
 * at the start. */
struct dr_sealed {
	struct dr_mark kept[DR_MAX_SEALED]; /* kept[i % DR_MAX_SEALED], i < n */
	unsigned n;                         /* how many different ones in a row came */
	unsigned matched;
	bool escaped;
	struct dr_mark at_hand;
};

void dr_sealed_feed(struct dr_sealed *sealed, const char *bytes, size_t len);

/* ---- a request's body and a unary answer ---- */

#define DR_MAX_BINDINGS 6 /* of a body: the two ids, and encrypted pieces */

/* What the body of a Responses request refers to; what counts more comes first. */
size_t dr_binding_of_body(const char *body, const struct dr_body_facts *facts,
    struct dr_mark out[DR_MAX_BINDINGS]);

/* What later requests may refer to in an answer. */
struct dr_answer_marks {
	struct dr_mark id, conversation;
	struct dr_sealed sealed;
};

/* A whole answer, or as much of it as there is. */
void dr_binding_of_answer(const char *body, size_t len, struct dr_answer_marks *out);

#endif
