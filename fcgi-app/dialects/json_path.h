/*
 * json_path - a few values out of a JSON document that arrives in pieces.
 *
 * A table of rules names the members of interest, level by level; the rest is skipped
 * by matching brackets and strings. Nothing is collected but short scalars and the one
 * value that a rule asks to have captured, so a document of any size takes the same
 * memory. Not a validator: text that is not JSON stops the reading, quietly, and then
 * dr_json_path_whole() stays false.
 *
 * Units: bytes. Thread: any, one at a time. Callbacks run inside dr_json_path_feed().
 */
#ifndef DR_JSON_PATH_H
#define DR_JSON_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "dialects/json_scan.h"

enum dr_json_want {
	DR_JSON_NOTE,    /* report that it is there, and its type */
	DR_JSON_SHORT,   /* a scalar's bytes, the first DR_JSON_SHORT_BYTES of them */
	DR_JSON_BYTES,   /* how many bytes a string holds, piece by piece */
	DR_JSON_CAPTURE, /* the raw bytes of any value, collected in `capture` */
};

#define DR_JSON_SHORT_BYTES 64
#define DR_JSON_PATH_DEPTH  10 /* levels that a table of rules may have */

/* A member of interest. A table ends with a row whose key is NULL. */
struct dr_json_rule {
	const char *key; /* "[]": each element of an array */
	size_t key_len;
	unsigned id; /* what the callback is told; 0: it is not called */
	enum dr_json_want want;
	const struct dr_json_rule *below; /* members of this value; NULL: skip them */
};

#define DR_JSON_KEY(text) .key = text, .key_len = sizeof text - 1

struct dr_json_value {
	enum dr_json_type type;
	bool opened; /* an object or array begins, whatever is wanted of it: no text yet
		      */
	bool cut;    /* `text` holds the beginning only */
	const char
	    *text;  /* strings without quotes, escapes as they are; NULL: NOTE, BYTES */
	size_t len; /* of text; for BYTES, what this piece adds */
};

struct dr_json_path {
	void (*value)(void *arg, unsigned id, const struct dr_json_value *value);
	void *arg;
	const struct dr_json_rule
	    *rules[DR_JSON_PATH_DEPTH];  /* of each open container */
	const struct dr_json_rule *rule; /* of the value at hand; NULL: none */
	const struct dr_json_rule
	    *capture_rule;         /* what is being captured; NULL: nothing */
	struct dr_strbuf *capture; /* borrowed; cleared when a capture begins */
	const char *mark;  /* inside feed: bytes from here on are not captured yet */
	uint64_t skipping; /* open containers within the one that is skipped */
	uint32_t objects;  /* bit n: the container on level n is an object */
	uint8_t depth, state, type, capture_type, capture_depth, text_len;
	bool escaped, cut;
	char text[DR_JSON_SHORT_BYTES];
};

/* Begin a document. `value`, `arg` and `capture` (NULL: no rule captures) are kept. */
void dr_json_path_init(struct dr_json_path *path, const struct dr_json_rule *rules,
    struct dr_strbuf *capture,
    void (*value)(void *arg, unsigned id, const struct dr_json_value *value),
    void *arg);

void dr_json_path_feed(struct dr_json_path *path, const char *bytes, size_t len);

/* Has one whole object been read? */
bool dr_json_path_whole(const struct dr_json_path *path);

#endif
