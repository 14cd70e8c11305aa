libderouter_a_SOURCES += \
	config/chains.c \
	config/chains.h \
	config/conf_file.c \
	config/conf_file.h \
	config/config.c \
	config/config.h \
	config/json_lines.c \
	config/json_lines.h \
	config/models.c \
	config/models.h \
	config/models_read.c \
	config/models_read.h \
	config/price.c \
	config/price_read.c \
	config/reader.c \
	config/reader.h \
	config/setting_value.c \
	config/setting_value.h \
	config/settings.c \
	config/settings.def \
	config/settings.h \
	config/settings_check.c \
	config/settings_check.h
dist_pkgdata_DATA = config/derouter.conf.example config/models.json config/chains.json.example
EXTRA_DIST += config/README.md
