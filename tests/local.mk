noinst_PROGRAMS += derouter-standin
derouter_standin_SOURCES = \
	tests/peers/standin.c \
	tests/peers/standin.h \
	tests/peers/standin_answers.c \
	tests/peers/standin_errors.c \
	tests/peers/standin_faults.c \
	tests/peers/standin_gzip.c \
	tests/peers/standin_http.c \
	tests/peers/standin_log.c \
	tests/peers/standin_loop.c \
	tests/peers/standin_request.c \
	tests/peers/standin_send.c \
	tests/peers/standin_streams.c
derouter_standin_LDADD = $(DR_LIBS)

if HAVE_CMOCKA
LDADD = $(DR_LIBS) $(CMOCKA_LIBS)
DR_UNIT_TESTS = \
	tests/unit/test_account_owner \
	tests/unit/test_admission \
	tests/unit/test_admission_limits \
	tests/unit/test_admission_money \
	tests/unit/test_affinity \
	tests/unit/test_answer_model \
	tests/unit/test_api_json \
	tests/unit/test_api_key \
	tests/unit/test_attempt \
	tests/unit/test_binding \
	tests/unit/test_body \
	tests/unit/test_breaker \
	tests/unit/test_breaker_doubt \
	tests/unit/test_chain_rpc \
	tests/unit/test_chain_scan \
	tests/unit/test_chains \
	tests/unit/test_crypto \
	tests/unit/test_csv \
	tests/unit/test_ctl \
	tests/unit/test_ctl_key \
	tests/unit/test_ctl_ledger \
	tests/unit/test_ctl_model \
	tests/unit/test_ctl_output \
	tests/unit/test_ctl_provider \
	tests/unit/test_ctl_wallet \
	tests/unit/test_deposit_scripts \
	tests/unit/test_erc20 \
	tests/unit/test_deposit_health \
	tests/unit/test_error_body \
	tests/unit/test_extras \
	tests/unit/test_fcgi_conn \
	tests/unit/test_fcgi_life \
	tests/unit/test_fcgi_listen \
	tests/unit/test_fcgi_oracle \
	tests/unit/test_fcgi_output \
	tests/unit/test_fcgi_protocol \
	tests/unit/test_fcgi_wire \
	tests/unit/test_heartbeat \
	tests/unit/test_hex \
	tests/unit/test_http_client \
	tests/unit/test_http_client_flow \
	tests/unit/test_http_client_tls \
	tests/unit/test_json \
	tests/unit/test_json_scan \
	tests/unit/test_key_change \
	tests/unit/test_lease \
	tests/unit/test_liveness \
	tests/unit/test_loop \
	tests/unit/test_metering \
	tests/unit/test_metrics \
	tests/unit/test_metrics_text \
	tests/unit/test_models \
	tests/unit/test_money \
	tests/unit/test_openapi \
	tests/unit/test_price \
	tests/unit/test_probes \
	tests/unit/test_provider_record \
	tests/unit/test_provider_rules \
	tests/unit/test_provider_doubt \
	tests/unit/test_provider_share \
	tests/unit/test_provider_slots \
	tests/unit/test_provider_spare \
	tests/unit/test_provider_state \
	tests/unit/test_providers \
	tests/unit/test_resend \
	tests/unit/test_rest \
	tests/unit/test_recent \
	tests/unit/test_rfc3339 \
	tests/unit/test_routing \
	tests/unit/test_routing_home \
	tests/unit/test_routing_presence \
	tests/unit/test_session \
	tests/unit/test_settings \
	tests/unit/test_settings_docs \
	tests/unit/test_settle \
	tests/unit/test_spool \
	tests/unit/test_spool_race \
	tests/unit/test_spool_record \
	tests/unit/test_sse \
	tests/unit/test_store \
	tests/unit/test_store_aof \
	tests/unit/test_store_login \
	tests/unit/test_store_outage \
	tests/unit/test_store_reply \
	tests/unit/test_store_wait \
	tests/unit/test_store_wire \
	tests/unit/test_strbuf \
	tests/unit/test_stream_read \
	tests/unit/test_sweeps \
	tests/unit/test_tap \
	tests/unit/test_tap_usage \
	tests/unit/test_usage_sums \
	tests/unit/test_watcher
if WITH_WALLET
DR_UNIT_TESTS += \
	tests/unit/test_address \
	tests/unit/test_keccak \
	tests/unit/test_personal_sign \
	tests/unit/test_siwe \
	tests/unit/test_siwe_vectors
endif
tests_unit_test_chain_scan_SOURCES = tests/unit/test_chain_scan.c operator/chain_scan.c
check_PROGRAMS += $(DR_UNIT_TESTS)
TESTS += $(DR_UNIT_TESTS)
endif

# Of derouterctl and the watcher, what can be tested by itself.
if HAVE_CMOCKA
tests_unit_test_probes_SOURCES = tests/unit/test_probes.c operator/probe.c operator/probe.h
endif

# What the FastCGI oracle test compares with: libfcgi's own responder.
check_PROGRAMS += tests/peers/fcgx_echo
tests_peers_fcgx_echo_SOURCES = tests/peers/fcgx_echo.c
tests_peers_fcgx_echo_LDADD = $(FCGI_LIBS)

# The load generator of `make bench`.
noinst_PROGRAMS += derouter-load
derouter_load_SOURCES = tests/bench/load.c tests/bench/load.h tests/bench/load_answer.c \
	tests/bench/load_report.c
derouter_load_LDADD =

# Fuzz targets: with libFuzzer (configure --enable-fuzzers CC=clang), else fixed mutations, which
# `make check` runs briefly.
DR_FUZZERS = tests/fuzz/fuzz_api tests/fuzz/fuzz_erc20 tests/fuzz/fuzz_fcgi_wire tests/fuzz/fuzz_json_scan tests/fuzz/fuzz_tap
tests_fuzz_fuzz_api_SOURCES = tests/fuzz/fuzz_api.c
tests_fuzz_fuzz_fcgi_wire_SOURCES = tests/fuzz/fuzz_fcgi_wire.c
tests_fuzz_fuzz_json_scan_SOURCES = tests/fuzz/fuzz_json_scan.c
tests_fuzz_fuzz_tap_SOURCES = tests/fuzz/fuzz_tap.c
tests_fuzz_fuzz_api_LDADD = $(DR_LIBS)
tests_fuzz_fuzz_erc20_SOURCES = tests/fuzz/fuzz_erc20.c
tests_fuzz_fuzz_erc20_LDADD = $(DR_LIBS)
tests_fuzz_fuzz_fcgi_wire_LDADD = $(DR_LIBS)
tests_fuzz_fuzz_json_scan_LDADD = $(DR_LIBS)
tests_fuzz_fuzz_tap_LDADD = $(DR_LIBS)
if WITH_WALLET
DR_FUZZERS += tests/fuzz/fuzz_siwe
endif
tests_fuzz_fuzz_siwe_SOURCES = tests/fuzz/fuzz_siwe.c
tests_fuzz_fuzz_siwe_LDADD = $(DR_LIBS)
if FUZZERS
noinst_PROGRAMS += $(DR_FUZZERS)
tests_fuzz_fuzz_api_LDFLAGS = -fsanitize=fuzzer
tests_fuzz_fuzz_erc20_LDFLAGS = -fsanitize=fuzzer
tests_fuzz_fuzz_fcgi_wire_LDFLAGS = -fsanitize=fuzzer
tests_fuzz_fuzz_json_scan_LDFLAGS = -fsanitize=fuzzer
tests_fuzz_fuzz_siwe_LDFLAGS = -fsanitize=fuzzer
tests_fuzz_fuzz_tap_LDFLAGS = -fsanitize=fuzzer
else
check_PROGRAMS += $(DR_FUZZERS)
TESTS += $(DR_FUZZERS)
tests_fuzz_fuzz_api_SOURCES += tests/fuzz/standalone_main.c
tests_fuzz_fuzz_erc20_SOURCES += tests/fuzz/standalone_main.c
tests_fuzz_fuzz_fcgi_wire_SOURCES += tests/fuzz/standalone_main.c
tests_fuzz_fuzz_json_scan_SOURCES += tests/fuzz/standalone_main.c
tests_fuzz_fuzz_siwe_SOURCES += tests/fuzz/standalone_main.c
tests_fuzz_fuzz_tap_SOURCES += tests/fuzz/standalone_main.c
endif

EXTRA_DIST += tests/README.md tests/run tests/bench/README.md tests/bench/bench.mjs tests/bench/processes.mjs \
	tests/bench/run tests/bench/stack.mjs tests/e2e/README.md tests/e2e/package.json tests/e2e/package-lock.json tests/e2e/token \
	$(wildcard $(srcdir)/tests/e2e/*.mjs) tests/fuzz/README.md tests/lint tests/mutants tests/peers/README.md \
	tests/peers/standin.test.mjs tests/unit/README.md tests/unit/fixtures $(wildcard $(srcdir)/tests/unit/*.h)
