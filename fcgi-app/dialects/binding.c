/*
 * binding - marks of what a request refers to, and of what an answer offers for that;
 * see the header.
 */
#include "dialects/binding.h"

#include <string.h>

#include "base/dr_assert.h"
#include "dialects/dialect.h"
#include "dialects/json_scan.h"

#define MAX_SEALED_ASKED (DR_MAX_BINDINGS - 2)

/* ---- marks ---- */

/* FNV-1a beside a multiplication by the golden ratio: nothing here has to withstand
 * anybody, since an account's marks are its own. */
static void
mark_add(struct dr_mark *mark, char c)
{
	uint64_t byte = (unsigned char)c;

	if (c == '\\')
		return;
	mark->a = (mark->a ^ byte) * UINT64_C(0x100000001b3);
	mark->b =
	    ((mark->b << 5 | mark->b >> 59) ^ byte) * UINT64_C(0x9e3779b97f4a7c15);
}

static struct dr_mark
mark_begin(void)
{
	return (struct dr_mark){ UINT64_C(0xcbf29ce484222325), 1 };
}

struct dr_mark
dr_mark_of(const char *text, size_t len)
{
	struct dr_mark mark = mark_begin();

	for (size_t i = 0; i < len; i++)
		mark_add(&mark, text[i]);
	return len > 0 ? mark : (struct dr_mark){ 0, 0 };
}

/* ---- encrypted reasoning ---- */

/*
 * The key stands as it is written nowhere but as a key: inside a string its quotes
 * would be escaped.
 */
static const char key[] = "\"encrypted_content\"";
#define KEY_LEN  (sizeof key - 1)
#define AT_COLON KEY_LEN
#define AT_QUOTE (KEY_LEN + 1)
#define IN_VALUE (KEY_LEN + 2)

static void
keep(struct dr_sealed *sealed)
{
	const struct dr_mark *last =
	    &sealed->kept[(sealed->n + DR_MAX_SEALED - 1) % DR_MAX_SEALED];

	if (sealed->n > 0 && last->a == sealed->at_hand.a &&
	    last->b == sealed->at_hand.b)
		return; /* said again by a later event */
	sealed->kept[sealed->n++ % DR_MAX_SEALED] = sealed->at_hand;
}

/* A byte of the value; true where it was the last. */
static bool
value_byte(struct dr_sealed *sealed, char c)
{
	if (sealed->escaped || (c != '"' && c != '\\')) {
		sealed->escaped = false;
		mark_add(&sealed->at_hand, c);
		return false;
	}
	sealed->escaped = c == '\\';
	if (sealed->escaped)
		return false;
	sealed->matched = 0;
	if (sealed->at_hand.b != mark_begin().b)
		keep(sealed);
	return true;
}

/* True where a value has ended. */
static bool
step(struct dr_sealed *sealed, char c)
{
	unsigned at = sealed->matched;

	if (at == IN_VALUE)
		return value_byte(sealed, c);
	if (at < KEY_LEN) {
		sealed->matched = c == key[at] ? at + 1 : c == '"';
		return false;
	}
	if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
		return false;
	sealed->matched = c == (at == AT_COLON ? ':' : '"') ? at + 1 : c == '"';
	sealed->at_hand = mark_begin();
	sealed->escaped = false;
	return false;
}

void
dr_sealed_feed(struct dr_sealed *sealed, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		(void)step(sealed, bytes[i]);
}

/* The same of a text that is there as a whole, and may be long. */
static void
seek_sealed(struct dr_sealed *sealed, const char *text, size_t len)
{
	const char *p = text, *end = text + len;

	while ((p = memmem(p, (size_t)(end - p), key, KEY_LEN)) != NULL)
		while (p < end && !step(sealed, *p++) && sealed->matched != 0)
			;
}

/* ---- requests and answers ---- */

static struct dr_mark
mark_of_member(const struct dr_json_member *member)
{
	if (member->type != DR_JSON_STRING || member->value_len < 2)
		return (struct dr_mark){ 0, 0 };
	return dr_mark_of(member->value + 1, member->value_len - 2);
}

static bool
on_id(void *arg, const struct dr_json_member *member)
{
	if (dr_json_key_is(member, "id"))
		*(struct dr_mark *)arg = mark_of_member(member);
	return true;
}

/* A string, or an object with an id. */
static struct dr_mark
mark_of_value(const char *value, size_t len)
{
	struct dr_mark mark = { 0, 0 };
	char err[64];

	if (len > 2 && value[0] == '"')
		return dr_mark_of(value + 1, len - 2);
	if (len > 0 && value[0] == '{' &&
	    !dr_json_scan(value, len, on_id, &mark, err, sizeof err))
		mark = (struct dr_mark){ 0, 0 };
	return mark;
}

static size_t
add(struct dr_mark *out, size_t n, struct dr_mark mark)
{
	if (dr_mark_is(mark))
		out[n++] = mark;
	return n;
}

size_t
dr_binding_of_body(const char *body, const struct dr_body_facts *facts,
    struct dr_mark out[DR_MAX_BINDINGS])
{
	const struct dr_span *previous = &facts->previous_response_id;
	const struct dr_span *talk = &facts->conversation, *input = &facts->messages;
	struct dr_sealed sealed = { .n = 0 };
	size_t n = 0;

	n = add(out, n, mark_of_value(body + previous->at, previous->len));
	n = add(out, n, mark_of_value(body + talk->at, talk->len));
	seek_sealed(&sealed, body + input->at, input->len);
	/* the newest first: it is the one that the last answer has brought */
	for (unsigned i = 0; i < MAX_SEALED_ASKED && i < sealed.n; i++)
		out[n++] = sealed.kept[(sealed.n - 1 - i) % DR_MAX_SEALED];
	DR_ASSERT(n <= DR_MAX_BINDINGS);
	return n;
}

static bool
on_answer(void *arg, const struct dr_json_member *member)
{
	struct dr_answer_marks *marks = arg;

	if (dr_json_key_is(member, "id"))
		marks->id = mark_of_member(member);
	else if (dr_json_key_is(member, "conversation"))
		marks->conversation = mark_of_value(member->value, member->value_len);
	return true;
}

void
dr_binding_of_answer(const char *body, size_t len, struct dr_answer_marks *out)
{
	char err[64];

	memset(out, 0, sizeof *out);
	/* of one that is not whole, the members that came first are read all the same
	 */
	if (!dr_json_scan(body, len, on_answer, out, err, sizeof err))
		out->conversation = (struct dr_mark){ 0, 0 };
	seek_sealed(&out->sealed, body, len);
}
