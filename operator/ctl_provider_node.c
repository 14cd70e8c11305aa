/*
 * ctl_provider_node - provider token: what a provider's node needs to be heard.
 */
#include <stdio.h>

#include "base/mem.h"
#include "operator/ctl_provider.h"

/* Shown once, here; a new one takes the place of the old one. */
int
ctl_provider_token(struct ctl *ctl, int argc, char **argv)
{
	char token[DR_PROVIDER_TOKEN_SIZE];
	struct dr_provider_record *record;
	const char *name;
	int status = CTL_FAILED;
	size_t n;

	if (!ctl_options(argc, argv, NULL, &name, 1, 1, &n, "provider token NAME"))
		return CTL_USAGE;
	record = ctl_provider_read(ctl, name, NULL);
	if (record == NULL)
		return CTL_FAILED;
	dr_provider_record_new_token(record, token);
	if (ctl_provider_write(ctl, record)) {
		printf(ctl->json ? "{\"token\":\"%s\"}\n" : "%s\n", token);
		status = CTL_OK;
	}
	dr_wipe(token, sizeof token);
	dr_provider_record_free(&record);
	return status;
}
