/*
 * tap - listening to a provider's stream while its bytes pass through.
 *
 * Splits the bytes into events (sse.c), reads a few members of each (json_path.c) and
 * asks the dialect what they mean. Bytes go out as they came, in slices that end
 * between events: where a piece ends with an event, as most do, it is one slice and
 * nothing is copied. Only the bytes of an unfinished event are held. Knows no sockets,
 * no prices, no retries.
 */
#include <string.h>

#include "base/mem.h"
#include "dialects/parts.h"
#include "dialects/sse.h"

static const char done_mark[6] = { '[', 'D', 'O', 'N', 'E', ']' };

struct dr_tap {
	unsigned magic;
#define TAP_MAGIC 0x7a9d1a1e
	const struct dr_dialect_parts *parts;
	void (*emit)(void *arg, const char *bytes, size_t len);
	void *arg; /* borrowed: emit's */

	bool strip_usage;
	bool finished; /* a choice has its finish_reason: a clean end is complete */
	bool stripped; /* the last event was left out: so is the LF of its CRLF */
	bool reading;  /* `json` and `event` belong to the event at hand */
	uint8_t head_len;
	char head[sizeof done_mark]; /* the first bytes of the event's data */

	struct dr_strbuf hold;    /* an unfinished event; no memory otherwise */
	struct dr_strbuf capture; /* a usage block or an error's message being read */
	struct dr_strbuf raw_usage;
	struct dr_sse sse;
	struct dr_json_path json;
	struct dr_event event;
	struct dr_tap_state state;
};

/* The buffers take no memory before they are needed: most streams never use two of
 * them. */
struct dr_tap *
dr_tap_new(enum dr_dialect_id dialect, bool strip_usage,
    void (*emit)(void *arg, const char *bytes, size_t len), void *arg)
{
	struct dr_tap *tap = dr_calloc(1, sizeof *tap);

	tap->magic = TAP_MAGIC;
	tap->parts = dr_dialect_parts(dialect);
	tap->emit = emit;
	tap->arg = arg;
	tap->strip_usage = strip_usage && dialect == DR_DIALECT_CHAT;
	dr_strbuf_init(&tap->hold, DR_MAX_EVENT_HOLD);
	dr_strbuf_init(&tap->capture, DR_MAX_RAW_USAGE);
	dr_strbuf_init(&tap->raw_usage, DR_MAX_RAW_USAGE);
	dr_sse_init(&tap->sse);
	tap->state.sequence = -1;
	tap->state.raw_usage = tap->raw_usage.data;
	return tap;
}

void
dr_tap_free(struct dr_tap **tap)
{
	if (*tap == NULL)
		return;
	DR_CHECK(*tap, TAP_MAGIC);
	dr_strbuf_fini(&(*tap)->hold);
	dr_strbuf_fini(&(*tap)->capture);
	dr_strbuf_fini(&(*tap)->raw_usage);
	DR_FREE(*tap);
}

const struct dr_tap_state *
dr_tap_state(const struct dr_tap *tap)
{
	DR_CHECK(tap, TAP_MAGIC);
	return &tap->state;
}

/* ---- reading one event ---- */

/* Words of an error are for people: unescaped as far as possible, cut to fit. */
static void
copy_word(char *out, size_t out_size, const struct dr_json_value *value)
{
	if (value->text != NULL && value->type != DR_JSON_NULL)
		dr_json_text_cut(value->text, value->len, out, out_size);
}

/*
 * The capture becomes the block that is kept, and the old one's memory the next
 * capture. Told twice: when the object opens, and when it is whole.
 */
static void
take_usage(struct dr_tap *tap, const struct dr_json_value *value)
{
	struct dr_strbuf capture = tap->capture;

	if (value->type != DR_JSON_OBJECT)
		return;
	tap->event.usage = true;
	if (value->opened)
		return;
	tap->capture = tap->raw_usage;
	tap->raw_usage = capture;
	if (value->cut)
		dr_strbuf_clear(&tap->raw_usage); /* half a block would mislead */
	tap->state.raw_usage = tap->raw_usage.data;
}

/* What is no number leaves the last one in force. */
static void
take_sequence(struct dr_tap *tap, const struct dr_json_value *value)
{
	struct dr_json_member member = {
		.value = value->text, .value_len = value->len, .type = value->type
	};

	if (value->text != NULL && !dr_json_int(&member, &tap->event.sequence))
		tap->event.sequence = -1;
}

static struct dr_mark
mark_of(const struct dr_json_value *value)
{
	if (value->type != DR_JSON_STRING || value->text == NULL || value->cut)
		return (struct dr_mark){ 0, 0 };
	return dr_mark_of(value->text, value->len);
}

/* The rules of the dialect say where each of these stands (parts.h). */
static void
on_value(void *arg, unsigned id, const struct dr_json_value *value)
{
	struct dr_tap *tap = arg;
	struct dr_event *event = &tap->event;
	struct dr_provider_error *error = &tap->state.error;

	switch ((enum dr_seen)id) {
	case DR_SEEN_TYPE:
		copy_word(event->type, sizeof event->type, value);
		break;
	case DR_SEEN_SEQUENCE:
		take_sequence(tap, value);
		break;
	case DR_SEEN_OUTPUT:
		event->output_bytes += value->len;
		break;
	case DR_SEEN_CHOICES:
		event->choices = value->type == DR_JSON_ARRAY;
		break;
	case DR_SEEN_CHOICE:
		event->choice = true;
		break;
	case DR_SEEN_FINISH:
		event->finish |= value->type == DR_JSON_STRING;
		break;
	case DR_SEEN_ERROR:
		event->error |= value->type != DR_JSON_NULL;
		break;
	case DR_SEEN_ERROR_TYPE:
		copy_word(error->type, sizeof error->type, value);
		break;
	case DR_SEEN_ERROR_CODE:
		copy_word(error->code, sizeof error->code, value);
		break;
	case DR_SEEN_ERROR_MESSAGE:
		copy_word(error->message, sizeof error->message, value);
		break;
	case DR_SEEN_USAGE:
		take_usage(tap, value);
		break;
	case DR_SEEN_ITEM:
	case DR_SEEN_ITEM_TYPE:
	case DR_SEEN_ITEM_ACTION:
	case DR_SEEN_SEARCHES:
		dr_searches_take(&event->counts, id, value);
		break;
	case DR_SEEN_ID:
		tap->state.marks.id = mark_of(value);
		break;
	case DR_SEEN_CONVERSATION:
		tap->state.marks.conversation = mark_of(value);
		break;
	default:
		dr_counts_take(&event->counts, id, value);
	}
}

/*
 * Error words are written straight into the state, which is valid only once error_seen
 * is set; before that, each event starts clean.
 */
static void
begin_event(struct dr_tap *tap)
{
	struct dr_provider_error *error = &tap->state.error;

	memset(&tap->event, 0, sizeof tap->event);
	tap->event.sequence = -1;
	tap->head_len = 0;
	if (!tap->state.error_seen)
		error->type[0] = error->code[0] = error->message[0] = '\0';
	dr_json_path_init(
	    &tap->json, tap->parts->event_rules, &tap->capture, on_value, tap);
	tap->reading = true;
}

/* The first bytes are kept apart: [DONE] is no JSON. */
static void
take_data(struct dr_tap *tap, const char *bytes, size_t len)
{
	size_t n;

	if (!tap->reading)
		begin_event(tap);
	n = sizeof tap->head - tap->head_len;
	if (n > len)
		n = len;
	memcpy(tap->head + tap->head_len, bytes, n);
	tap->head_len = (uint8_t)(tap->head_len + n);
	dr_json_path_feed(&tap->json, bytes, len);
	if (tap->parts->binds)
		dr_sealed_feed(&tap->state.marks.sealed, bytes, len);
}

/* ---- what it means ---- */

/*
 * Nothing but undecided events before it: no byte of an answer has gone out, so another
 * provider may be asked.
 */
static void
note_error(struct dr_tap *tap)
{
	struct dr_tap_state *state = &tap->state;

	state->error_first = !state->decided;
	state->error_seen = true;
	dr_error_judge(0, true, &state->error);
}

/* The event is whole: book what it says. Returns whether to leave it out. */
static bool
end_event(struct dr_tap *tap)
{
	struct dr_tap_state *state = &tap->state;
	struct dr_event *event = &tap->event;
	unsigned flags;

	if (!tap->reading)
		begin_event(tap); /* a name without data */
	tap->reading = false;
	/* the data's own type wins: it is what the SDKs go by */
	if (event->type[0] == '\0')
		memcpy(event->type, tap->sse.name, sizeof tap->sse.name);
	event->error |= strcmp(tap->sse.name, "error") == 0;
	event->done_mark = tap->head_len == sizeof done_mark &&
			   memcmp(tap->head, done_mark, sizeof done_mark) == 0;
	flags = tap->parts->judge(event);
	dr_strbuf_fini(&tap->capture); /* few events use it: idle taps are many */
	state->events++;
	if (event->sequence >= 0)
		state->sequence = event->sequence;
	if ((flags & DR_EVENT_OUTPUT) != 0 && event->output_bytes > 0) {
		state->output_bytes += event->output_bytes;
		state->token_seen = true;
	}
	if ((flags & DR_EVENT_ITEM) != 0)
		state->usage.web_searches += dr_searches(&event->counts);
	if (event->counts.seen != 0)
		tap->parts->add_usage(
		    &event->counts, (flags & DR_EVENT_FINAL) != 0, &state->usage);
	if ((flags & DR_EVENT_ERROR) != 0)
		note_error(tap);
	state->decided |= (flags & DR_EVENT_UNDECIDED) == 0;
	state->complete |= (flags & DR_EVENT_END) != 0;
	tap->finished |= (flags & DR_EVENT_FINISH) != 0;
	return tap->strip_usage && (flags & DR_EVENT_EXTRA) != 0;
}

/* ---- the bytes ---- */

/* What is held always comes before the piece at hand. */
static void
emit_held(struct dr_tap *tap)
{
	if (tap->hold.len == 0)
		return;
	tap->emit(tap->arg, tap->hold.data, tap->hold.len);
	dr_strbuf_fini(&tap->hold);
}

/* The caller of the tap is never handed an empty slice. */
static void
emit_slice(struct dr_tap *tap, const char *from, const char *to)
{
	if (to > from)
		tap->emit(tap->arg, from, (size_t)(to - from));
}

/* The rest of a piece belongs to an event whose end has not come. */
static void
hold_rest(struct dr_tap *tap, const char *from, const char *to)
{
	size_t len = (size_t)(to - from);

	if (!tap->state.mid_event && len <= DR_MAX_EVENT_HOLD - tap->hold.len) {
		dr_strbuf_add(&tap->hold, from, len);
		return;
	}
	/* above the hold: better a late cut than a client that waits for megabytes */
	tap->state.mid_event = true;
	tap->state.decided = true; /* bytes are going out */
	emit_held(tap);
	emit_slice(tap, from, to);
}

/*
 * Events that end within this piece go out in one slice with all that lies before them.
 * A held beginning goes first; an event that is left out cuts the slice in two.
 */
void
dr_tap_feed(struct dr_tap *tap, const char *bytes, size_t len)
{
	const char *p = bytes, *end = bytes + len;
	const char *from = bytes; /* not handed on yet */
	const char *safe = bytes; /* [from, safe) may be */
	struct dr_sse_part part;

	DR_CHECK(tap, TAP_MAGIC);
	while (p < end) {
		p += dr_sse_next(&tap->sse, p, (size_t)(end - p), &part);
		if (part.kind == DR_SSE_MORE)
			continue;
		if (part.kind == DR_SSE_DATA) {
			take_data(tap, part.bytes, part.len);
			continue;
		}
		if (part.kind != DR_SSE_TAIL)
			tap->stripped = part.kind == DR_SSE_EVENT && end_event(tap) &&
					!tap->state.mid_event;
		tap->state.mid_event = false;
		if (tap->stripped) {
			dr_strbuf_fini(&tap->hold);
			emit_slice(tap, from, safe);
			from = p;
		}
		emit_held(tap);
		safe = p;
	}
	emit_slice(tap, from, safe);
	if (safe < end)
		hold_rest(tap, safe, end);
}

/* The last event lacks its empty line, but is it all there? */
static bool
pending_is_whole(const struct dr_tap *tap)
{
	return dr_sse_pending(&tap->sse) && tap->reading &&
	       (dr_json_path_whole(&tap->json) ||
		   (tap->head_len == sizeof done_mark &&
		       memcmp(tap->head, done_mark, sizeof done_mark) == 0));
}

/*
 * Its bytes are dropped unless it makes the answer complete; then neither its output
 * nor, once an answer was under way, its error has reached the client. Its usage
 * counts.
 */
static void
end_pending(struct dr_tap *tap)
{
	struct dr_tap_state *state = &tap->state;
	struct dr_tap_state before = *state;

	if (end_event(tap)) {
		dr_strbuf_fini(&tap->hold);
		return;
	}
	if (state->complete || state->mid_event)
		return;
	state->events = before.events;
	state->output_bytes = before.output_bytes;
	state->token_seen = before.token_seen;
	if (before.decided)
		state->error_seen = before.error_seen;
}

/*
 * A finish_reason without [DONE] is how some compatible servers end. A transport that
 * broke is known to the caller, who does not ask then whether the answer is complete.
 */
void
dr_tap_end(struct dr_tap *tap)
{
	DR_CHECK(tap, TAP_MAGIC);
	if (pending_is_whole(tap))
		end_pending(tap);
	else if (tap->state.mid_event && tap->reading)
		tap->state.output_bytes += tap->event.output_bytes; /* partly out */
	tap->reading = false;
	tap->state.complete |= tap->finished && !tap->state.error_seen;
	if (tap->state.complete)
		emit_held(tap);
	dr_strbuf_fini(&tap->hold);
}
