/*
 * provider_alias - the name under which an account sees a provider.
 *
 * Providers' names are the operator's own affair. The same provider has the same alias
 * in everything that an account is shown, and another one in what others are shown.
 */
#ifndef DR_PROVIDER_ALIAS_H
#define DR_PROVIDER_ALIAS_H

#include "io/crypto.h"

#define PROVIDER_ALIAS_SIZE 11 /* "p_", 8 hexadecimal digits, NUL */

void provider_alias(const struct dr_seal_key *key, const char *account,
    const char *provider, char out[PROVIDER_ALIAS_SIZE]);

#endif
