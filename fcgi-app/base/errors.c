/*
 * errors - see the header.
 */
#include "base/errors.h"

#include "base/dr_assert.h"

#define DR_RETRY_AFTER(seconds) (seconds)

static const struct dr_error_info catalogue[DR_N_ERRORS] = {
#define DR_ERROR(name, status, anthropic, openai, code, retry, end, message)           \
	[DR_ERR_##name] = { #name, status, anthropic, openai, code, DR_RETRY_##retry,  \
		end, message },
#include "base/errors.def"
#undef DR_ERROR
};

const struct dr_error_info *
dr_error_info(enum dr_error err)
{
	DR_ASSERT(err > DR_OK && err < DR_N_ERRORS);
	return &catalogue[err];
}
