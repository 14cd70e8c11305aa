bin_PROGRAMS += derouter-fcgi
derouter_fcgi_SOURCES = fcgi-app/main.c
derouter_fcgi_LDADD = $(DR_LIBS)

libderouter_a_SOURCES += \
	fcgi-app/base/clock.c \
	fcgi-app/base/clock.h \
	fcgi-app/base/csv.c \
	fcgi-app/base/csv.h \
	fcgi-app/base/dr_assert.h \
	fcgi-app/base/errors.c \
	fcgi-app/base/errors.def \
	fcgi-app/base/errors.h \
	fcgi-app/base/hex.c \
	fcgi-app/base/hex.h \
	fcgi-app/base/json.c \
	fcgi-app/base/json.h \
	fcgi-app/base/limits.h \
	fcgi-app/base/list.h \
	fcgi-app/base/log.c \
	fcgi-app/base/log.h \
	fcgi-app/base/mem.c \
	fcgi-app/base/mem.h \
	fcgi-app/base/money.c \
	fcgi-app/base/money.h \
	fcgi-app/base/rfc3339.c \
	fcgi-app/base/rfc3339.h \
	fcgi-app/base/strbuf.c \
	fcgi-app/base/strbuf.h \
	fcgi-app/io/crypto.c \
	fcgi-app/io/crypto.h \
	fcgi-app/io/fcgi_conn.c \
	fcgi-app/io/fcgi_conn.h \
	fcgi-app/io/fcgi_internal.h \
	fcgi-app/io/fcgi_listen.c \
	fcgi-app/io/fcgi_records.c \
	fcgi-app/io/fcgi_request.c \
	fcgi-app/io/fcgi_server.c \
	fcgi-app/io/fcgi_wire.c \
	fcgi-app/io/fcgi_wire.h \
	fcgi-app/io/http_client.c \
	fcgi-app/io/http_client.h \
	fcgi-app/io/http_client_engine.c \
	fcgi-app/io/http_client_exchange.c \
	fcgi-app/io/http_client_internal.h \
	fcgi-app/io/loop.c \
	fcgi-app/io/loop.h \
	fcgi-app/io/store.c \
	fcgi-app/io/store.h \
	fcgi-app/io/store_call.c \
	fcgi-app/io/store_connect.c \
	fcgi-app/io/store_info.c \
	fcgi-app/io/store_internal.h \
	fcgi-app/io/store_reply.c \
	fcgi-app/io/store_write.c \
	fcgi-app/dialects/answer_model.c \
	fcgi-app/dialects/anthropic.c \
	fcgi-app/dialects/binding.c \
	fcgi-app/dialects/binding.h \
	fcgi-app/dialects/body.c \
	fcgi-app/dialects/bytes.h \
	fcgi-app/dialects/dialect.h \
	fcgi-app/dialects/error_body.c \
	fcgi-app/dialects/extras.c \
	fcgi-app/dialects/json_path.c \
	fcgi-app/dialects/json_path.h \
	fcgi-app/dialects/json_scan.c \
	fcgi-app/dialects/json_scan.h \
	fcgi-app/dialects/json_text.c \
	fcgi-app/dialects/openai_chat.c \
	fcgi-app/dialects/openai_responses.c \
	fcgi-app/dialects/parts.h \
	fcgi-app/dialects/sse.c \
	fcgi-app/dialects/sse.h \
	fcgi-app/dialects/tap.c \
	fcgi-app/dialects/usage.c \
	fcgi-app/ethereum/erc20.c \
	fcgi-app/ethereum/erc20.h \
	fcgi-app/gateway/access_log.c \
	fcgi-app/gateway/access_log.h \
	fcgi-app/gateway/account_owner.c \
	fcgi-app/gateway/account_owner.h \
	fcgi-app/gateway/admission.c \
	fcgi-app/gateway/admission.h \
	fcgi-app/gateway/admission_priv.h \
	fcgi-app/gateway/admission_reply.c \
	fcgi-app/gateway/admission_settle.c \
	fcgi-app/gateway/affinity.c \
	fcgi-app/gateway/affinity.h \
	fcgi-app/gateway/api_key.c \
	fcgi-app/gateway/api_key.h \
	fcgi-app/gateway/attempt.c \
	fcgi-app/gateway/bound.c \
	fcgi-app/gateway/bound.h \
	fcgi-app/gateway/breaker.c \
	fcgi-app/gateway/breaker.h \
	fcgi-app/gateway/chain_rpc.c \
	fcgi-app/gateway/chain_rpc.h \
	fcgi-app/gateway/deposit_health.c \
	fcgi-app/gateway/deposit_health.h \
	fcgi-app/gateway/deposit_list.c \
	fcgi-app/gateway/deposit_list.h \
	fcgi-app/gateway/drain.c \
	fcgi-app/gateway/drain.h \
	fcgi-app/gateway/endpoint.c \
	fcgi-app/gateway/endpoint.h \
	fcgi-app/gateway/gateway.c \
	fcgi-app/gateway/gateway.h \
	fcgi-app/gateway/handler.h \
	fcgi-app/gateway/heartbeat.c \
	fcgi-app/gateway/heartbeat.h \
	fcgi-app/gateway/key_change.c \
	fcgi-app/gateway/key_change.h \
	fcgi-app/gateway/key_make.c \
	fcgi-app/gateway/key_make.h \
	fcgi-app/gateway/key_read.c \
	fcgi-app/gateway/lease.c \
	fcgi-app/gateway/ledger.c \
	fcgi-app/gateway/ledger.h \
	fcgi-app/gateway/ledger_columns.c \
	fcgi-app/gateway/ledger_columns.h \
	fcgi-app/gateway/liveness.c \
	fcgi-app/gateway/liveness.h \
	fcgi-app/gateway/metrics.c \
	fcgi-app/gateway/metrics.def \
	fcgi-app/gateway/metrics.h \
	fcgi-app/gateway/metrics_request.c \
	fcgi-app/gateway/metrics_request.h \
	fcgi-app/gateway/metrics_text.c \
	fcgi-app/gateway/metrics_text.h \
	fcgi-app/gateway/provider_fields.h \
	fcgi-app/gateway/provider_headers.c \
	fcgi-app/gateway/provider_lists.c \
	fcgi-app/gateway/provider_record.c \
	fcgi-app/gateway/provider_record.h \
	fcgi-app/gateway/provider_rules.c \
	fcgi-app/gateway/provider_share.c \
	fcgi-app/gateway/provider_slots.c \
	fcgi-app/gateway/provider_spare.c \
	fcgi-app/gateway/provider_state.c \
	fcgi-app/gateway/provider_state.h \
	fcgi-app/gateway/providers.c \
	fcgi-app/gateway/providers.h \
	fcgi-app/gateway/providers_poll.c \
	fcgi-app/gateway/providers_presence.c \
	fcgi-app/gateway/providers_priv.h \
	fcgi-app/gateway/recent.c \
	fcgi-app/gateway/recent.h \
	fcgi-app/gateway/relay.c \
	fcgi-app/gateway/reply.c \
	fcgi-app/gateway/request.h \
	fcgi-app/gateway/rest.c \
	fcgi-app/gateway/rest.h \
	fcgi-app/gateway/retry.c \
	fcgi-app/gateway/retry.h \
	fcgi-app/gateway/retry_budget.c \
	fcgi-app/gateway/retry_budget.h \
	fcgi-app/gateway/routing.c \
	fcgi-app/gateway/routing.h \
	fcgi-app/gateway/schema.c \
	fcgi-app/gateway/schema.h \
	fcgi-app/gateway/script_args.c \
	fcgi-app/gateway/script_args.h \
	fcgi-app/gateway/session.c \
	fcgi-app/gateway/session.h \
	fcgi-app/gateway/session_gate.c \
	fcgi-app/gateway/settlement.c \
	fcgi-app/gateway/settlement.h \
	fcgi-app/gateway/start.c \
	fcgi-app/gateway/start.h \
	fcgi-app/gateway/spool.c \
	fcgi-app/gateway/spool.h \
	fcgi-app/gateway/spool_priv.h \
	fcgi-app/gateway/spool_record.c \
	fcgi-app/gateway/spool_record.h \
	fcgi-app/gateway/spool_replay.c \
	fcgi-app/gateway/steps.c \
	fcgi-app/gateway/stream_read.c \
	fcgi-app/gateway/stream_read.h \
	fcgi-app/gateway/upstream_head.c \
	fcgi-app/gateway/upstream_head.h \
	fcgi-app/gateway/zone.c \
	fcgi-app/gateway/zone.h

if WITH_WALLET
libderouter_a_SOURCES += \
	fcgi-app/ethereum/address.c \
	fcgi-app/ethereum/address.h \
	fcgi-app/ethereum/keccak.c \
	fcgi-app/ethereum/keccak.h \
	fcgi-app/ethereum/personal_sign.c \
	fcgi-app/ethereum/personal_sign.h \
	fcgi-app/ethereum/siwe.c \
	fcgi-app/ethereum/siwe.h \
	fcgi-app/ethereum/siwe_parse.c
endif

# The Redis scripts, compiled in.
DR_LUA = $(wildcard $(srcdir)/fcgi-app/scripts/*.lua)
libderouter_a_SOURCES += fcgi-app/scripts/scripts.def fcgi-app/scripts/scripts.h
nodist_libderouter_a_SOURCES += fcgi-app/scripts/scripts_lua.c
CLEANFILES += fcgi-app/scripts/scripts_lua.c
EXTRA_DIST += $(DR_LUA) fcgi-app/scripts/embed.sh \
	fcgi-app/README.md fcgi-app/base/README.md fcgi-app/dialects/README.md fcgi-app/ethereum/README.md \
	fcgi-app/gateway/README.md fcgi-app/io/README.md fcgi-app/scripts/README.md

fcgi-app/scripts/scripts_lua.c: $(DR_LUA) fcgi-app/scripts/embed.sh fcgi-app/scripts/scripts.def
	$(AM_V_GEN)$(MKDIR_P) fcgi-app/scripts && cd $(srcdir) && \
		fcgi-app/scripts/embed.sh >$(abs_builddir)/$@.new && mv $(abs_builddir)/$@.new $(abs_builddir)/$@
