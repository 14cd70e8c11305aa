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
	tests/unit/test_body \
	tests/unit/test_crypto \
	tests/unit/test_error_body \
	tests/unit/test_fcgi_conn \
	tests/unit/test_fcgi_life \
	tests/unit/test_fcgi_wire \
	tests/unit/test_http_client \
	tests/unit/test_http_client_flow \
	tests/unit/test_http_client_tls \
	tests/unit/test_json \
	tests/unit/test_json_scan \
	tests/unit/test_sse \
	tests/unit/test_store \
	tests/unit/test_store_outage \
	tests/unit/test_store_wire \
	tests/unit/test_tap
check_PROGRAMS += $(DR_UNIT_TESTS)
TESTS += $(DR_UNIT_TESTS)
endif

