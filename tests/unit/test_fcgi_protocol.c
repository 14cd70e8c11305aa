/*
 * test_fcgi_protocol - what a peer may send besides plain requests: other roles,
 * queries, and bytes that make no sense.
 */
#include "fcgi_fixture.h"

static void
send_record(
    struct client *c, uint8_t type, uint16_t id, const char *content, size_t len)
{
	struct dr_strbuf bytes;

	dr_strbuf_init(&bytes, 1 << 17);
	dr_fcgi_add_record(&bytes, type, id, content, len);
	assert_true(client_send(c, bytes.data, bytes.len));
	dr_strbuf_fini(&bytes);
}

/* ---- the rest of the protocol ---- */

static void
roles_we_do_not_play_are_refused(void **state)
{
	struct dr_strbuf bytes;
	struct client c;

	(void)state;
	for (int keep = 0; keep < 2; keep++) {
		dr_strbuf_init(&bytes, 1 << 16);
		add_begin(&bytes, 4, FCGI_AUTHORIZER, keep);
		add_stream(&bytes, FCGI_PARAMS, 4, "\x01\x01NV", 4, 10);
		client_open(&c);
		assert_true(client_send(&c, bytes.data, bytes.len));
		AWAIT_ENDS(&c, 1);
		assert_int_equal(c.ended_status, FCGI_UNKNOWN_ROLE);
		if (keep)
			exchange(&c, 4, true, "{}", 2);
		else
			AWAIT_EOF(&c);
		assert_int_equal(c.error, 0);
		client_close(&c);
		dr_strbuf_fini(&bytes);
	}
}

static void
management_records_are_answered_at_any_time(void **state)
{
	struct dr_strbuf query, bytes;
	struct held *held;
	struct client c;

	(void)state;
	client_open(&c);
	held = hold(&c, 1, true);
	dr_strbuf_init(&query, 1024);
	dr_fcgi_add_pair(&query, FCGI_MAX_CONNS, "");
	dr_fcgi_add_pair(&query, FCGI_MPXS_CONNS, "");
	dr_strbuf_init(&bytes, 1024);
	dr_fcgi_add_record(&bytes, FCGI_GET_VALUES, 0, query.data, query.len);
	for (size_t i = 0; i < bytes.len; i++) { /* cut everywhere */
		assert_true(client_send(&c, bytes.data + i, 1));
		settle();
	}
	UNTIL((client_drain(&c), c.replies == 1));
	assert_int_equal(c.reply_type, FCGI_GET_VALUES_RESULT);
	dr_strbuf_clear(&query);
	dr_fcgi_add_pair(&query, FCGI_MAX_CONNS, "500");
	dr_fcgi_add_pair(&query, FCGI_MPXS_CONNS, "0");
	assert_int_equal(c.reply.len, query.len);
	assert_memory_equal(c.reply.data, query.data, query.len);
	send_record(&c, 77, 0, "whatever", 8);
	UNTIL((client_drain(&c), c.replies == 2));
	assert_int_equal(c.reply_type, FCGI_UNKNOWN_TYPE);
	assert_int_equal(c.reply.data[query.len], 77);
	send_record(&c, FCGI_STDIN, 99, "no such request", 15); /* ignored */
	send_record(&c, FCGI_DATA, 1, "for filters", 11);
	echo(held->req);
	AWAIT_ENDS(&c, 1);
	client_close(&c);
	dr_strbuf_fini(&query);
	dr_strbuf_fini(&bytes);
}

static void
bytes_that_are_no_fastcgi_end_the_connection(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{ "GET / HTTP/1.1\r\n\r\n", 18 }, { "\x16\x03\x01\x02", 4 },
		{ "\x02", 1 },
		{ "\x01\x01\0\1\0\x07\0\0"
		  "\0\1\0\0\0\0\0",
		    15 },                      /* BEGIN of 7 */
		{ "\x01\x01\0\1\0\0\0\0", 8 }, /* BEGIN of 0 */
	};
	struct client c;

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(rows); i++) {
		client_open(&c);
		assert_true(client_send(&c, rows[i].bytes, rows[i].len));
		AWAIT_EOF(&c);
		assert_int_equal(c.answer.len, 0);
		client_close(&c);
	}
	/* Streams out of order, and the same request begun twice. */
	for (int i = 0; i < 3; i++) {
		struct dr_strbuf bytes;

		dr_strbuf_init(&bytes, 4096);
		if (i == 1)
			add_head(&bytes, 1, true, 5);
		else
			add_begin(&bytes, 1, FCGI_RESPONDER, true);
		dr_fcgi_add_record(
		    &bytes, i == 0 ? FCGI_STDIN : FCGI_PARAMS, 1, "x", 1);
		if (i == 2)
			add_begin(&bytes, 1, FCGI_RESPONDER, true);
		client_open(&c);
		assert_true(client_send(&c, bytes.data, bytes.len));
		AWAIT_EOF(&c);
		client_close(&c);
		dr_strbuf_fini(&bytes);
	}
	assert_int_equal(rig.requests, 0);
}

static void
a_peer_that_asks_but_never_reads_is_cut_off(void **state)
{
	struct dr_strbuf many;
	struct client c;
	unsigned rounds = 0;

	(void)state;
	dr_strbuf_init(&many, 1 << 20);
	for (int i = 0; i < 4000; i++)
		dr_fcgi_add_record(&many, 77, 0, "", 0);
	client_open(&c);
	while (client_send(&c, many.data, many.len))
		assert_true(++rounds < 1000);
	UNTIL(dr_fcgi_connections(rig.server) == 0);
	client_close(&c);
	dr_strbuf_fini(&many);
}

static uint32_t
dice(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static void
bad_bytes_never_stop_the_server(void **state)
{
	struct dr_strbuf good;
	uint32_t seed = 20261122;

	(void)state;
	rig_restart(40, 2000);
	dr_strbuf_init(&good, 1 << 16);
	add_request(&good, 1, true, "{\"model\":\"m\"}", 13);
	dr_fcgi_add_record(&good, FCGI_ABORT_REQUEST, 1, "", 0);
	add_request(&good, 2, true, "{}", 2);
	for (int round = 0; round < 400; round++) {
		struct client c;
		size_t len = 1 + dice(&seed) % good.len;
		char *bad = dr_malloc(len);

		memcpy(bad, good.data + dice(&seed) % (good.len - len + 1), len);
		for (uint32_t n = dice(&seed) % 6; n > 0; n--)
			bad[dice(&seed) % len] = (char)dice(&seed);
		rig.answering = dice(&seed) % 3 == 0 ? HOLD : ECHO;
		rig.n_held = 0;
		memset(rig.held, 0, sizeof rig.held);
		client_open(&c);
		(void)client_send(&c, bad, len);
		settle();
		client_drain(&c);
		client_close(&c);
		UNTIL(dr_fcgi_connections(rig.server) == 0);
		for (unsigned i = 0; i < rig.n_held; i++)
			assert_true(rig.held[i].gone);
		free(bad);
	}
	dr_strbuf_fini(&good);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_start, rig_stop)
	const struct CMUnitTest tests[] = {
		TEST(roles_we_do_not_play_are_refused),
		TEST(management_records_are_answered_at_any_time),
		TEST(bytes_that_are_no_fastcgi_end_the_connection),
		TEST(a_peer_that_asks_but_never_reads_is_cut_off),
		TEST(bad_bytes_never_stop_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
