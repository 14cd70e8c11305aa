/*
 * upstream_head - URL and headers of a request to a provider.
 *
 * Only an allow-list of the caller's headers goes upstream: never its credential,
 * cookies or hop-by-hop headers. The provider's credential is added here and wiped
 * right after use.
 */
#ifndef DR_UPSTREAM_HEAD_H
#define DR_UPSTREAM_HEAD_H

#include "gateway/request.h"

#define DR_MAX_UPSTREAM_LINES 48

struct dr_upstream_head {
	char url[1024];
	const char *lines[DR_MAX_UPSTREAM_LINES +
			  1]; /* "name: value", NULL-terminated, into text */
	struct dr_strbuf text;
};

void dr_upstream_head_build(struct dr_upstream_head *head, const struct dr_request *req,
    const struct dr_provider *provider);
void dr_upstream_head_wipe(struct dr_upstream_head *head);

/* retry-after-ms, else retry-after (seconds or an HTTP date) in ms; -1: absent or
 * unreadable. */
int64_t dr_retry_after_ms(
    const char *ms, const char *seconds_or_date, int64_t now_wall_ms);

#endif
