/*
 * ctl_secrets - secrets rotate: another key for the credentials at rest.
 *
 * The key file first gets the new key in front of the old one, so that every process
 * that reads it opens both; then each credential is sealed anew; then, when all of them
 * open with the new key alone, the old one leaves the file. Stopped anywhere, it goes
 * on where it was when it is called again. Running processes read the file again when
 * they meet a credential that does not open.
 *
 * Other machines have files of their own: with --prepare it stops after the first step,
 * and goes on when the file with both keys has been copied to them.
 *
 * The lock is for those who would seal with a key that is about to leave: one rotation
 * at a time, and none between the reading of the key and the writing of a record.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "operator/ctl_provider.h"

#define ROTATE_USAGE "rotate [--prepare]"
#define LINE_BYTES   (2 * DR_SEAL_KEY_BYTES + 1)

/* Of the folder, since the file itself is replaced. -1: errno says why. */
static int
open_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];

	snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - path) : 1,
	    slash != NULL ? path : ".");
	return open(
	    folder[0] != '\0' ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool
ctl_key_lock(struct ctl *ctl, bool alone)
{
	const char *path = ctl->config->settings->secrets_key_file;
	int fd = open_folder(path), rc = -1;

	DR_ASSERT(ctl->key_lock == 0);
	while (fd >= 0 && (rc = flock(fd, alone ? LOCK_EX : LOCK_SH)) != 0 &&
	       errno == EINTR)
		;
	if (rc != 0)
		return ctl_fail(0, "secrets_key_file: %s: %s", path, strerror(errno)) !=
		       0;
	ctl->key_lock = fd;
	return true;
}

static void
add_line(char *out, const uint8_t key[DR_SEAL_KEY_BYTES])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < DR_SEAL_KEY_BYTES; i++) {
		out[2 * i] = digits[key[i] >> 4];
		out[2 * i + 1] = digits[key[i] & 15];
	}
	out[2 * DR_SEAL_KEY_BYTES] = '\n';
}

static bool
write_synced(int fd, const char *text, size_t len)
{
	bool ok = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;

	return close(fd) == 0 && ok;
}

/* All or nothing, also when the power fails: a new file takes the place of the old one,
 * with its owner and mode. */
static bool
write_keys(struct ctl *ctl, const struct dr_seal_key *key)
{
	const char *path = ctl->config->settings->secrets_key_file;
	char text[(1 + DR_SEAL_KEYS_OLDER) * LINE_BYTES], fresh[PATH_MAX];
	struct stat st;
	bool ok = false;
	int fd;

	add_line(text, key->bytes);
	for (unsigned i = 0; i < key->n_older; i++)
		add_line(text + (i + 1) * LINE_BYTES, key->older[i]);
	snprintf(fresh, sizeof fresh, "%s.new", path);
	fd = stat(path, &st) == 0
		 ? open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
		 : -1;
	if (fd >= 0) {
		ok = fchmod(fd, st.st_mode & 0600) == 0 &&
		     (geteuid() != 0 || fchown(fd, st.st_uid, st.st_gid) == 0);
		ok = write_synced(fd, text, (1 + key->n_older) * LINE_BYTES) && ok;
		ok = ok && rename(fresh, path) == 0 && fsync(ctl->key_lock) == 0;
	}
	if (!ok)
		ctl_fail(CTL_FAILED, "secrets_key_file: %s: %s", path, strerror(errno));
	dr_wipe(text, sizeof text);
	return ok;
}

/* The new key in front. One that was put there before and not finished stays. */
static bool
begin(struct ctl *ctl, struct dr_seal_key *key)
{
	const char *path = ctl->config->settings->secrets_key_file;
	char err[256];
	struct dr_seal_key fresh = { .n_older = 1 };

	if (!dr_seal_key_load(path, key, err, sizeof err))
		return ctl_fail(0, "secrets_key_file: %s", err) != 0;
	if (key->n_older > 0)
		return true;
	dr_random_bytes(fresh.bytes, sizeof fresh.bytes);
	memcpy(fresh.older[0], key->bytes, sizeof key->bytes);
	*key = fresh;
	dr_wipe(&fresh, sizeof fresh);
	return write_keys(ctl, key);
}

/* True where the credential opens with the new key alone, or there is none. */
static bool
is_done(const struct dr_provider_record *record, const struct dr_seal_key *key)
{
	struct dr_seal_key alone = *key;
	char *plain;
	bool done;

	alone.n_older = 0;
	done = dr_provider_record_open(record, &alone, &plain);
	if (done && plain != NULL)
		dr_wipe(plain, strlen(plain));
	if (done)
		free(plain);
	dr_wipe(&alone, sizeof alone);
	return done;
}

/* -1: said so; else how many were sealed anew (0 or 1). */
static int
reseal(struct ctl *ctl, const char *name, const struct dr_seal_key *key)
{
	struct dr_provider_record *record = ctl_provider_read(ctl, name, NULL);
	int n = -1;
	char *plain;

	if (record == NULL)
		return -1;
	if (is_done(record, key)) {
		n = 0;
	} else if (!dr_provider_record_open(record, key, &plain)) {
		ctl_fail(CTL_FAILED,
		    "%s: its credential opens with no key of the file: set it anew "
		    "(provider credential %s)",
		    name, name);
	} else {
		dr_provider_record_seal(record, key, plain);
		dr_wipe(plain, strlen(plain));
		free(plain);
		if (ctl_provider_write(ctl, record))
			n = 1;
	}
	dr_provider_record_free(&record);
	return n;
}

/* Sealed anew; -1 where one of them could not be. */
static int
reseal_all(struct ctl *ctl, const struct dr_seal_key *key)
{
	struct ctl_reply names;
	int total = 0;

	if (!ctl_command(
		ctl, &names, (const char *[]){ "HKEYS", DR_PROVIDERS_KEY, NULL }))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		int n = reseal(ctl, names.items[i].text, key);

		total = n < 0 || total < 0 ? -1 : total + n;
	}
	ctl_reply_free(&names);
	return total;
}

static int
say_prepared(struct ctl *ctl, const char *path)
{
	if (ctl->json)
		printf("{\"prepared\":true}\n");
	else
		printf(
		    "%s holds a new key and the old one: copy it to every machine, then "
		    "call secrets rotate, then copy it again\n",
		    path);
	return CTL_OK;
}

static int
rotate(struct ctl *ctl, int argc, char **argv)
{
	const char *path = ctl->config->settings->secrets_key_file, *word;
	struct ctl_option options[] = { { "--prepare", NULL, 1, 0 },
		{ NULL, NULL, 0, 0 } };
	struct dr_seal_key key;
	int total, again = -1;
	size_t n;

	if (!ctl_options(argc, argv, options, &word, 0, 0, &n, "secrets " ROTATE_USAGE))
		return CTL_USAGE;
	if (!ctl_key_lock(ctl, true) || !begin(ctl, &key))
		return CTL_FAILED;
	if (options[0].n > 0) {
		dr_wipe(&key, sizeof key);
		return say_prepared(ctl, path);
	}
	total = reseal_all(ctl, &key);
	if (total >= 0) /* once more: one may have been written with the old key */
		again = reseal_all(ctl, &key);
	if (again < 0) {
		dr_wipe(&key, sizeof key);
		return ctl_fail(CTL_FAILED,
		    "secrets rotate: not finished: both keys stay in %s; call it again",
		    path);
	}
	key.n_older = 0;
	n = write_keys(ctl, &key);
	dr_wipe(&key, sizeof key);
	if (!n)
		return CTL_FAILED;
	if (ctl->json)
		printf("{\"resealed\":%d}\n", total + again);
	else
		printf("%d credentials sealed with a new key\n", total + again);
	return CTL_OK;
}

const struct ctl_verb ctl_secrets_verbs[] = {
	{ "secrets", "rotate", "[--prepare]", true, rotate },
	{ NULL, NULL, NULL, false, NULL },
};
