/*
 * spool - the own file: what is added, how it gets to disk, how much room there is. A
 * write is appended and synced by a thread behind the loop; while one runs, what is
 * added meanwhile waits for the next. A write that fails is cut off again and tried
 * anew, so that the file never holds half a record but for a crash.
 */
#include "gateway/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "gateway/spool_priv.h"
#include "gateway/spool_record.h"
#include "io/crypto.h"

#define WATCH_MS      1000
#define FREE_BYTES    (16 * 1024 * 1024) /* less than this on the disk: no new debts */
#define SOUND_PERCENT 75 /* of most_bytes: what runs must still find room above it */

/* ---- writing ---- */

static bool
write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* In the writer's thread: touches nothing but the file and `writing`. */
static void
write_out(struct dr_work *work)
{
	struct dr_spool *spool = DR_CONTAINER_OF(work, struct dr_spool, work);

	spool->outcome = 0;
	if (!write_all(spool->fd, spool->writing.data, spool->writing.len) ||
	    fdatasync(spool->fd) != 0)
		spool->outcome = errno;
}

/* Half a batch must not stay: it is written again as a whole. */
static void
write_failed(struct dr_spool *spool)
{
	if (ftruncate(spool->fd, (off_t)spool->size) != 0)
		dr_log_error(admission, "%s: cannot be cut back to %llu bytes: %s",
		    spool->path, (unsigned long long)spool->size, strerror(errno));
	if (!spool->broken) /* once, until a write goes well again */
		dr_log_error(admission,
		    "%s: %s: charges wait in memory, new paid requests are refused",
		    spool->path, strerror(spool->write_error));
	spool->broken = true;
}

static void
flush(struct dr_spool *spool)
{
	struct dr_strbuf empty = spool->writing;

	if (spool->work.running || (spool->writing.len == 0 && spool->waiting.len == 0))
		return;
	if (spool->writing.len == 0) {
		spool->writing = spool->waiting;
		spool->waiting = empty;
	}
	dr_loop_work(spool->loop, &spool->work);
}

static void
wrote(struct dr_work *work)
{
	struct dr_spool *spool = DR_CONTAINER_OF(work, struct dr_spool, work);

	DR_CHECK(spool, DR_SPOOL_MAGIC);
	spool->write_error = spool->outcome;
	if (spool->write_error != 0) {
		write_failed(spool); /* the watch tries again */
		return;
	}
	spool->size += spool->writing.len;
	dr_strbuf_fini(&spool->writing);
	dr_strbuf_init(&spool->writing, SIZE_MAX / 2);
	flush(spool);
}

static void
on_flush(struct dr_deferred *work)
{
	flush(DR_CONTAINER_OF(work, struct dr_spool, flush));
}

uint64_t
dr_spool_bytes(const struct dr_spool *spool)
{
	return spool->size + spool->writing.len + spool->waiting.len;
}

size_t
dr_spool_unwritten(const struct dr_spool *spool)
{
	return spool->writing.len + spool->waiting.len;
}

bool
dr_spool_add(struct dr_spool *spool, const char *payload, size_t len)
{
	DR_CHECK(spool, DR_SPOOL_MAGIC);
	if (len > DR_SPOOL_MAX_PAYLOAD ||
	    dr_spool_bytes(spool) + DR_SPOOL_HEAD + len > spool->options.most_bytes) {
		if (!spool->told_full)
			dr_log_error(admission, "%s: full at %llu bytes", spool->path,
			    (unsigned long long)dr_spool_bytes(spool));
		spool->told_full = true;
		return false;
	}
	dr_spool_record_add(&spool->waiting, dr_clock_wall_ms(), payload, len);
	dr_loop_defer(spool->loop, &spool->flush);
	return true;
}

/* ---- room ---- */

bool
dr_spool_sound(const struct dr_spool *spool)
{
	return !spool->broken &&
	       dr_spool_bytes(spool) <= spool->options.most_bytes / 100 * SOUND_PERCENT;
}

static bool
disk_has_room(const struct dr_spool *spool)
{
	struct statvfs fs;

	return fstatvfs(spool->fd, &fs) != 0 ||
	       (uint64_t)fs.f_bavail * fs.f_frsize >= FREE_BYTES;
}

static void
on_watch(struct dr_timer *timer)
{
	struct dr_spool *spool = DR_CONTAINER_OF(timer, struct dr_spool, watch);
	bool room = disk_has_room(spool);

	DR_CHECK(spool, DR_SPOOL_MAGIC);
	flush(spool);
	if (!room && !spool->broken)
		dr_log_error(admission,
		    "%s: less than %d MB are left on its disk: new paid requests are "
		    "refused",
		    spool->options.dir, FREE_BYTES >> 20);
	else if (spool->broken && room && spool->write_error == 0)
		dr_log_warn(admission, "%s: can be written again", spool->path);
	spool->broken = !room || spool->write_error != 0;
	dr_timer_start(timer, WATCH_MS);
}

void
dr_spool_empty(struct dr_spool *spool)
{
	if (ftruncate(spool->fd, 0) != 0) {
		dr_log_error(admission, "%s: cannot be emptied: %s", spool->path,
		    strerror(errno));
		return;
	}
	spool->size = 0;
	spool->told_full = false;
}

/* ---- its life ---- */

/* The name is on disk too: else a machine that loses power loses the file with it. */
static bool
sync_folder(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

/*
 * Made, locked and ours. The lock ends with the process, however it ends. It gets its
 * name only once it is locked: between the two somebody would take it for an orphan's.
 */
static bool
make_own(struct dr_spool *spool)
{
	char id[13], path[PATH_MAX], unnamed[PATH_MAX];

	dr_random_id(id, sizeof id - 1);
	snprintf(path, sizeof path, "%s/%ld-%s" DR_SPOOL_SUFFIX, spool->options.dir,
	    (long)getpid(), id);
	snprintf(unnamed, sizeof unnamed, "%s/%ld-%s.begun", spool->options.dir,
	    (long)getpid(), id);
	spool->fd =
	    open(unnamed, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (spool->fd < 0)
		return false;
	if (flock(spool->fd, LOCK_EX | LOCK_NB) != 0 || rename(unnamed, path) != 0) {
		int why = errno;

		unlink(unnamed);
		errno = why;
		return false;
	}
	spool->path = dr_strdup(path);
	return sync_folder(spool->options.dir);
}

static bool
open_own(struct dr_spool *spool, char *err, size_t err_size)
{
	bool there = mkdir(spool->options.dir, 0700) == 0 || errno == EEXIST;

	if (there && make_own(spool))
		return true;
	snprintf(
	    err, err_size, "spool_dir: %s: %s", spool->options.dir, strerror(errno));
	return false;
}

bool
dr_spool_begin_anew(struct dr_spool *spool, const char *aside)
{
	char *path = spool->path;
	int fd = spool->fd, why;

	DR_ASSERT(!spool->work.running);
	if (make_own(spool) && rename(path, aside) == 0) {
		close(fd); /* and its lock: nobody adopts that name */
		free(path);
		spool->size = 0;
		spool->told_full = false;
		return true;
	}
	why = errno;
	if (spool->path != path) { /* the new one was made */
		unlink(spool->path);
		free(spool->path);
	}
	if (spool->fd >= 0 && spool->fd != fd)
		close(spool->fd);
	spool->fd = fd;
	spool->path = path;
	errno = why;
	return false;
}

struct dr_spool *
dr_spool_open(struct dr_loop *loop, const struct dr_spool_options *options, char *err,
    size_t err_size)
{
	struct dr_spool *spool = dr_calloc(1, sizeof *spool);

	spool->magic = DR_SPOOL_MAGIC;
	spool->loop = loop;
	spool->options = *options;
	spool->options.dir = dr_strdup(options->dir);
	spool->fd = spool->reading.fd = -1;
	/* the bound is most_bytes, looked at in dr_spool_add() */
	dr_strbuf_init(&spool->waiting, SIZE_MAX / 2);
	dr_strbuf_init(&spool->writing, SIZE_MAX / 2);
	dr_work_init(&spool->work, write_out, wrote);
	dr_deferred_init(&spool->flush, on_flush);
	dr_timer_init(&spool->watch, loop, on_watch);
	if (!open_own(spool, err, err_size)) {
		dr_spool_free(&spool);
		return NULL;
	}
	dr_timer_start(&spool->watch, 0);
	return spool;
}

/* The loop may not turn again: what waits is written here and now. */
static void
last_write(struct dr_spool *spool)
{
	while (spool->work.running)
		dr_loop_turn(spool->loop);
	if (dr_spool_unwritten(spool) == 0)
		return;
	if (!write_all(spool->fd, spool->writing.data, spool->writing.len) ||
	    !write_all(spool->fd, spool->waiting.data, spool->waiting.len) ||
	    fdatasync(spool->fd) != 0)
		dr_log_error(admission, "%s: %s: %zu bytes of settlements are lost",
		    spool->path, strerror(errno), dr_spool_unwritten(spool));
	spool->size += dr_spool_unwritten(spool);
}

void
dr_spool_free(struct dr_spool **spool)
{
	struct dr_spool *s = *spool;

	if (s == NULL)
		return;
	DR_CHECK(s, DR_SPOOL_MAGIC);
	dr_timer_stop(&s->watch);
	dr_deferred_cancel(&s->flush);
	dr_spool_reading_stop(s);
	if (s->fd >= 0) {
		last_write(s);
		if (s->size == 0 && s->path != NULL)
			unlink(s->path);
		close(s->fd);
	}
	dr_strbuf_fini(&s->waiting);
	dr_strbuf_fini(&s->writing);
	free(s->path);
	free((char *)s->options.dir);
	DR_FREE(*spool);
}
