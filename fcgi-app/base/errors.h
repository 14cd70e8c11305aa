/*
 * errors - the catalogue of errors.def as an enum and a table.
 *
 * An enum dr_error is what every call into the outside world returns; DR_OK is 0.
 * The first failure of a request wins (gateway/request.h: dr_fail) and picks the
 * status, the body in the route's own shape, the retry headers and the log's end code.
 */
#ifndef DR_ERRORS_H
#define DR_ERRORS_H

enum dr_error {
	DR_OK = 0,
#define DR_ERROR(name, status, anthropic, openai, code, retry, end, message)           \
	DR_ERR_##name,
#include "base/errors.def"
#undef DR_ERROR
	DR_N_ERRORS
};

enum { DR_RETRY_ANY = -1, DR_RETRY_NO = -2 }; /* else: seconds for retry-after */

struct dr_error_info {
	const char *name; /* "BAD_KEY": logs, metrics */
	int status;
	const char *anthropic_type;
	const char *openai_type;
	const char *openai_code; /* NULL: null */
	int retry;               /* DR_RETRY_* or seconds */
	char end;                /* first letter of the end code */
	const char *message;     /* printf format */
};

/* DR_OK is not an error: asserts. */
const struct dr_error_info *dr_error_info(enum dr_error err);

#endif
