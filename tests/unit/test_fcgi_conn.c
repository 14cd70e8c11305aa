/*
 * test_fcgi_conn - requests over real sockets: how they arrive, how they are answered,
 * and what is done about those that are wrong, too large, second, aborted or left.
 */
#include "fcgi_fixture.h"

static void
send_head(struct client *c, uint16_t id, bool keep, long announced)
{
	struct dr_strbuf bytes;

	dr_strbuf_init(&bytes, 1 << 16);
	add_head(&bytes, id, keep, announced);
	assert_true(client_send(c, bytes.data, bytes.len));
	dr_strbuf_fini(&bytes);
}

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

/* ---- how requests arrive ---- */

static void
a_request_is_the_same_wherever_its_bytes_are_cut(void **state)
{
	struct dr_strbuf bytes, want;
	struct client c;

	(void)state;
	dr_strbuf_init(&bytes, 1 << 16);
	add_request(&bytes, 1, true, "{\"model\":\"m\"}", 13);
	expected_echo(&want, "{\"model\":\"m\"}", 13);
	client_open(&c);
	for (size_t cut = 0; cut <= bytes.len; cut++) {
		assert_true(client_send(&c, bytes.data, cut));
		settle();
		assert_true(client_send(&c, bytes.data + cut, bytes.len - cut));
		AWAIT_ENDS(&c, cut + 1);
		assert_int_equal(c.answer.len, want.len);
		assert_memory_equal(c.answer.data, want.data, want.len);
		dr_strbuf_clear(&c.answer);
	}
	assert_int_equal(c.stdout_ends, bytes.len + 1);
	client_close(&c);
	dr_strbuf_fini(&want);
	dr_strbuf_fini(&bytes);
}

static void
a_large_body_arrives_whole(void **state)
{
	const size_t len = 1 << 20;
	char *body = dr_malloc(len);
	struct client c;

	(void)state;
	for (size_t i = 0; i < len; i++)
		body[i] = (char)(i * 7 + i / 251);
	client_open(&c);
	exchange(&c, 1, true, body, len);
	exchange(&c, 1, true, body, 0);
	exchange(&c, 0xfffe, false, body, len - 1);
	AWAIT_EOF(&c);
	assert_int_equal(c.error, 0);
	assert_true(c.longest_record <= DR_FCGI_MAX_CONTENT);
	client_close(&c);
	free(body);
}

static void
what_is_wrong_with_a_request_is_told(void **state)
{
	static const struct {
		long announced;
		size_t sent, body;
		enum dr_fcgi_fault fault;
	} rows[] = {
		{ 10, 10, 10, DR_FCGI_FINE },
		{ -1, 10, 10, DR_FCGI_FINE }, /* chunked: no length */
		{ 10, 12, 10, DR_FCGI_FINE }, /* more is not of the body */
		{ 10, 9, 9, DR_FCGI_BODY_SHORT },
		{ 1000, 1000, 1000, DR_FCGI_FINE }, /* the limit itself */
		{ 1001, 1001, 0, DR_FCGI_BODY_TOO_LARGE },
		{ -1, 1000, 1000, DR_FCGI_FINE },
		{ -1, 1001, 0, DR_FCGI_BODY_TOO_LARGE },
		{ 0, 0, 0, DR_FCGI_FINE },
	};
	char body[2000] = { 0 };
	size_t len;

	(void)state;
	rig_restart(10, 1000);
	rig.answering = HOLD;
	for (unsigned i = 0; i < DR_N_ELEMENTS(rows); i++) {
		struct dr_strbuf bytes;
		struct client c;

		dr_strbuf_init(&bytes, 1 << 16);
		add_head(&bytes, 1, false, rows[i].announced);
		add_stream(&bytes, FCGI_STDIN, 1, body, rows[i].sent, 300);
		client_open(&c);
		assert_true(client_send(&c, bytes.data, bytes.len));
		UNTIL(rig.n_held == i + 1);
		assert_int_equal(rig.fault, rows[i].fault);
		dr_fcgi_body(rig.held[i].req, &len);
		assert_int_equal(len, rows[i].body);
		dr_fcgi_end(&rig.held[i].req);
		AWAIT_ENDS(&c, 1);
		client_close(&c);
		dr_strbuf_fini(&bytes);
	}
}

/* Send one block of params; the request is held. */
static struct dr_fcgi_request *
request_with_params(struct client *c, const struct dr_strbuf *block)
{
	struct dr_strbuf bytes;
	unsigned n = rig.n_held;

	rig.answering = HOLD;
	dr_strbuf_init(&bytes, 1 << 20);
	add_begin(&bytes, 9, FCGI_RESPONDER, true);
	add_stream(&bytes, FCGI_PARAMS, 9, block->data, block->len, 7000);
	add_stream(&bytes, FCGI_STDIN, 9, "", 0, 1);
	assert_true(client_send(c, bytes.data, bytes.len));
	dr_strbuf_fini(&bytes);
	UNTIL(rig.n_held == n + 1);
	return rig.held[n].req;
}

static void
params_are_found_by_their_whole_name(void **state)
{
	const char *name, *value;
	struct dr_fcgi_request *req;
	struct dr_strbuf block;
	struct client c;

	(void)state;
	dr_strbuf_init(&block, 1 << 16);
	dr_fcgi_add_pair(&block, "A", "1");
	dr_fcgi_add_pair(&block, "AB", "2");
	dr_fcgi_add_pair(&block, "A", "second");
	dr_fcgi_add_pair(&block, "EMPTY", "");
	dr_strbuf_add(&block, "\x03\x03NULx\0y", 8);
	dr_strbuf_add(&block, "\x03\x01N\0Lx", 6);
	dr_fcgi_add_pair(&block, "CONTENT_LENGTH", "12x"); /* no number: as if absent */
	client_open(&c);
	req = request_with_params(&c, &block);
	assert_int_equal(dr_fcgi_fault(req), DR_FCGI_FINE);
	assert_string_equal(dr_fcgi_param(req, "A"), "1"); /* the first of two */
	assert_string_equal(dr_fcgi_param(req, "AB"), "2");
	assert_string_equal(dr_fcgi_param(req, "EMPTY"), "");
	assert_null(dr_fcgi_param(req, "B"));
	assert_null(dr_fcgi_param(req, "NUL"));
	assert_null(dr_fcgi_param(req, "N"));
	assert_null(dr_fcgi_param(req, ""));
	assert_true(dr_fcgi_param_at(req, 2, &name, &value));
	assert_string_equal(name, "A");
	assert_string_equal(value, "second");
	assert_true(dr_fcgi_param_at(req, 4, &name, &value));
	assert_string_equal(name, "CONTENT_LENGTH");
	assert_false(dr_fcgi_param_at(req, 5, &name, &value));
	dr_fcgi_drop_params(req);
	dr_fcgi_drop_body(req);
	assert_null(dr_fcgi_param(req, "A"));
	assert_false(dr_fcgi_param_at(req, 0, &name, &value));
	dr_fcgi_end(&rig.held[0].req);
	AWAIT_ENDS(&c, 1);
	client_close(&c);
	dr_strbuf_fini(&block);
}

static void
broken_params_are_told_and_the_good_ones_kept(void **state)
{
	struct dr_fcgi_request *req;
	struct dr_strbuf block;
	struct client c;
	char *long_value = dr_malloc(DR_MAX_PARAMS_BYTES);

	(void)state;
	memset(long_value, 'v', DR_MAX_PARAMS_BYTES - 1);
	long_value[DR_MAX_PARAMS_BYTES - 1] = '\0';
	client_open(&c);
	dr_strbuf_init(&block, 1 << 20);
	dr_fcgi_add_pair(&block, "REQUEST_METHOD", "POST");
	dr_strbuf_add(&block, "\x7f\x7fshort", 7);
	req = request_with_params(&c, &block);
	assert_int_equal(dr_fcgi_fault(req), DR_FCGI_BAD_PARAMS);
	assert_string_equal(dr_fcgi_param(req, "REQUEST_METHOD"), "POST");
	dr_fcgi_end(&rig.held[0].req);

	dr_strbuf_clear(&block);
	dr_fcgi_add_pair(&block, "REQUEST_URI", "/v1/messages");
	dr_fcgi_add_pair(&block, "HTTP_COOKIE", long_value);
	dr_fcgi_add_pair(&block, "LATE", "lost");
	req = request_with_params(&c, &block);
	assert_int_equal(dr_fcgi_fault(req), DR_FCGI_PARAMS_TOO_LARGE);
	assert_string_equal(dr_fcgi_param(req, "REQUEST_URI"), "/v1/messages");
	assert_null(dr_fcgi_param(req, "HTTP_COOKIE"));
	assert_null(dr_fcgi_param(req, "LATE"));
	dr_fcgi_end(&rig.held[1].req);
	AWAIT_ENDS(&c, 2);
	rig.answering = ECHO; /* and the connection is still good */
	exchange(&c, 2, false, "x", 1);
	client_close(&c);
	dr_strbuf_fini(&block);
	free(long_value);
}

/* ---- keeping a connection ---- */

static void
requests_sent_in_one_go_are_answered_in_turn(void **state)
{
	struct dr_strbuf bytes;
	struct client c;

	(void)state;
	dr_strbuf_init(&bytes, 1 << 20);
	for (uint16_t i = 1; i <= 20; i++)
		add_request(&bytes, i, i < 20, "{}", 2);
	client_open(&c);
	assert_true(client_send(&c, bytes.data, bytes.len));
	AWAIT_ENDS(&c, 20);
	assert_int_equal(c.ended_id, 20);
	AWAIT_EOF(&c);
	assert_int_equal(c.error, 0);
	assert_int_equal(rig.requests, 20);
	client_close(&c);
	dr_strbuf_fini(&bytes);
}

static void
a_second_request_while_one_runs_is_refused(void **state)
{
	struct dr_strbuf bytes;
	struct held *held;
	struct client c;

	(void)state;
	client_open(&c);
	held = hold(&c, 1, true);
	dr_strbuf_init(&bytes, 1 << 16);
	add_request(&bytes, 2, true, "{}", 2);
	assert_true(client_send(&c, bytes.data, bytes.len));
	AWAIT_ENDS(&c, 1);
	assert_int_equal(c.ended_id, 2);
	assert_int_equal(c.ended_status, FCGI_CANT_MPX_CONN);
	assert_int_equal(rig.requests, 1);
	echo(held->req);
	AWAIT_ENDS(&c, 2);
	assert_int_equal(c.ended_id, 1);
	assert_int_equal(c.ended_status, FCGI_REQUEST_COMPLETE);
	rig.answering = ECHO;
	exchange(&c, 2, true, "{}", 2);
	client_close(&c);
	dr_strbuf_fini(&bytes);
}

static void
a_refused_body_is_thrown_away_while_the_answer_is_out(void **state)
{
	const size_t len = 4 << 20;
	char *body = dr_calloc(1, len);

	(void)state;
	for (int keep = 0; keep < 2; keep++) {
		struct dr_strbuf rest;
		struct client c;

		rig.n_held = 0;
		rig.answering = HOLD;
		client_open(&c);
		send_head(&c, 3, keep, (long)len);
		UNTIL(rig.n_held == 1);
		assert_int_equal(rig.fault, DR_FCGI_BODY_TOO_LARGE);
		dr_fcgi_write(rig.held[0].req, "Status: 413\r\n\r\n", 15);
		dr_fcgi_end(&rig.held[0].req);
		AWAIT_ENDS(&c, 1); /* before a byte of the body is sent */
		assert_string_equal(c.answer.data, "Status: 413\r\n\r\n");
		dr_strbuf_init(&rest, len * 2);
		add_stream(&rest, FCGI_STDIN, 3, body, len, 32768);
		assert_true(client_send(&c, rest.data, rest.len));
		dr_strbuf_fini(&rest);
		rig.answering = ECHO;
		if (keep) {
			exchange(&c, 3, true, "{}", 2);
		} else {
			AWAIT_EOF(&c);
			assert_int_equal(c.error, 0); /* not a reset */
			assert_int_equal(dr_fcgi_connections(rig.server), 1);
		}
		client_close(&c);
		UNTIL(dr_fcgi_connections(rig.server) == 0);
	}
	free(body);
}

static void
a_peer_that_stalls_in_a_body_disturbs_nobody(void **state)
{
	struct client stalled[20], c;

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(stalled); i++) {
		client_open(&stalled[i]);
		send_head(&stalled[i], 1, true, 100000);
		send_record(&stalled[i], FCGI_STDIN, 1, "{", 1);
	}
	client_open(&c);
	exchange(&c, 1, true, "{}", 2);
	exchange(&c, 1, true, "{}", 2);
	assert_int_equal(rig.requests, 2);
	for (size_t i = 0; i < DR_N_ELEMENTS(stalled); i++)
		client_close(&stalled[i]);
	client_close(&c);
	UNTIL(dr_fcgi_connections(rig.server) == 0);
	assert_int_equal(rig.gone, 0); /* nothing of them had been handed over */
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_start, rig_stop)
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_the_same_wherever_its_bytes_are_cut),
		TEST(a_large_body_arrives_whole),
		TEST(what_is_wrong_with_a_request_is_told),
		TEST(params_are_found_by_their_whole_name),
		TEST(broken_params_are_told_and_the_good_ones_kept),
		TEST(requests_sent_in_one_go_are_answered_in_turn),
		TEST(a_second_request_while_one_runs_is_refused),
		TEST(a_refused_body_is_thrown_away_while_the_answer_is_out),
		TEST(a_peer_that_stalls_in_a_body_disturbs_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
