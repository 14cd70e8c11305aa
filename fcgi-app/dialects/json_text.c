/*
 * json_text - what one scanned member says: its name, its text, its number.
 *
 * The second half of json_scan.h. Not for whole documents; relies on nothing but the
 * member's raw bytes.
 */
#include <string.h>

#include "dialects/json_scan.h"

/* UTF-8 of a code point; returns its length. */
static size_t
encode_utf8(unsigned code, char out[4])
{
	size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char lead[5] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n; i-- > 1; code >>= 6)
		out[i] = (char)(0x80 | (code & 0x3f));
	out[0] = (char)(lead[n] | code);
	return n;
}

/* Four hexadecimal digits as a number; -1 where they are not. */
static int
hex4(const char *p, const char *end)
{
	int code = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int c = p[i] | 0x20;

		if (p[i] >= '0' && p[i] <= '9')
			code = code * 16 + p[i] - '0';
		else if (c >= 'a' && c <= 'f')
			code = code * 16 + c - 'a' + 10;
		else
			return -1;
	}
	return code;
}

/* Length of the UTF-8 character at p, 0 where there is none. */
static size_t
utf8_length(const char *p, const char *end)
{
	const unsigned char *s = (const unsigned char *)p;
	size_t n = s[0] < 0x80   ? 1
		   : s[0] < 0xc2 ? 0
		   : s[0] < 0xe0 ? 2
		   : s[0] < 0xf0 ? 3
				 : 4;

	if (n == 0 || s[0] > 0xf4 || (size_t)(end - p) < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (s[i] >> 6 != 2)
			return 0;
	}
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* One escape at p (a backslash) as UTF-8; returns how many raw bytes it took, 0: bad.
 */
/*
 * U+0000 is refused: the text ends up in C strings, where it would cut a name short.
 * Half of a surrogate pair is no character.
 */
static size_t
read_escape(const char *p, const char *end, char out[4], size_t *out_len)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	int code, low;

	if (end - p < 2)
		return 0;
	*out_len = 1;
	at = p[1] != '\0' ? strchr(from, p[1]) : NULL;
	if (at != NULL) {
		out[0] = to[at - from];
		return 2;
	}
	code = p[1] == 'u' ? hex4(p + 2, end) : -1;
	if (code <= 0 || (code >= 0xdc00 && code < 0xe000))
		return 0;
	if (code < 0xd800 || code >= 0xe000) {
		*out_len = encode_utf8((unsigned)code, out);
		return 6;
	}
	low = end - p >= 12 && p[6] == '\\' && p[7] == 'u' ? hex4(p + 8, end) : -1;
	if (low < 0xdc00 || low >= 0xe000)
		return 0;
	code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	*out_len = encode_utf8((unsigned)code, out);
	return 12;
}

/* One character of a string's raw bytes; returns the raw bytes it took, 0: bad. */
static size_t
read_char(const char *p, const char *end, char out[4], size_t *out_len)
{
	size_t n;

	if (*p == '\\')
		return read_escape(p, end, out, out_len);
	n = (unsigned char)*p < 0x20 ? 0 : utf8_length(p, end);
	memcpy(out, p, n);
	*out_len = n;
	return n;
}

/* The raw bytes are the name in all but hostile bodies: compare them first. */
bool
dr_json_key_is(const struct dr_json_member *member, const char *name)
{
	const char *p = member->key, *end = p + member->key_len;
	size_t len = strlen(name), n, used;
	char one[4];

	if (member->key_len == len)
		return memcmp(p, name, len) == 0;
	if (member->key_len < len || memchr(p, '\\', member->key_len) == NULL)
		return false;
	for (; p < end; p += used) {
		used = read_char(p, end, one, &n);
		if (used == 0 || strncmp(name, one, n) != 0)
			return false;
		name += n;
	}
	return *name == '\0';
}

/* On failure `out` is empty, so that half a name is never taken for a whole one. */
bool
dr_json_text(const struct dr_json_member *member, char *out, size_t out_size)
{
	const char *p = member->value + 1, *end = member->value + member->value_len - 1;
	size_t at = 0, n, used;
	char one[4];

	DR_ASSERT(out_size > 0);
	out[0] = '\0';
	if (member->type != DR_JSON_STRING)
		return false;
	for (; p < end; p += used) {
		used = read_char(p, end, one, &n);
		if (used == 0 || n > out_size - 1 - at) {
			out[0] = '\0';
			return false;
		}
		memcpy(out + at, one, n);
		at += n;
	}
	out[at] = '\0';
	return true;
}

/* Also for text that is itself cut off, in an escape or within a character. */
void
dr_json_text_cut(const char *raw, size_t len, char *out, size_t out_size)
{
	const char *p = raw, *end = raw + len;
	size_t at = 0, n, used;
	char one[4];

	DR_ASSERT(out_size > 0);
	for (; p < end; p += used) {
		used = read_char(p, end, one, &n);
		if (used == 0) { /* one bad byte costs itself, not the rest */
			used = n = 1;
			one[0] = '?';
		}
		if (n > out_size - 1 - at)
			break;
		memcpy(out + at, one, n);
		at += n;
	}
	out[at] = '\0';
}

/* Append the digits in [p, end) to *value. */
static bool
read_digits(const char *p, const char *end, int64_t *value)
{
	for (; p < end; p++) {
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, *p - '0', value))
			return false;
	}
	return true;
}

/* Where the digits from p on end. */
static const char *
digits_end(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* value * 10^power, where that is a whole number that fits. */
static bool
scale(int64_t *value, int64_t power)
{
	for (; *value != 0 && power > 0; power--) {
		if (__builtin_mul_overflow(*value, 10, value))
			return false;
	}
	for (; *value != 0 && power < 0; power++) {
		if (*value % 10 != 0)
			return false;
		*value /= 10;
	}
	return true;
}

/* "12", "12.0" and "1.2e1" are the same number: some languages write any number so. */
bool
dr_json_int(const struct dr_json_member *member, int64_t *out)
{
	const char *p = member->value, *end = p + member->value_len, *to;
	bool minus = *p == '-', minus_power = false;
	int64_t value = 0, power = 0, behind = 0;

	if (member->type != DR_JSON_NUMBER)
		return false;
	p += minus;
	to = digits_end(p, end);
	if (to == p || !read_digits(p, to, &value))
		return false;
	p = to;
	if (p < end && *p == '.') {
		const char *from = p + 1;

		p = to = digits_end(from, end);
		while (to > from && to[-1] == '0')
			to--;
		behind = to - from;
		if (!read_digits(from, to, &value))
			return false;
	}
	if (p < end) {
		if ((*p++ | 0x20) != 'e')
			return false;
		minus_power = p < end && *p == '-';
		p += p < end && (*p == '-' || *p == '+');
		to = digits_end(p, end);
		if (to == p || to < end || !read_digits(p, to, &power) || power > 1000)
			return false;
	}
	if (!scale(&value, (minus_power ? -power : power) - behind))
		return false;
	*out = minus ? -value : value;
	return true;
}
