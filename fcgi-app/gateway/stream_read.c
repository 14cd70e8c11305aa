/*
 * stream_read - see the header.
 */
#include "gateway/stream_read.h"

#include <stdio.h>
#include <string.h>

static void on_page(struct dr_store_call *, enum dr_error, const struct dr_reply *);

static void
ask(struct dr_stream_read *read)
{
	char tag[DR_SCHEMA_TAG_SIZE], key[DR_SCHEMA_KEY_SIZE], count[24];
	size_t left = read->most - read->n_read;
	const char *first = read->backwards ? read->to : read->from;
	const char *second = read->backwards ? read->from : read->to;
	struct dr_arg argv[6] = { { read->backwards ? "XREVRANGE" : "XRANGE",
				      read->backwards ? 9 : 6 },
		{ key, 0 }, { first, strlen(first) }, { second, strlen(second) },
		{ "COUNT", 5 }, { count, 0 } };

	DR_ASSERT(read->page > 0 && read->page <= DR_STREAM_PAGE);
	DR_ASSERT(left > 0 && read->call.slot == NULL);
	dr_schema_tag(tag, read->account);
	argv[1].len = dr_schema_key(key, read->account, read->what, NULL);
	argv[5].len = (size_t)snprintf(
	    count, sizeof count, "%zu", left < read->page ? left : read->page);
	read->call = (struct dr_store_call){ .done = on_page };
	dr_store_command(read->store, tag, argv, DR_N_ELEMENTS(argv), &read->call);
}

/* ---- turns ---- */

void
dr_stream_turns_init(struct dr_stream_turns *turns)
{
	dr_list_init(&turns->readings);
	dr_list_init(&turns->waiting);
	turns->asking = NULL;
}

/* Whoever waits longest is next, unless a page is on its way. */
static void
next_turn(struct dr_stream_turns *turns)
{
	struct dr_list *node =
	    turns->asking == NULL ? dr_list_pop(&turns->waiting) : NULL;

	if (node == NULL)
		return;
	turns->asking = DR_LIST_ENTRY(node, struct dr_stream_read, waiting);
	ask(turns->asking);
}

static void
end_turn(struct dr_stream_read *read)
{
	if (read->turns->asking != read)
		return;
	read->turns->asking = NULL;
	next_turn(read->turns);
}

/* Redis is away: nobody waits for the others' time-outs before its own. */
static void
let_all_fail(struct dr_stream_turns *turns)
{
	struct dr_list *node;

	while ((node = dr_list_pop(&turns->waiting)) != NULL)
		ask(DR_LIST_ENTRY(node, struct dr_stream_read, waiting));
}

/* After the first page: false where the account reads so many already. */
static bool
may_read_on(struct dr_stream_read *read)
{
	size_t n = 0;

	if (!dr_list_empty(&read->reading))
		return true;
	DR_LIST_FOREACH (node, &read->turns->readings)
		n +=
		    strcmp(read->account,
			DR_LIST_ENTRY(node, struct dr_stream_read, reading)->account) ==
		    0;
	if (n >= DR_STREAM_MOST)
		return false;
	dr_list_append(&read->turns->readings, &read->reading);
	return true;
}

static void
leave(struct dr_stream_read *read)
{
	dr_list_remove(&read->waiting);
	dr_list_remove(&read->reading);
	end_turn(read);
}

void
dr_stream_next(struct dr_stream_read *read)
{
	dr_list_append(&read->turns->waiting, &read->waiting);
	next_turn(read->turns);
}

/* ---- pages ---- */

/* The entries of a page; false: that is all there is to read. */
static bool
take_page(struct dr_stream_read *read, const struct dr_reply *page)
{
	size_t n = dr_reply_count(page), left = read->most - read->n_read;
	size_t asked = left < read->page ? left : read->page;
	char *end = read->backwards ? read->to : read->from;

	for (size_t i = 0; i < n; i++) {
		const struct dr_reply *entry = dr_reply_at(page, i);

		snprintf(read->last, sizeof read->last, "%s",
		    dr_reply_string(dr_reply_at(entry, 0), NULL));
		read->n_read++;
		if (!read->row(read, entry)) {
			read->stopped = true;
			return false;
		}
	}
	if (n < asked)
		return false;
	read->cut = read->n_read >= read->most;
	/* DR_STREAM_ID is twice what an id may be */
	snprintf(end, DR_STREAM_ID, "(%.*s", DR_STREAM_ID - 2, read->last);
	return !read->cut;
}

static void
on_page(struct dr_store_call *call, enum dr_error err, const struct dr_reply *reply)
{
	struct dr_stream_read *read =
	    DR_CONTAINER_OF(call, struct dr_stream_read, call);

	bool more = err == DR_OK && take_page(read, reply);

	end_turn(read);
	if (err != DR_OK)
		let_all_fail(read->turns);
	if (more && !may_read_on(read)) {
		more = false;
		err = DR_ERR_API_BUSY;
	}
	if (!more) {
		leave(read);
		read->done(read, err);
	} else if (read->paged != NULL) {
		read->paged(read);
	} else {
		dr_stream_next(read);
	}
}

void
dr_stream_read(
    struct dr_store *store, struct dr_stream_turns *turns, struct dr_stream_read *read)
{
	read->store = store;
	read->turns = turns;
	dr_list_init(&read->reading);
	dr_list_init(&read->waiting);
	read->n_read = 0;
	read->last[0] = '\0';
	read->stopped = read->cut = false;
	ask(read);
}

void
dr_stream_cancel(struct dr_stream_read *read)
{
	dr_store_cancel(&read->call);
	if (read->turns != NULL) /* else it was never begun */
		leave(read);
}

bool
dr_stream_id_ok(const char *text)
{
	static const char digits[] = "0123456789";
	size_t n = strspn(text, digits), m;

	if (n < 1 || n > 18)
		return false;
	if (text[n] == '\0')
		return true;
	m = strspn(text + n + 1, digits);
	return text[n] == '-' && m >= 1 && m <= 18 && text[n + 1 + m] == '\0' &&
	       strspn(text, "0-") < n + 1 + m; /* 0-0 is none: nothing is before it */
}
