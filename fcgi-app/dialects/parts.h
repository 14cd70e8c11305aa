/*
 * parts - what differs per dialect, as a table of constants and small functions.
 *
 * Private to dialects/. The dialect's own file fills one struct dr_dialect_parts;
 * tap.c, usage.c, body.c and error_body.c hold what is the same for all. A fourth API
 * is a fourth such file and a row in dr_dialect_parts().
 */
#ifndef DR_PARTS_H
#define DR_PARTS_H

#include "dialects/dialect.h"
#include "dialects/json_path.h"

/* ---- reading answers and events: what the rules' ids mean ---- */

enum dr_count {
	DR_COUNT_INPUT,
	DR_COUNT_OUTPUT,
	DR_COUNT_CACHE_WRITE,
	DR_COUNT_CACHE_READ,
	DR_COUNT_CACHE_5M,
	DR_COUNT_CACHE_1H,
	DR_COUNT_WEB_SEARCH,
	DR_N_COUNTS
};

enum dr_seen {
	DR_SEEN_TYPE = 1, /* the event's type */
	DR_SEEN_SEQUENCE, /* sequence_number */
	DR_SEEN_OUTPUT,   /* bytes of text, thinking or tool arguments */
	DR_SEEN_CHOICES,  /* chat: the array */
	DR_SEEN_CHOICE,   /* ... an element of it */
	DR_SEEN_FINISH,   /* chat: finish_reason */
	DR_SEEN_ERROR,    /* a member that tells of an error; null does not */
	DR_SEEN_ERROR_TYPE,
	DR_SEEN_ERROR_CODE,
	DR_SEEN_ERROR_MESSAGE, /* captured */
	DR_SEEN_USAGE,         /* captured */
	DR_SEEN_ITEM,          /* Responses: an item of the output begins */
	DR_SEEN_ITEM_TYPE,     /* ... its type */
	DR_SEEN_ITEM_ACTION,   /* ... what a web_search_call did */
	DR_SEEN_SEARCHES,      /* ... the provider's own count of searches */
	DR_SEEN_ID,            /* captured: the response's */
	DR_SEEN_CONVERSATION,  /* captured: its id */
	DR_SEEN_COUNT          /* DR_SEEN_COUNT + enum dr_count; the last of the list */
};

/* The numbers of one usage block. Absent and null are not 0: `seen` tells. */
struct dr_counts {
	int64_t value[DR_N_COUNTS]; /* 0 .. DR_MAX_COUNT */
	unsigned seen;              /* bit n: value[n] was reported */

	/* Responses: items of the output that are searches, and the item at hand */
	int64_t searches, searches_told; /* told: the provider's own count */
	bool item_searches, item_only_reads;
};

/* Above this a count is a provider's bug; 2^40 tokens still fit every later product. */
#define DR_MAX_COUNT (INT64_C(1) << 40)

static inline bool
dr_counted(const struct dr_counts *counts, enum dr_count which)
{
	return (counts->seen >> which & 1) != 0;
}

/* A number of the usage block; anything but a number is ignored. */
void dr_counts_take(
    struct dr_counts *counts, unsigned id, const struct dr_json_value *value);

/* An item's beginning, its type or action, or the count beside the output. */
void dr_searches_take(
    struct dr_counts *counts, unsigned id, const struct dr_json_value *value);
/* Searches that these items and the provider's own count show; the greater one. */
int64_t dr_searches(const struct dr_counts *counts);

/* The OpenAI way, where the input includes what was cached. */
void dr_usage_split_input(const struct dr_counts *counts, struct dr_usage *usage);

/* ---- judging an event ---- */

/* What was read of one event. */
struct dr_event {
	char type[DR_JSON_SHORT_BYTES]; /* of the data, else the SSE name; "" neither */
	bool done_mark;                 /* the data begins with [DONE] */
	bool choices, choice;           /* chat: the array is there; it is not empty */
	bool finish;                    /* chat: a choice has a finish_reason */
	bool usage;                     /* a usage object is there */
	bool error;                     /* an error member is there and not null */
	int64_t sequence;               /* -1: none */
	uint64_t output_bytes;
	struct dr_counts counts;
};

enum dr_event_flag {
	DR_EVENT_UNDECIDED = 1, /* an error may still come instead of an answer */
	DR_EVENT_ERROR = 2,
	DR_EVENT_OUTPUT = 4,  /* its output_bytes are output */
	DR_EVENT_END = 8,     /* the answer is complete */
	DR_EVENT_FINISH = 16, /* ... provided that the stream ends cleanly */
	DR_EVENT_FINAL = 32,  /* its output count is the final or a cumulative one */
	DR_EVENT_EXTRA = 64,  /* the chunk that include_usage adds */
	DR_EVENT_ITEM = 128,  /* an item of the output is whole */
};

/* ---- a request's body ---- */

enum dr_field {
	DR_FIELD_MODEL,
	DR_FIELD_STREAM,
	DR_FIELD_MAX_TOKENS,
	DR_FIELD_MAX_TOKENS_TOO, /* a second name of the same, beside the first */
	DR_FIELD_CHOICES,
	DR_FIELD_BACKGROUND,
	DR_FIELD_STREAM_OPTIONS,
	DR_FIELD_TOOLS,
	DR_FIELD_SPANS, /* from here on only the place of the value is kept */
	DR_FIELD_SERVICE_TIER = DR_FIELD_SPANS,
	DR_FIELD_SPEED,
	DR_FIELD_INFERENCE_GEO,
	DR_FIELD_PREVIOUS_RESPONSE_ID,
	DR_FIELD_CONVERSATION,
	DR_FIELD_PROMPT_CACHE_KEY,
	DR_FIELD_METADATA,
	DR_FIELD_SYSTEM,
	DR_FIELD_MESSAGES,
	DR_FIELD_WEB_SEARCH_OPTIONS,
	DR_FIELD_MODALITIES,
	DR_FIELD_AUDIO,
	DR_FIELD_STORE,
	DR_N_FIELDS
};

struct dr_body_field {
	const char *name;
	enum dr_field field;
};

struct dr_dialect_parts;

/* Does this tool, by its type, cost nothing but its tokens? (extras.c) */
bool dr_tool_is_free(
    const struct dr_dialect_parts *parts, const struct dr_json_member *type);

/* ---- the table ---- */

struct dr_dialect_parts {
	const struct dr_body_field *fields; /* ends with name NULL */
	/* Types of tools that cost nothing but their tokens, whoever runs them; NULL at
	 * the end. */
	const char *const *free_tools;
	bool takes_sound; /* as input_audio in the content of messages */

	const struct dr_json_rule *event_rules;  /* for the data of SSE events */
	const struct dr_json_rule *answer_rules; /* for a unary answer's usage */
	/* What this event means: enum dr_event_flag, or-ed. */
	unsigned (*judge)(const struct dr_event *event);
	/* Overwrite what the block reports. `final`: a whole answer, or DR_EVENT_FINAL.
	 */
	void (*add_usage)(
	    const struct dr_counts *counts, bool final, struct dr_usage *usage);

	bool binds; /* its answers may be referred to (binding.h) */
	/* Does an error body need {"type":"error"} around its error object? */
	bool typed_error;
	void (*add_error)(const struct dr_error_info *info, const char *message,
	    const char *request_id, struct dr_strbuf *out);
	void (*add_error_event)(const struct dr_error_info *info, const char *message,
	    const char *request_id, int64_t sequence, struct dr_strbuf *out);
};

extern const struct dr_dialect_parts dr_anthropic_parts;
extern const struct dr_dialect_parts dr_openai_chat_parts;
extern const struct dr_dialect_parts dr_openai_responses_parts;

const struct dr_dialect_parts *dr_dialect_parts(enum dr_dialect_id dialect);

/* {"error":{...}} of both OpenAI APIs. */
void dr_openai_add_error(const struct dr_error_info *info, const char *message,
    const char *request_id, struct dr_strbuf *out);

/* Judge by what the error says of itself; status 0 in a stream. Sets out->fault. */
void dr_error_judge(int status, bool in_shape, struct dr_provider_error *out);

#endif
