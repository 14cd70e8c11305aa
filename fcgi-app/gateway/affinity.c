/*
 * affinity - see the header. The body is not parsed again: the spans that the scan has
 * found are walked text by text, and not far. A wrong guess costs a cache hit at worst.
 */
#include "gateway/affinity.h"

#include <stdbool.h>
#include <string.h>

#include "dialects/json_scan.h"

/* Eight bytes at a time: bodies are long, and nothing here has to withstand an enemy.
 */
uint64_t
dr_affinity_hash(uint64_t seed, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	uint64_t word;

	for (; len >= sizeof word; len -= sizeof word, p += sizeof word) {
		memcpy(&word, p, sizeof word);
		seed = (seed ^ word) * UINT64_C(0x100000001b3);
		seed ^= seed >> 29;
	}
	for (size_t i = 0; i < len; i++)
		seed = (seed ^ p[i]) * UINT64_C(0x100000001b3);
	return seed ^ seed >> 31;
}

/* SplitMix64's finish: every bit of both stirs every bit. */
uint64_t
dr_affinity_mix(uint64_t a, uint64_t b)
{
	uint64_t z = a ^ (b * UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

struct user_id {
	uint64_t hash;
	bool found;
};

static bool
on_metadata(void *arg, const struct dr_json_member *member)
{
	struct user_id *user = arg;

	if (!dr_json_key_is(member, "user_id") || member->type != DR_JSON_STRING)
		return true;
	user->hash = dr_affinity_hash(user->hash, member->value, member->value_len);
	user->found = true;
	return false;
}

/* Of a long text its length and its ends tell. */
static uint64_t
hash_text(uint64_t hash, const char *text, size_t len)
{
	const size_t most = DR_AFFINITY_TEXT_BYTES;

	hash = dr_affinity_hash(hash, &len, sizeof len);
	if (len <= 2 * most)
		return dr_affinity_hash(hash, text, len);
	hash = dr_affinity_hash(hash, text, most);
	return dr_affinity_hash(hash, text + len - most, most);
}

struct walk {
	const char *at, *end;
	uint64_t hash;
	unsigned depth;
	unsigned skipped_at; /* cache_control's depth; 0: nothing is skipped */
	bool role;           /* the last text of a message was the name "role" */
	bool user;           /* the message is the user's */
};

/* From the opening quote to behind the closing one. */
static void
walk_text(struct walk *walk)
{
	const char *text = ++walk->at, *quote = NULL;
	size_t len;

	while (walk->at < walk->end) {
		const char *p = memchr(walk->at, '"', (size_t)(walk->end - walk->at));
		const char *slash = p;

		walk->at = p != NULL ? p + 1 : walk->end;
		while (slash != NULL && slash > text && slash[-1] == '\\')
			slash--;
		if (p == NULL || (p - slash) % 2 == 0) {
			quote = p;
			break;
		}
	}
	len = (size_t)((quote != NULL ? quote : walk->end) - text);
	if (walk->skipped_at > 0)
		return;
	if (len == 13 && memcmp(text, "cache_control", len) == 0) {
		walk->skipped_at = walk->depth;
		return;
	}
	if (walk->depth == 2) {
		walk->user |= walk->role && len == 4 && memcmp(text, "user", 4) == 0;
		walk->role = len == 4 && memcmp(text, "role", 4) == 0;
	}
	walk->hash = hash_text(walk->hash, text, len);
}

/*
 * All texts of a value, or, of an array of messages, those up to the end of the first
 * user's: what comes after is not there yet in the first turn.
 */
static uint64_t
hash_value(uint64_t hash, const char *body, const struct dr_span *span, bool messages)
{
	struct walk walk = { .at = body + span->at,
		.end = body + span->at +
		       (span->len < DR_AFFINITY_VALUE_BYTES ? span->len
							    : DR_AFFINITY_VALUE_BYTES),
		.hash = hash };

	while (walk.at < walk.end) {
		switch (*walk.at) {
		case '"':
			walk_text(&walk);
			continue;
		case '[':
		case '{':
			walk.depth++;
			break;
		case ']':
		case '}':
			walk.depth--;
			if (walk.depth < walk.skipped_at)
				walk.skipped_at = 0;
			if (messages && walk.depth == 1 && walk.user)
				return walk.hash;
			break;
		case ',':
			if (walk.depth == walk.skipped_at)
				walk.skipped_at = 0;
			break;
		default:
			break;
		}
		walk.at++;
	}
	return walk.hash;
}

uint64_t
dr_affinity_of(const char *account, const char *session, const char *body,
    const struct dr_body_facts *facts)
{
	uint64_t hash = dr_affinity_hash(DR_AFFINITY_SEED, account, strlen(account));
	struct user_id user = { .hash = hash };
	char err[128];

	if (session != NULL && session[0] != '\0')
		return dr_affinity_hash(hash, session, strlen(session)) | 1;
	if (facts->prompt_cache_key.len > 2)
		return dr_affinity_hash(hash, body + facts->prompt_cache_key.at,
			   facts->prompt_cache_key.len) |
		       1;
	if (facts->metadata.len > 2 &&
	    dr_json_scan(body + facts->metadata.at, facts->metadata.len, on_metadata,
		&user, err, sizeof err) &&
	    user.found)
		return user.hash | 1;
	hash = hash_value(hash, body, &facts->system, false);
	return hash_value(hash, body, &facts->messages, true) | 1;
}
