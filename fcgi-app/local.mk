bin_PROGRAMS += derouter-fcgi
derouter_fcgi_SOURCES = fcgi-app/main.c
derouter_fcgi_LDADD = $(DR_LIBS)

include fcgi-app/scripts/local.mk

libderouter_a_SOURCES += \
	fcgi-app/base/clock.c fcgi-app/base/clock.h \
	fcgi-app/base/dr_assert.h \
	fcgi-app/base/errors.c fcgi-app/base/errors.def fcgi-app/base/errors.h \
	fcgi-app/base/json.c fcgi-app/base/json.h \
	fcgi-app/base/limits.h \
	fcgi-app/base/list.h \
	fcgi-app/base/log.c fcgi-app/base/log.h \
	fcgi-app/base/mem.c fcgi-app/base/mem.h \
	fcgi-app/base/money.c fcgi-app/base/money.h \
	fcgi-app/base/strbuf.c fcgi-app/base/strbuf.h
