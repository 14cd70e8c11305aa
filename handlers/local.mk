libderouter_a_SOURCES += \
	handlers/api_json.c \
	handlers/api_json.h \
	handlers/api_config.c \
	handlers/api_deposit_info.c \
	handlers/api_deposits.c \
	handlers/api_keys.c \
	handlers/api_keys.h \
	handlers/api_keys_body.c \
	handlers/api_keys_write.c \
	handlers/api_ledger.c \
	handlers/api_ledger.h \
	handlers/api_ledger_csv.c \
	handlers/api_me.c \
	handlers/api_models.c \
	handlers/api_requests.c \
	handlers/api_usage.c \
	handlers/auth_sessions.c \
	handlers/auth_wallets.c \
	handlers/chat_completions.c \
	handlers/count_tokens.c \
	handlers/handlers.c \
	handlers/handlers.def \
	handlers/handlers.h \
	handlers/health.c \
	handlers/heartbeat.c \
	handlers/key.c \
	handlers/key_json.c \
	handlers/key_json.h \
	handlers/local_call.c \
	handlers/local_call.h \
	handlers/messages.c \
	handlers/metrics.c \
	handlers/models.c \
	handlers/openapi.c \
	handlers/openapi.h \
	handlers/provider_alias.c \
	handlers/provider_alias.h \
	handlers/receipt.c \
	handlers/responses.c \
	handlers/usage_sums.c \
	handlers/usage_sums.h \
	handlers/wallet_text.c \
	handlers/wallet_text.h
if WITH_WALLET
libderouter_a_SOURCES += \
	handlers/auth_challenge.c \
	handlers/auth_verify.c \
	handlers/wallet_contract.c \
	handlers/wallet_contract.h \
	handlers/wallet_proof.c \
	handlers/wallet_proof.h
endif
nodist_libderouter_a_SOURCES += handlers/openapi_json.c
CLEANFILES += handlers/openapi_json.c
EXTRA_DIST += handlers/README.md handlers/embed_text.sh handlers/openapi.json

handlers/openapi_json.c: handlers/openapi.json handlers/embed_text.sh
	$(AM_V_GEN)$(MKDIR_P) handlers && cd $(srcdir) && \
		handlers/embed_text.sh handlers/openapi.json dr_openapi_json >$(abs_builddir)/$@.new && mv $(abs_builddir)/$@.new $(abs_builddir)/$@
