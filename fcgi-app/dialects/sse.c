/*
 * sse - see the header. Follows the "event stream" grammar of the HTML standard, with
 * one difference that the APIs' own clients make too: an event with a name and no data
 * counts.
 */
#include "dialects/sse.h"

#include <string.h>

#include "dialects/bytes.h"

enum state {
	AT_LINE,     /* the first byte of a line */
	IN_FIELD,    /* before the colon */
	AFTER_COLON, /* one space may follow */
	IN_VALUE,
};

static const char bom[3] = { '\xef', '\xbb', '\xbf' };

void
dr_sse_init(struct dr_sse *sse)
{
	memset(sse, 0, sizeof *sse);
}

/* A field is known once its colon came; until then the letters may be a beginning only.
 */
static bool
field_is(const struct dr_sse *sse, const char *name, size_t len)
{
	return sse->field_len == len && memcmp(sse->field, name, len) == 0;
}

#define FIELD_IS(sse, name) field_is(sse, name, sizeof name - 1)

/* The field's name is complete: begin its value. A second data line adds an LF. */
static void
begin_value(struct dr_sse *sse, struct dr_sse_part *part)
{
	if (FIELD_IS(sse, "data")) {
		if (sse->data)
			*part = (struct dr_sse_part){ DR_SSE_DATA, "\n", 1 };
		sse->data = true;
	} else if (FIELD_IS(sse, "event")) {
		sse->name_len = 0;
		sse->name[0] = '\0';
	}
}

/* Names that are too long are cut: none of those that matter are. */
static void
add_name(struct dr_sse *sse, const char *bytes, size_t n)
{
	size_t room = sizeof sse->name - 1 - sse->name_len;

	if (n > room)
		n = room;
	memcpy(sse->name + sse->name_len, bytes, n);
	sse->name_len = (uint8_t)(sse->name_len + n);
	sse->name[sse->name_len] = '\0';
}

/* bytes[0] is CR or LF. Takes the LF of a CRLF too, where it is here already. */
static size_t
end_line(struct dr_sse *sse, const char *bytes, size_t len, struct dr_sse_part *part)
{
	bool empty = sse->state == AT_LINE;
	bool comment =
	    sse->state != AT_LINE && sse->field_len == 0 && sse->state != IN_FIELD;
	size_t n = 1;

	if (sse->state == IN_FIELD) {
		sse->fields = true;
		begin_value(sse, part);
	}
	sse->state = AT_LINE;
	sse->tail = false;
	/* an empty line ends what came before it, be it an event or nothing */
	if (empty && (sse->name_len > 0 || sse->data)) {
		part->kind = DR_SSE_EVENT;
		sse->ended = sse->tail = true;
	} else if (empty || (comment && !sse->fields)) {
		/* a comment amid an event's lines must stay with them */
		part->kind = DR_SSE_QUIET;
		sse->fields = sse->fields && !empty;
		sse->tail = true;
	}
	if (bytes[0] == '\r') {
		if (len > 1)
			n += bytes[1] == '\n';
		else
			sse->after_cr = true;
	}
	return n;
}

/* Up to the colon or the line's end. Only two names matter, both short. */
static size_t
in_field(struct dr_sse *sse, const char *bytes, size_t len, struct dr_sse_part *part)
{
	size_t n = 0;

	for (; n < len && bytes[n] != ':' && bytes[n] != '\n' && bytes[n] != '\r';
	     n++) {
		if (sse->field_len < sizeof sse->field)
			sse->field[sse->field_len++] = bytes[n];
	}
	if (n == len)
		return n;
	if (bytes[n] != ':')
		return n + end_line(sse, bytes + n, len - n, part);
	if (sse->field_len > 0)
		sse->fields = true;
	begin_value(sse, part);
	sse->state = AFTER_COLON;
	return n + 1;
}

/* Data is reported where it lies; only names are copied. */
static size_t
in_value(struct dr_sse *sse, const char *bytes, size_t len, struct dr_sse_part *part)
{
	size_t n = (size_t)(dr_find_line_end(bytes, bytes + len) - bytes);

	if (n == 0)
		return end_line(sse, bytes, len, part);
	if (FIELD_IS(sse, "data"))
		*part = (struct dr_sse_part){ DR_SSE_DATA, bytes, n };
	else if (FIELD_IS(sse, "event"))
		add_name(sse, bytes, n);
	return n;
}

/* What may stand before the first line of an event: a BOM, an LF left over. */
static size_t
before_line(struct dr_sse *sse, const char *bytes, struct dr_sse_part *part)
{
	if (sse->after_cr) {
		sse->after_cr = false;
		if (bytes[0] == '\n') {
			if (sse->tail)
				part->kind = DR_SSE_TAIL;
			return 1;
		}
	}
	if (sse->bom < sizeof bom) {
		if (bytes[0] == bom[sse->bom]) {
			sse->bom++;
			return 1;
		}
		if (sse->bom > 0) /* it was none: an odd name that nobody knows */
			sse->state = IN_FIELD, sse->field_len = 1,
			sse->field[0] = bom[0];
		sse->bom = sizeof bom;
	}
	return 0;
}

size_t
dr_sse_next(struct dr_sse *sse, const char *bytes, size_t len, struct dr_sse_part *part)
{
	size_t n;

	*part = (struct dr_sse_part){ DR_SSE_MORE, NULL, 0 };
	if (len == 0)
		return 0;
	/* the owner has read name and flags by now; an LF owed belongs to them still */
	if (sse->ended && !(sse->after_cr && bytes[0] == '\n')) {
		sse->ended = sse->fields = sse->data = false;
		sse->name_len = 0;
		sse->name[0] = '\0';
	}
	/* a CR that ended the last piece, or the stream's first bytes */
	n = before_line(sse, bytes, part);
	if (n > 0)
		return n;
	switch ((enum state)sse->state) {
	case AT_LINE:
		if (bytes[0] == '\n' || bytes[0] == '\r')
			return end_line(sse, bytes, len, part);
		sse->state = IN_FIELD;
		sse->field_len = 0;
		/* fall through */
	case IN_FIELD:
		return in_field(sse, bytes, len, part);
	case AFTER_COLON:
		sse->state = IN_VALUE;
		if (bytes[0] == ' ')
			return 1;
		/* fall through */
	case IN_VALUE:
		break;
	}
	return in_value(sse, bytes, len, part);
}

/* A name that has no letters and no data is no event, as in end_line(). */
bool
dr_sse_pending(const struct dr_sse *sse)
{
	return !sse->ended && (sse->name_len > 0 || sse->data);
}
