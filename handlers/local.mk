libderouter_a_SOURCES += \
	handlers/api_json.c \
	handlers/api_json.h \
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
	handlers/responses.c
EXTRA_DIST += handlers/README.md
