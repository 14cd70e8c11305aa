/*
 * ctl_session - session list | end: who is logged in to an account.
 */
#ifndef DR_CTL_SESSION_H
#define DR_CTL_SESSION_H

#include "operator/ctl.h"

/*
 * End the account's sessions: the one with this id (NULL: any), of this wallet (NULL:
 * any; in lower case). How many; -1: said what went wrong.
 */
int64_t ctl_sessions_end(
    struct ctl *ctl, const char *account, const char *id, const char *wallet);

#endif
