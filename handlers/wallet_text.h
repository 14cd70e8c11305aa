/*
 * wallet_text - addresses of wallets as people and as Redis see them.
 */
#ifndef DR_WALLET_TEXT_H
#define DR_WALLET_TEXT_H

#include "base/strbuf.h"

/* What a wallet agrees to at a login. */
#define WALLET_LOGIN_STATEMENT "Sign in to DeRouter."

/* A member with the address as people know it: with its checksum (EIP-55), or in lower
 * case in a build without the wallet login. */
void wallet_text_add(struct dr_strbuf *out, const char *name, const char *lower);
/* The same as a value alone. */
void wallet_text_write(struct dr_strbuf *out, const char *lower);

#endif
