/*
 * spool_replay - records go back to Redis: first those of the own file, then those of
 * files whose process died. A file is read in passes: when a record of a pass did not
 * arrive, the next pass hands the whole file out again, since a record that arrived
 * twice does no harm and one that is lost does.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/spool_priv.h"
#include "gateway/spool_record.h"

#define MOST_OUT   500 /* records handed out and not yet answered */
#define READ_BYTES (4 * (DR_SPOOL_MAX_PAYLOAD + DR_SPOOL_HEAD))
#define ADOPT_MS   5000

/* ---- choosing a file ---- */

static void
begin(struct dr_spool *spool, const char *path, int fd, bool adopted, uint64_t end)
{
	spool->reading = (struct dr_spool_reading){
		.path = dr_strdup(path), .fd = fd, .adopted = adopted, .end = end
	};
}

/* A file whose lock is free belongs to nobody any more. One that another process has
 * replayed meanwhile has no name left. */
static bool
adopt(struct dr_spool *spool, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return false;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &st) != 0 ||
	    st.st_nlink == 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return false;
	}
	dr_log_warn(admission, "%s: %lld bytes of settlements of a process that died",
	    path, (long long)st.st_size);
	begin(spool, path, fd, true, (uint64_t)st.st_size);
	return true;
}

static bool
look_for_orphan(struct dr_spool *spool)
{
	const size_t suffix = sizeof DR_SPOOL_SUFFIX - 1;
	struct dirent *entry;
	bool found = false;
	char path[PATH_MAX];
	DIR *dir;

	if (dr_clock_ms() < spool->adopt_at_ms)
		return false;
	spool->adopt_at_ms = dr_clock_ms() + ADOPT_MS;
	dir = opendir(spool->options.dir);
	if (dir == NULL)
		return false;
	while (!found && (entry = readdir(dir)) != NULL) {
		size_t len = strlen(entry->d_name);

		if (len <= suffix ||
		    strcmp(entry->d_name + len - suffix, DR_SPOOL_SUFFIX) != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", spool->options.dir, entry->d_name);
		found = strcmp(path, spool->path) != 0 && adopt(spool, path);
	}
	closedir(dir);
	if (found) /* there may be more of them */
		spool->adopt_at_ms = 0;
	return found;
}

static bool
choose_file(struct dr_spool *spool)
{
	if (spool->reading.path != NULL)
		return true;
	if (spool->size > 0) {
		begin(spool, spool->path, spool->fd, false, spool->size);
		return true;
	}
	return look_for_orphan(spool);
}

/* ---- reading it ---- */

static void
report_damage(struct dr_spool_reading *r, uint64_t at, size_t len)
{
	dr_log_error(admission,
	    "%s: byte %llu: %zu bytes are no whole record: not replayed", r->path,
	    (unsigned long long)at, len);
	r->damaged++;
}

static void
hand_out(struct dr_spool *spool, const struct dr_spool_record *record)
{
	struct dr_spool_reading *r = &spool->reading;
	int64_t age = dr_clock_wall_ms() - record->written_ms;

	r->n++;
	switch (spool->options.send(
	    spool->options.arg, record->payload, record->len, age > 0 ? age : 0)) {
	case DR_SPOOL_SENDING:
		r->out++;
		break;
	case DR_SPOOL_TOO_OLD:
		dr_log_error(admission,
		    "%s: byte %llu: a settlement %lld minutes old: not replayed, its "
		    "receipt may be gone",
		    r->path, (unsigned long long)r->at, (long long)(age / 60000));
		r->old++;
		break;
	case DR_SPOOL_UNREADABLE:
		dr_log_error(admission, "%s: byte %llu: not a settlement: not replayed",
		    r->path, (unsigned long long)r->at);
		r->unreadable++;
		break;
	}
}

/* One piece of the file, as far as records may be out. False: the file cannot be read.
 */
static bool
read_piece(struct dr_spool *spool, char *bytes)
{
	struct dr_spool_reading *r = &spool->reading;
	uint64_t left = r->end - r->at;
	size_t want = left < READ_BYTES ? (size_t)left : READ_BYTES, used, at = 0;
	ssize_t n = pread(r->fd, bytes, want, (off_t)r->at);
	struct dr_spool_record record;

	if (n < 0 || (size_t)n < want)
		return false;
	while (r->out < MOST_OUT) {
		enum dr_spool_step step = dr_spool_record_next(
		    bytes + at, want - at, want == left, &record, &used);

		if (step == DR_SPOOL_END || step == DR_SPOOL_MORE)
			break;
		if (step == DR_SPOOL_DAMAGED)
			report_damage(r, r->at, used);
		else
			hand_out(spool, &record);
		at += used;
		r->at += used;
	}
	return true;
}

/* ---- its end ---- */

void
dr_spool_reading_stop(struct dr_spool *spool)
{
	struct dr_spool_reading *r = &spool->reading;

	DR_ASSERT(r->out == 0);
	if (r->adopted)
		close(r->fd);
	free(r->path);
	*r = (struct dr_spool_reading){ .fd = -1 };
}

/* What was not replayed stays on disk, where somebody may look at it, under a name
 * nobody adopts. */
static void
put_aside(struct dr_spool *spool)
{
	const struct dr_spool_reading *r = &spool->reading;
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s.damaged", r->path);
	if (r->adopted ? rename(r->path, path) == 0 : dr_spool_begin_anew(spool, path))
		dr_log_error(admission, "%s: kept for what was not replayed", path);
	else {
		dr_log_error(admission, "%s: cannot be kept as %s: %s", r->path, path,
		    strerror(errno));
		if (!r->adopted)
			dr_spool_empty(spool);
	}
}

/* Every byte was read and every record answered. */
static void
pass_over(struct dr_spool *spool)
{
	struct dr_spool_reading *r = &spool->reading;

	if (r->failed) {
		r->at = 0;
		r->failed = false;
		r->n = r->damaged = r->old = r->unreadable = r->refused = 0;
		return;
	}
	if (!r->adopted && spool->size > r->end) { /* Redis was away again meanwhile */
		r->end = spool->size;
		return;
	}
	dr_log_info(admission,
	    "%s: %u settlements replayed, %u refused, %u too old, %u damaged places, %u "
	    "unreadable",
	    r->path, r->n - r->old - r->unreadable - r->refused, r->refused, r->old,
	    r->damaged, r->unreadable);
	if (r->damaged + r->old + r->unreadable + r->refused > 0)
		put_aside(spool);
	else if (r->adopted)
		unlink(r->path);
	else
		dr_spool_empty(spool);
	dr_spool_reading_stop(spool);
}

void
dr_spool_replay(struct dr_spool *spool)
{
	struct dr_spool_reading *r = &spool->reading;
	char *bytes;

	DR_CHECK(spool, DR_SPOOL_MAGIC);
	if (!choose_file(spool))
		return;
	if (r->out == 0 && r->at == r->end && !spool->work.running) {
		pass_over(spool);
		return;
	}
	if (r->failed || r->at == r->end || r->out >= MOST_OUT)
		return;
	bytes = dr_malloc(READ_BYTES);
	if (!read_piece(spool, bytes)) {
		dr_log_error(admission, "%s: byte %llu: cannot be read: %s", r->path,
		    (unsigned long long)r->at, strerror(errno));
		r->failed = true;
		r->at = r->end;
	}
	free(bytes);
}

bool
dr_spool_sent(struct dr_spool *spool, enum dr_spool_outcome outcome)
{
	struct dr_spool_reading *r = &spool->reading;

	DR_CHECK(spool, DR_SPOOL_MAGIC);
	DR_ASSERT(r->out > 0);
	r->out--;
	r->refused += outcome == DR_SPOOL_REFUSED;
	if (outcome == DR_SPOOL_AWAY) {
		r->failed = true;
		r->at = r->end; /* no more of this pass */
	}
	return r->out == 0;
}
