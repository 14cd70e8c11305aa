/*
 * admission_reply - the admit script's answer as a verdict and a struct. Pure.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "gateway/admission_priv.h"

static enum dr_error
verdict_of(const char *name)
{
	static const struct {
		const char *name;
		enum dr_error err;
	} verdicts[] = {
		{ "OK", DR_OK },
		{ "BAD_KEY", DR_ERR_BAD_KEY },
		{ "SUSPENDED", DR_ERR_SUSPENDED },
		{ "MODEL_UNAVAILABLE", DR_ERR_MODEL_UNAVAILABLE },
		{ "BALANCE", DR_ERR_BALANCE },
		{ "BUDGET", DR_ERR_BUDGET },
		{ "RPM", DR_ERR_RPM },
		{ "CONCURRENCY", DR_ERR_CONCURRENCY },
		{ "HELD", DR_ERR_HELD },
	};

	for (size_t i = 0; i < DR_N_ELEMENTS(verdicts); i++)
		if (strcmp(name, verdicts[i].name) == 0)
			return verdicts[i].err;
	dr_log_error(admission, "the admit script gave a verdict that is none");
	return DR_ERR_INTERNAL;
}

/* The order is that of admit.lua's head. */
enum dr_error
dr_admit_reply_read(const struct dr_reply *reply, struct dr_admitted *out)
{
	enum { VERDICT, WINDOW = 3, MODELS = 15 };
	int64_t *const numbers[MODELS] = { [1] = &out->now_ms,
		[2] = &out->hold_nano,
		[4] = &out->rpm,
		[5] = &out->rpm_left,
		[6] = &out->rpm_reset_ms,
		[7] = &out->concurrency,
		[8] = &out->concurrency_left,
		[9] = &out->balance_left,
		[10] = &out->budget_left,
		[11] = &out->running,
		[12] = &out->retry_after_ms,
		[13] = &out->limit,
		[14] = &out->budget_nano };
	const char *window = dr_reply_string(dr_reply_at(reply, WINDOW), NULL);
	const char *models = dr_reply_string(dr_reply_at(reply, MODELS), NULL);
	size_t len = strnlen(window, sizeof out->window - 1);

	free(out->allowed_models);
	*out = (struct dr_admitted){ .budget_nano = -1 };
	for (size_t i = 0; i < DR_N_ELEMENTS(numbers); i++)
		if (numbers[i] != NULL)
			*numbers[i] = dr_reply_int(dr_reply_at(reply, i), *numbers[i]);
	memcpy(out->window, window, len);
	out->allowed_models = models[0] != '\0' ? dr_strdup(models) : NULL;
	return verdict_of(dr_reply_string(dr_reply_at(reply, VERDICT), NULL));
}
