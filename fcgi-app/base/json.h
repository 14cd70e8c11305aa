/*
 * json - writing JSON into a strbuf, and reading small documents with json-c.
 *
 * Writing is by hand because answers are short and on the request path; whole
 * documents that are read go through json-c (json_object), never a request's body:
 * that one is only scanned (dialects/json_scan.h).
 */
#ifndef DR_JSON_H
#define DR_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dr_assert.h"
#include "base/strbuf.h"

struct json_object;

/* "text" with quotes and escapes; bytes that are not UTF-8 become U+FFFD. NULL: null.
 */
void dr_json_add_string(struct dr_strbuf *out, const char *text);
void dr_json_add_stringn(struct dr_strbuf *out, const char *text, size_t len);
/* Is all of it UTF-8? */
bool dr_utf8_ok(const char *text, size_t len);

/*
 * Parse `len` bytes that must hold exactly one JSON value (an empty input, trailing
 * text and NUL bytes are errors). NULL on error, with one line in err (err_size bytes):
 * what is wrong and at which byte. The caller owns the result: json_object_put().
 */
struct json_object *dr_json_parse(
    const char *text, size_t len, char *err, size_t err_size) DR_MUSTCHECK;

#endif
