/*
 * affinity - see the header. The body is not read again: only the spans that the scan
 * has found, and of long ones only their beginning.
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

/*
 * The first element of an array: the later ones come with each turn. Of a text (input
 * of Responses) all of it.
 */
static size_t
first_element(const char *text, size_t len)
{
	size_t i = 0,
	       most = len < DR_AFFINITY_MESSAGE_BYTES ? len : DR_AFFINITY_MESSAGE_BYTES;
	unsigned depth = 0;
	bool in_string = false;

	for (; i < most; i++) {
		char c = text[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '{' || c == '['))
			depth++;
		else if (!in_string && (c == '}' || c == ']') && --depth <= 1)
			return i + 1 < most ? i + 1 : most;
	}
	return most;
}

static uint64_t
hash_span(uint64_t hash, const char *body, const struct dr_span *span, size_t most)
{
	return dr_affinity_hash(
	    hash, body + span->at, span->len < most ? span->len : most);
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
		return hash_span(hash, body, &facts->prompt_cache_key, SIZE_MAX) | 1;
	if (facts->metadata.len > 2 &&
	    dr_json_scan(body + facts->metadata.at, facts->metadata.len, on_metadata,
		&user, err, sizeof err) &&
	    user.found)
		return user.hash | 1;
	hash = hash_span(hash, body, &facts->system, DR_AFFINITY_SYSTEM_BYTES);
	return dr_affinity_hash(hash, body + facts->messages.at,
		   first_element(body + facts->messages.at, facts->messages.len)) |
	       1;
}
