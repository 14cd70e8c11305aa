/*
 * bytes - finding the next byte that matters, sixteen at a time where the machine can.
 *
 * Each finder returns the first hit in [p, end), or `end`. None reads beyond `end`.
 * Private to dialects/.
 */
#ifndef DR_BYTES_H
#define DR_BYTES_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __SSE2__
#include <emmintrin.h>

#define DR_IS(v, c) _mm_cmpeq_epi8((v), _mm_set1_epi8(c))
#define DR_OR(a, b) _mm_or_si128((a), (b))

#define DR_FINDER(name, blocks_hit, byte_hit)                                          \
	static inline const char *name(const char *p, const char *end)                 \
	{                                                                              \
		while (end - p >= 16) {                                                \
			__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p); \
			int hits = _mm_movemask_epi8(blocks_hit);                      \
                                                                                       \
			if (hits != 0)                                                 \
				return p + __builtin_ctz((unsigned)hits);              \
			p += 16;                                                       \
		}                                                                      \
		while (p < end && !(byte_hit))                                         \
			p++;                                                           \
		return p;                                                              \
	}
#else
#define DR_FINDER(name, blocks_hit, byte_hit)                                          \
	static inline const char *name(const char *p, const char *end)                 \
	{                                                                              \
		while (p < end && !(byte_hit))                                         \
			p++;                                                           \
		return p;                                                              \
	}
#endif

/* The end of a line: LF or CR. */
DR_FINDER(
    dr_find_line_end, DR_OR(DR_IS(v, '\n'), DR_IS(v, '\r')), *p == '\n' || *p == '\r')

/* Inside a JSON string: the closing quote, or a backslash. */
DR_FINDER(dr_find_quote, DR_OR(DR_IS(v, '"'), DR_IS(v, '\\')), *p == '"' || *p == '\\')

/* The same, and the control bytes that a JSON string must not hold. */
DR_FINDER(dr_find_quote_or_control,
    DR_OR(DR_OR(DR_IS(v, '"'), DR_IS(v, '\\')),
	_mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v)),
    *p == '"' || *p == '\\' || (unsigned char)*p < 0x20)

/* Outside strings: a bracket of any kind, or an opening quote. Bit 5 is all that tells
 * '[' from '{' and ']' from '}'. */
DR_FINDER(dr_find_structure,
    DR_OR(DR_IS(v, '"'), DR_OR(DR_IS(_mm_or_si128(v, _mm_set1_epi8(0x20)), '{'),
			     DR_IS(_mm_or_si128(v, _mm_set1_epi8(0x20)), '}'))),
    *p == '"' || (*p | 0x20) == '{' || (*p | 0x20) == '}')

static inline bool
dr_is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

#endif
