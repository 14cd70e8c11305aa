/*
 * dialect - what differs between Anthropic Messages, OpenAI Chat and OpenAI Responses.
 *
 * Pure: no I/O, no clock, no configuration. Three jobs: reading what matters of a
 * request's body, writing errors in the API's own shape, and listening to the
 * provider's answer (usage, errors, end) while the bytes pass through unchanged.
 */
#ifndef DR_DIALECT_H
#define DR_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "base/errors.h"
#include "base/limits.h"
#include "base/strbuf.h"
#include "dialects/binding.h"

enum dr_dialect_id {
	DR_DIALECT_ANTHROPIC,
	DR_DIALECT_CHAT,
	DR_DIALECT_RESPONSES,
	DR_N_DIALECTS
};

/* ---- the request's body ---- */

struct dr_span { /* bytes of the body; len 0: absent */
	size_t at, len;
};

/* A tool of the request that the caller does not run itself. */
struct dr_vendor_tool {
	size_t element;      /* its place in `tools` */
	struct dr_span type; /* the value with its quotes */
};
#define DR_MAX_VENDOR_TOOLS 16

/*
 * What a request's body says on its top level. Filled by dr_body_read(); nothing points
 * into the body, spans are offsets.
 */
struct dr_body_facts {
	enum dr_error err; /* DR_OK; BAD_JSON, NO_MODEL or BAD_FIELD with `problem` */
	char problem[200]; /* the message for the caller, names the field or the byte */

	char model[DR_MAX_MODEL_NAME + 1];
	struct dr_span model_at; /* the value with its quotes */
	bool stream;
	int64_t max_tokens; /* of whichever field the dialect has; -1: absent */
	int64_t choices;    /* chat's `n`; 1 elsewhere */

	int include_usage;                /* chat: -1 absent, 0 false, 1 true */
	struct dr_span stream_options;    /* chat: the object; len 0: absent or null */
	struct dr_span stream_options_at; /* the value's bytes, null too */
	bool stream_options_null;         /* the member is there, as null */

	/* what may change the price: the raw value, for models.json; null is absent */
	struct dr_span service_tier, speed, inference_geo;
	/*
	 * What binds a request to a provider's organisation, or to its cache.
	 * Responses' `instructions` and `input` stand in `system` and `messages`.
	 */
	struct dr_span previous_response_id, conversation, prompt_cache_key;
	struct dr_span metadata, system, messages;

	/* what may cost something beside its tokens: see dr_body_extra() */
	struct dr_span web_search_options, modalities, audio;
	struct dr_vendor_tool vendor_tools[DR_MAX_VENDOR_TOOLS];
	size_t n_vendor_tools;
	struct dr_span store; /* Responses: false: nobody can refer to its answer */
};

/*
 * Read `len` bytes as a request of this dialect. A key that matters and stands twice is
 * BAD_JSON ("duplicate field \"model\" at byte N"): provider and gateway might read
 * different ones. model missing, null or "" -> NO_MODEL; a model that is not a string,
 * `stream` not a boolean, max_tokens not a whole number >= 0 (null counts as absent) ->
 * BAD_FIELD naming it; `background: true` on Responses -> BAD_FIELD. Of several
 * troubles BAD_JSON is told first, then NO_MODEL, then the first BAD_FIELD.
 */
void dr_body_read(enum dr_dialect_id dialect, const char *body, size_t len,
    struct dr_body_facts *out);

/* What a request asks for that costs more than its tokens. */
struct dr_extra {
	char field[40]; /* "tools[3].type", "web_search_options", "modalities" */
	char value[64]; /* "code_execution_20260521"; "" where the field says it all */
};

/*
 * The first thing that the request asks for, and whose price `offers` does not know: a
 * tool that the vendor runs, by its name without the version's date ("web_search",
 * "code_execution"), or sound, which is never offered. Tools that the caller runs cost
 * nothing. False: all is offered. Of a body without errors only.
 */
bool dr_body_extra(enum dr_dialect_id dialect, const char *body,
    const struct dr_body_facts *facts, bool (*offers)(void *arg, const char *tool),
    void *arg, struct dr_extra *out) DR_MUSTCHECK;

/* One change of the body on its way: `drop` bytes at `at` are replaced by `text`. */
struct dr_edit {
	size_t at, drop;
	char text[DR_MAX_MODEL_NAME * 6 + 64];
};
#define DR_MAX_EDITS 2

/*
 * The edits for this attempt, in order of `at`: the model's name at this provider
 * (NULL: as it is), and for a chat stream without include_usage true,
 * stream_options.include_usage. Returns their number (0 .. DR_MAX_EDITS).
 */
unsigned dr_body_edits(enum dr_dialect_id dialect, const char *body,
    const struct dr_body_facts *facts, const char *model_there,
    struct dr_edit edits[DR_MAX_EDITS]);

/* ---- errors in the API's own shape ---- */

/* Append the body of an error answer. openai_code NULL: null. */
void dr_error_body(enum dr_dialect_id dialect, enum dr_error err, const char *message,
    const char *request_id, struct dr_strbuf *out);

/*
 * Append what tells a client, inside a stream whose head is out, that it broke: a whole
 * SSE event in the dialect's own form (api-contract.md section 4). `sequence` is used
 * by Responses: the sequence_number to give, that is the last one seen + 1.
 */
void dr_error_event(enum dr_dialect_id dialect, enum dr_error err, const char *message,
    const char *request_id, int64_t sequence, struct dr_strbuf *out);

/* ---- the model's name in an answer ---- */

/*
 * Append a unary answer, or whole events of a stream, to `out`, the model's name
 * `there` replaced by `here` where the API names the model of the answer; all else as
 * it is. Both names are JSON text as it stands between quotes. Of an event that comes
 * in slices (above DR_MAX_EVENT_HOLD), or a unary answer that does (above
 * DR_MAX_UNARY_BYTES), only a name in the first is found.
 */
void dr_rename_answer(const char *body, size_t len, const char *there, const char *here,
    struct dr_strbuf *out);
void dr_rename_events(const char *events, size_t len, const char *there,
    const char *here, struct dr_strbuf *out);

/* ---- usage ---- */

/* Four disjoint counts, whatever the dialect. Each >= 0. */
struct dr_usage {
	int64_t input;          /* uncached */
	int64_t cache_write_5m; /* written without naming a lifetime counts here */
	int64_t cache_write_1h;
	int64_t cache_read;
	int64_t output;       /* reasoning inside */
	int64_t web_searches; /* by the vendor's own tool */
	bool input_seen;      /* the provider reported it, be it 0 */
	bool output_seen;     /* ... its final or cumulative count */
};

/*
 * Usage of a complete unary answer; raw (may be NULL) gets the usage block's bytes,
 * unless there are more than DR_MAX_RAW_USAGE. False: no count is told.
 */
bool dr_usage_of_answer(enum dr_dialect_id dialect, const char *body, size_t len,
    struct dr_usage *out, struct dr_strbuf *raw);

/* ---- an error answer of a provider (status >= 400, or an error event's JSON) ---- */

enum dr_fault {
	DR_FAULT_NONE,       /* not an error in the dialect's shape */
	DR_FAULT_CALLER,     /* the request's own fault: pass it through */
	DR_FAULT_ACCOUNT,    /* the provider's account: credit, quota, credential */
	DR_FAULT_OVERLOADED, /* rate limited or overloaded */
	DR_FAULT_SERVER      /* anything else on the provider's side */
};

struct dr_provider_error {
	enum dr_fault fault;
	char type[64]; /* as sent, "" where absent */
	char code[64];
	char message[512]; /* cut at a whole UTF-8 character */
};

/*
 * Judge an error answer by status (0: an error event in a 200 stream) and body. 402,
 * Anthropic 400 "credit balance is too low", OpenAI 429 insufficient_quota, 401, 403 ->
 * ACCOUNT; 429, 503, 529, overloaded_error, rate_limit_error -> OVERLOADED; other 4xx
 * -> CALLER where the body is JSON in the dialect's error shape, NONE where it is not;
 * 5xx, 3xx, 408 -> SERVER. Returns whether the body is in that shape.
 */
bool dr_read_provider_error(enum dr_dialect_id dialect, int status, const char *body,
    size_t len, struct dr_provider_error *out);

/* ---- listening to a stream ---- */

/*
 * A tap splits a provider's SSE bytes into events, listens, and hands on what goes to
 * the client: the very bytes, in order, cut only between events (so that an error event
 * can always follow), except for an unfinished event above DR_MAX_EVENT_HOLD, which is
 * handed on as it comes. A chat tap with `strip_usage` leaves out the extra usage chunk
 * (`choices` empty, `usage` present) that the client did not ask for.
 *
 * Constant memory: an event of many MB is scanned, never collected.
 */
struct dr_tap; /* opaque */

struct dr_tap *dr_tap_new(enum dr_dialect_id dialect, bool strip_usage,
    void (*emit)(void *arg, const char *bytes, size_t len), void *arg);
void dr_tap_free(struct dr_tap **tap); /* NULL is fine */

/*
 * Feed what came; `emit` is called inside, with slices of `bytes` or of what was held.
 * It must not feed, end or free the tap.
 */
void dr_tap_feed(struct dr_tap *tap, const char *bytes, size_t len);

/*
 * The upstream ended. Bytes still held (an unfinished event) are dropped when the
 * stream was not complete; when it was, they are handed on (a trailing "data: [DONE]"
 * without its blank line). A dropped error event sets error_seen only while nothing is
 * decided: afterwards the client still has to be told.
 */
void dr_tap_end(struct dr_tap *tap);

struct dr_tap_state {
	uint64_t events;  /* whole events seen (comments are none) */
	bool error_seen;  /* an error event came: `error` tells */
	bool error_first; /* ... and nothing but undecided events came before it */
	/*
	 * An event came that is not one of the undecided ones: Anthropic's ping,
	 * response.created and response.queued of Responses. Also true once an
	 * unfinished event is partly out. Until then another provider may still be
	 * tried.
	 */
	bool decided;
	bool token_seen; /* the first piece of output came */
	/*
	 * The dialect's own end came: message_stop; [DONE], or finish_reason and a
	 * clean end; response.completed or response.incomplete.
	 */
	bool complete;
	/*
	 * An unfinished event longer than the hold is partly out: whatever is said next
	 * must begin with an empty line.
	 */
	bool mid_event;
	int64_t sequence; /* Responses: the last sequence_number; -1: none */
	/* Bytes of text, thinking and tool arguments in deltas: for estimates. */
	uint64_t output_bytes;
	struct dr_provider_error error;
	struct dr_answer_marks marks; /* Responses: what later requests may refer to */
	struct dr_usage usage;        /* so far; cumulative message_delta overwrites */
	/* The last usage block's bytes, NUL-terminated; "" while none. Until the next
	 * feed. */
	const char *raw_usage;
};

const struct dr_tap_state *dr_tap_state(const struct dr_tap *tap);

#endif
