libderouter_a_SOURCES += \
	handlers/api_json.c \
	handlers/api_json.h \
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
	handlers/messages.c \
	handlers/metrics.c \
	handlers/models.c \
	handlers/receipt.c \
	handlers/responses.c \
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
EXTRA_DIST += handlers/README.md
