/*
 * openapi - openapi.json as it is compiled in: what GET /api/openapi.json answers.
 */
#ifndef DR_OPENAPI_H
#define DR_OPENAPI_H

#include <stddef.h>

extern const char dr_openapi_json[];
extern const size_t dr_openapi_json_len;

#endif
