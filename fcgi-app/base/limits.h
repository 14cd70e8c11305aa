/*
 * limits - every ceiling that is not a setting, in one place.
 */
#ifndef DR_LIMITS_H
#define DR_LIMITS_H

/* FastCGI edge */
#define DR_MAX_PARAMS_BYTES (64 * 1024) /* all names and values of one request */
#define DR_MAX_LOCAL_BODY   (64 * 1024) /* bodies of routes that do not go upstream */
#define DR_OUT_HIGH_WATER                                                              \
	(256 * 1024)                 /* unsent bytes above which upstream is paused    \
				      */
#define DR_OUT_LOW_WATER (64 * 1024) /* ... below which it goes on */

/* provider answers */
#define DR_MAX_HEAD_BYTES (64 * 1024) /* all header lines of an answer */
#define DR_MAX_UNARY_BYTES                                                             \
	(8 * 1024 * 1024)                /* held; above only with Content-Length       \
					  */
#define DR_MAX_ERROR_BYTES (1024 * 1024) /* an error answer that is passed through */
#define DR_MAX_EVENT_HOLD  (64 * 1024)   /* an unfinished SSE event held back */
#define DR_MAX_RAW_USAGE   4096          /* the usage block kept for the receipt */
#define DR_MAX_MORE_HEAD   2048 /* lines that a local answer adds to its head */
#define DR_MAX_DRAIN_BYTES                                                             \
	(8 * 1024 * 1024) /* read on after the client has left (drain_on_abort) */

/* settlements */
#define DR_MAX_RECENT_BYTES                                                            \
	(8 * 1024 * 1024) /* acknowledged ones, kept for a Redis that lost them */

/* JSON */
#define DR_MAX_JSON_DEPTH 512 /* nesting accepted in a request body */

/* texts */
#define DR_ERROR_TEXT 256 /* of an error message kept in the request */

/* names */
#define DR_MAX_MODEL_NAME    128
#define DR_MAX_PROVIDER_NAME 64

#endif
