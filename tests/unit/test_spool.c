/*
 * spool: what was kept comes back, whole and in order, whatever happened to the file
 * and to the process; what did not survive is reported, with its place.
 */
#include "spool_fixture.h"

#include <sys/resource.h>

#include "gateway/spool_record.h"

/* ---- files ---- */

static struct dr_spool *spool;
static struct dr_strbuf sent; /* payloads, each behind a '|' */
static unsigned n_sent, n_out;

static enum dr_spool_sending
on_send(void *arg, const char *payload, size_t len, int64_t age_ms)
{
	(void)arg;
	if (len > 0 && payload[0] == '?')
		return DR_SPOOL_UNREADABLE;
	if (age_ms > 3600000)
		return DR_SPOOL_TOO_OLD;
	dr_strbuf_addc(&sent, '|');
	dr_strbuf_add(&sent, payload, len);
	n_sent++;
	n_out++;
	return DR_SPOOL_SENDING;
}

static void
add(struct dr_spool *to, const char *payload)
{
	assert_true(dr_spool_add(to, payload, strlen(payload)));
}

static void
on_nudge(struct dr_timer *timer)
{
	(void)timer;
}

/* Replay until everything was handed out and answered; `acknowledged` all alike. */
static void
replay_all(struct dr_spool *from, bool acknowledged)
{
	struct dr_timer nudge; /* a turn is not to wait for the spool's own watch */

	dr_timer_init(&nudge, loop, on_nudge);
	for (int i = 0; i < 20; i++) {
		dr_spool_replay(from);
		while (n_out > 0) {
			n_out--;
			(void)dr_spool_sent(
			    from, acknowledged ? DR_SPOOL_ARRIVED : DR_SPOOL_AWAY);
		}
		dr_timer_start(&nudge, 1);
		dr_loop_turn(loop);
		dr_timer_stop(&nudge);
		if (!acknowledged && n_sent > 0)
			return;
	}
}

/* A file as a process that died would leave it. */
static void
leave_file(const char *name, const char *bytes, size_t len)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

static int
set_up(void **state)
{
	loop_setup(state);
	make_folder();
	dr_strbuf_init(&sent, 1 << 20);
	n_sent = n_out = 0;
	spool = open_spool(1 << 20);
	return 0;
}

static int
tear_down(void **state)
{
	char command[64];

	dr_spool_free(&spool);
	dr_strbuf_fini(&sent);
	snprintf(command, sizeof command, "rm -r %s", dir);
	assert_int_equal(system(command), 0);
	return loop_teardown(state);
}

static void
what_is_kept_comes_back_once(void **state)
{
	(void)state;
	add(spool, "a");
	add(spool, "b");
	assert_true(dr_spool_unwritten(spool) > 0);
	TURN_UNTIL(dr_spool_unwritten(spool) == 0);
	add(spool, "c");
	TURN_UNTIL(dr_spool_unwritten(spool) == 0);
	assert_true(dr_spool_bytes(spool) > 0);
	replay_all(spool, true);
	assert_string_equal(sent.data, "|a|b|c");
	assert_int_equal(dr_spool_bytes(spool), 0);
	add(spool, "d");
	TURN_UNTIL(dr_spool_unwritten(spool) == 0);
	replay_all(spool, true);
	assert_string_equal(sent.data, "|a|b|c|d");
}

static void
a_pass_that_did_not_arrive_is_made_again(void **state)
{
	(void)state;
	add(spool, "a");
	add(spool, "b");
	TURN_UNTIL(dr_spool_unwritten(spool) == 0);
	replay_all(spool, false);
	assert_true(dr_spool_bytes(spool) > 0);
	add(spool, "c"); /* while it is away */
	TURN_UNTIL(dr_spool_unwritten(spool) == 0);
	replay_all(spool, true);
	assert_string_equal(sent.data, "|a|b|a|b|c");
	assert_int_equal(dr_spool_bytes(spool), 0);
}

static void
what_waits_at_the_end_is_on_disk_for_the_next_process(void **state)
{
	struct dr_spool *next = open_spool(1 << 20);

	(void)state;
	add(spool, "a");
	dr_spool_free(&spool); /* in the same turn */
	assert_int_equal(count_files(".spool"), 2);
	replay_all(next, true);
	assert_string_equal(sent.data, "|a");
	assert_int_equal(count_files(".spool"), 1);
	dr_spool_free(&next);
	assert_int_equal(count_files(".spool"), 0); /* empty ones go */
}

static void
an_orphan_is_adopted_by_one(void **state)
{
	struct dr_spool *other = open_spool(1 << 20);
	struct dr_strbuf file;

	(void)state;
	dr_strbuf_init(&file, 1000);
	dr_spool_record_add(&file, dr_clock_wall_ms(), "orphan", 6);
	leave_file("1-x.spool", file.data, file.len);
	add(other, "other's own");
	TURN_UNTIL(dr_spool_unwritten(other) == 0);
	/* both look at it at once; one has the lock, and none touches a living one's */
	for (int i = 0; i < 5; i++) {
		dr_spool_replay(spool);
		dr_spool_replay(other);
	}
	assert_string_equal(sent.data, "|orphan|other's own");
	n_out = 0;
	(void)dr_spool_sent(spool, DR_SPOOL_ARRIVED);
	(void)dr_spool_sent(other, DR_SPOOL_ARRIVED);
	replay_all(spool, true);
	replay_all(other, true);
	assert_int_equal(n_sent, 2);
	assert_int_equal(count_files(".spool"), 2);
	dr_spool_free(&other);
	dr_strbuf_fini(&file);
}

static void
damage_is_reported_and_kept(void **state)
{
	struct dr_strbuf file;

	(void)state;
	dr_strbuf_init(&file, 1000);
	dr_spool_record_add(&file, dr_clock_wall_ms(), "one", 3);
	dr_strbuf_adds(&file, "noise");
	dr_spool_record_add(&file, dr_clock_wall_ms(), "?unreadable", 11);
	dr_spool_record_add(&file, dr_clock_wall_ms() - 7200000, "too old", 7);
	dr_spool_record_add(&file, dr_clock_wall_ms(), "two", 3);
	dr_spool_record_add(&file, dr_clock_wall_ms(), "torn", 4);
	leave_file("1-x.spool", file.data, file.len - 1);
	log_forget();
	replay_all(spool, true);
	assert_string_equal(sent.data, "|one|two");
	assert_int_equal(logged("1-x.spool: byte 27: 5 bytes are no whole record"), 1);
	assert_int_equal(logged("1-x.spool: byte 32: not a settlement"), 1);
	assert_int_equal(logged("120 minutes old: not replayed"), 1);
	assert_int_equal(logged("27 bytes are no whole record"), 1);
	assert_int_equal(count_files(".spool"), 1);
	assert_int_equal(count_files(".damaged"), 1);
	dr_strbuf_fini(&file);
}

/* The own file is no worse: what it could not send is there to be looked at. */
static void
what_the_own_file_could_not_send_is_kept_too(void **state)
{
	char path[300], text[200];
	struct dirent *entry;
	DIR *folder;
	FILE *file;
	size_t n;

	(void)state;
	add(spool, "one");
	add(spool, "?unreadable");
	add(spool, "two");
	TURN_UNTIL(dr_spool_unwritten(spool) == 0);
	log_forget();
	replay_all(spool, true);
	assert_string_equal(sent.data, "|one|two");
	assert_int_equal(logged("kept for what was not replayed"), 1);
	assert_int_equal(count_files(".spool"), 1);
	assert_int_equal(count_files(".damaged"), 1);
	assert_int_equal(dr_spool_bytes(spool), 0);
	folder = opendir(dir);
	while ((entry = readdir(folder)) != NULL &&
	       strstr(entry->d_name, ".damaged") == NULL)
		;
	assert_non_null(entry);
	snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
	closedir(folder);
	file = fopen(path, "r");
	n = fread(text, 1, sizeof text, file);
	fclose(file);
	assert_non_null(memmem(text, n, "?unreadable", 11));
	/* and it goes on in another file, which is as good */
	add(spool, "three");
	TURN_UNTIL(dr_spool_unwritten(spool) == 0);
	replay_all(spool, true);
	assert_string_equal(sent.data, "|one|two|three");
	assert_int_equal(count_files(".damaged"), 1);
}

static void
a_full_one_says_so_and_keeps_what_it_has(void **state)
{
	char payload[1000] = "";

	(void)state;
	dr_spool_free(&spool);
	spool = open_spool(10000);
	memset(payload, 'x', sizeof payload);
	for (int i = 0; i < 7; i++)
		assert_true(dr_spool_add(spool, payload, sizeof payload));
	assert_true(dr_spool_sound(spool));
	assert_true(dr_spool_add(spool, payload, sizeof payload));
	assert_false(dr_spool_sound(spool)); /* no new debts, what runs has room */
	assert_true(dr_spool_add(spool, payload, sizeof payload));
	log_forget();
	assert_false(dr_spool_add(spool, payload, sizeof payload));
	assert_false(dr_spool_add(spool, payload, sizeof payload));
	assert_int_equal(logged("full at"), 1);
	TURN_UNTIL(dr_spool_unwritten(spool) == 0);
	replay_all(spool, true);
	assert_int_equal(n_sent, 9);
	assert_true(dr_spool_sound(spool));
}

/* As on a full disk: write() fails, then works again. */
static void
a_write_that_fails_is_tried_again_and_meanwhile_no_debt_is_taken(void **state)
{
	struct rlimit old, small;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	add(spool, "before");
	TURN_UNTIL(dr_spool_unwritten(spool) == 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = dr_spool_bytes(spool) + 10; /* half a record still fits */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0); /* the log's file too */
	add(spool, "during");
	TURN_UNTIL(!dr_spool_sound(spool));
	assert_true(dr_spool_unwritten(spool) > 0);
	for (int i = 0; i < 50; i++) { /* neither while the next tries are made */
		add(spool, ".");
		dr_loop_turn(loop);
		assert_false(dr_spool_sound(spool));
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	add(spool, "after");
	TURN_UNTIL(dr_spool_unwritten(spool) == 0);
	TURN_UNTIL(dr_spool_sound(spool));
	replay_all(spool, true);
	assert_int_equal(strncmp(sent.data, "|before|during|.|.", 18), 0);
	assert_non_null(strstr(sent.data, "|.|after"));
}

static void
a_folder_that_cannot_be_used_is_named(void **state)
{
	static const char *const bad[] = { "/proc/nothing/spool", "/dev/null" };

	(void)state;
	for (size_t i = 0; i < DR_N_ELEMENTS(bad); i++) {
		struct dr_spool_options options = {
			.dir = bad[i], .most_bytes = 100000, .send = on_send
		};
		char err[256] = "";

		assert_null(dr_spool_open(loop, &options, err, sizeof err));
		assert_non_null(strstr(err, "spool_dir: "));
		assert_non_null(strstr(err, bad[i]));
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(what_is_kept_comes_back_once),
		T(a_pass_that_did_not_arrive_is_made_again),
		T(what_waits_at_the_end_is_on_disk_for_the_next_process),
		T(an_orphan_is_adopted_by_one),
		T(damage_is_reported_and_kept),
		T(what_the_own_file_could_not_send_is_kept_too),
		T(a_full_one_says_so_and_keeps_what_it_has),
		T(a_write_that_fails_is_tried_again_and_meanwhile_no_debt_is_taken),
		T(a_folder_that_cannot_be_used_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
