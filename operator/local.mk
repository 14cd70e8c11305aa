bin_PROGRAMS += derouterctl
derouterctl_SOURCES = \
	operator/ctl.h \
	operator/ctl_account.c \
	operator/ctl_account_state.c \
	operator/ctl_books.c \
	operator/ctl_deposit.c \
	operator/ctl_key.c \
	operator/ctl_key.h \
	operator/ctl_key_change.c \
	operator/ctl_key_limits.c \
	operator/ctl_ledger.c \
	operator/ctl_ledger.h \
	operator/ctl_ledger_print.c \
	operator/ctl_ledger_trim.c \
	operator/ctl_ledger_verify.c \
	operator/ctl_model.c \
	operator/ctl_options.c \
	operator/ctl_output.c \
	operator/ctl_provider.c \
	operator/ctl_provider.h \
	operator/ctl_provider_node.c \
	operator/ctl_provider_show.c \
	operator/ctl_provider_store.c \
	operator/ctl_secrets.c \
	operator/ctl_served.c \
	operator/ctl_served.h \
	operator/ctl_session.c \
	operator/ctl_session.h \
	operator/ctl_store.c \
	operator/ctl_used.c \
	operator/ctl_used.h \
	operator/ctl_wallet.c \
	operator/ctl_zone.c \
	operator/ctl_zone.h \
	operator/derouterctl.c \
	operator/probe.c \
	operator/probe.h
derouterctl_LDADD = $(DR_LIBS)
bin_PROGRAMS += derouter-watcher
derouter_watcher_SOURCES = \
	operator/beat.c \
	operator/chain_scan.c \
	operator/chain_scan.h \
	operator/deposits.c \
	operator/deposits_claim.c \
	operator/deposits_heads.c \
	operator/deposits_lock.c \
	operator/deposits_priv.h \
	operator/deposits_review.c \
	operator/deposits_scan.c \
	operator/duties.h \
	operator/probe.c \
	operator/probe.h \
	operator/probes.c \
	operator/sweeps.c \
	operator/watcher.c \
	operator/watcher.h
derouter_watcher_LDADD = $(DR_LIBS)
EXTRA_DIST += operator/README.md
