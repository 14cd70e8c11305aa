/*
 * ctl_provider - what the verbs of "derouterctl provider" have in common.
 *
 *   ctl_provider.c        add, set, enable, disable, remove, credential
 *   ctl_provider_show.c   list, show: the record and what is known of it just now
 *   ctl_provider_node.c   token, probe, spread
 *   ctl_provider_store.c  records in Redis
 *
 * A record is read, changed and written as a whole (gateway/provider_record), unless
 * somebody else changed it meanwhile; then its new generation goes into the directory,
 * which every responder polls.
 */
#ifndef DR_CTL_PROVIDER_H
#define DR_CTL_PROVIDER_H

#include <stdbool.h>

#include "gateway/provider_record.h"
#include "gateway/provider_state.h"
#include "operator/ctl.h"

#define CTL_MAX_TEXT (1024 * 1024) /* of one field */

/* NULL: said so. `missing` (may be NULL) is set, and nothing said, where there is no
 * such provider. */
struct dr_provider_record *ctl_provider_read(
    struct ctl *ctl, const char *name, bool *missing);
/* False: said so. */
bool ctl_provider_write(struct ctl *ctl, const struct dr_provider_record *record);

/* Seal the first line of FILE or standard input ("-") into the record. False: said so.
 */
bool ctl_provider_seal(
    struct ctl *ctl, struct dr_provider_record *record, const char *path);

/* ---- the verbs of the other files ---- */

int ctl_provider_list(struct ctl *ctl, int argc, char **argv);
int ctl_provider_show(struct ctl *ctl, int argc, char **argv);
int ctl_provider_token(struct ctl *ctl, int argc, char **argv);
int ctl_provider_probe(struct ctl *ctl, int argc, char **argv);
int ctl_provider_spread(struct ctl *ctl, int argc, char **argv);

#endif
