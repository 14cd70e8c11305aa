/*
 * test_fcgi_output - answers on their way out: records, slow readers, and the memory a
 * stream holds while it waits.
 */
#include "fcgi_fixture.h"

#include "io/fcgi_internal.h"

static void
what_one_turn_writes_leaves_in_one_record(void **state)
{
	struct held *held;
	struct client c;

	(void)state;
	client_open(&c);
	held = hold(&c, 1, true);
	dr_fcgi_write(held->req, "data: 1\n\n", 9);
	dr_fcgi_write(held->req, "", 0);
	dr_fcgi_write(held->req, "data: 2\n\n", 9);
	assert_int_equal(dr_fcgi_unsent(held->req), 8 + 18);
	settle();
	assert_int_equal(dr_fcgi_unsent(held->req), 0);
	client_drain(&c);
	assert_int_equal(c.stdout_records, 1);
	dr_fcgi_write(held->req, "data: 3\n\n", 9);
	settle();
	client_drain(&c);
	assert_int_equal(c.stdout_records, 2);
	dr_fcgi_end(&held->req);
	AWAIT_ENDS(&c, 1);
	assert_string_equal(c.answer.data, "data: 1\n\ndata: 2\n\ndata: 3\n\n");
	client_close(&c);
}

static void
a_slow_reader_is_heard_of_once_when_it_has_caught_up(void **state)
{
	const size_t len = 1 << 20;
	char *bytes = dr_malloc(len);
	struct held *held;
	struct client c;

	(void)state;
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(i * 13 + i / 65528);
	client_open(&c);
	held = hold(&c, 1, true);
	dr_fcgi_write(held->req, bytes, 1000);
	dr_fcgi_write(held->req, bytes + 1000, len - 1000);
	settle();
	assert_true(dr_fcgi_unsent(held->req) > DR_OUT_HIGH_WATER);
	assert_int_equal(held->drains, 0);
	UNTIL((client_read(&c), dr_fcgi_unsent(held->req) == 0));
	assert_int_equal(held->drains, 1);
	client_drain(&c);
	dr_fcgi_write(held->req, "tail", 4); /* never high: nothing to be told */
	settle();
	assert_int_equal(held->drains, 1);
	dr_fcgi_end(&held->req);
	AWAIT_ENDS(&c, 1);
	assert_int_equal(c.answer.len, len + 4);
	assert_memory_equal(c.answer.data, bytes, len);
	assert_int_equal(c.longest_record, DR_FCGI_MAX_CONTENT);
	client_close(&c);
	free(bytes);
}

/* Ten thousand of these wait side by side: what each one holds is what they cost. */
static void
a_stream_that_waits_holds_little_memory(void **state)
{
	char *bytes = dr_calloc(1, 20000);
	struct dr_fcgi_request *req;
	struct dr_fcgi_conn *conn;
	struct held *held;
	struct client c;

	(void)state;
	client_open(&c);
	held = hold(&c, 1, true);
	req = held->req;
	conn = req->conn;
	assert_int_equal(req->body.size, 3); /* as announced, and the NUL */
	dr_fcgi_drop_params(req);
	dr_fcgi_drop_body(req);
	for (int i = 0; i < 3; i++) {
		dr_fcgi_write(req, bytes, 20000);
		settle();
		client_drain(&c);
		assert_int_equal(conn->out.size, 0);
		dr_fcgi_write(req, bytes, 100); /* the next event's buffer is kept */
		settle();
		assert_in_range(conn->out.size, 1, 4096);
		assert_int_equal(conn->out.len, 0);
		assert_int_equal(conn->out_start, 0);
	}
	assert_int_equal(req->params.size + req->body.size + conn->control.size, 0);
	assert_null(req->table);
	assert_in_range(sizeof *req + sizeof *conn, 0, 700);
	dr_fcgi_end(&held->req);
	AWAIT_ENDS(&c, 1);
	client_close(&c);
	free(bytes);
}

static void
an_ended_answer_is_delivered_to_a_slow_reader(void **state)
{
	const size_t len = 3 << 20;
	char *bytes = dr_calloc(1, len);
	struct held *held;
	struct client c;

	(void)state;
	client_open(&c);
	held = hold(&c, 1, false);
	dr_fcgi_write(held->req, bytes, len);
	dr_fcgi_end(&held->req);
	settle();
	assert_int_equal(dr_fcgi_connections(rig.server), 1);
	AWAIT_EOF(&c);
	assert_int_equal(c.error, 0);
	assert_int_equal(c.ends, 1);
	assert_int_equal(c.answer.len, len);
	assert_int_equal(held->drains, 0); /* its request is over */
	client_close(&c);
	free(bytes);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_start, rig_stop)
	const struct CMUnitTest tests[] = {
		TEST(what_one_turn_writes_leaves_in_one_record),
		TEST(a_slow_reader_is_heard_of_once_when_it_has_caught_up),
		TEST(a_stream_that_waits_holds_little_memory),
		TEST(an_ended_answer_is_delivered_to_a_slow_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
