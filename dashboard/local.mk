# The pages, as they are: nothing is built. One variable for each folder, since automake installs a list flat.
dashboarddir = $(pkgdatadir)/dashboard
dashboardpagesdir = $(dashboarddir)/pages
dashboardiconsdir = $(dashboarddir)/icons
dashboardvendordir = $(dashboarddir)/vendor
dist_dashboard_DATA = \
	dashboard/api.js \
	dashboard/app.js \
	dashboard/chart.js \
	dashboard/dialog.js \
	dashboard/dom.js \
	dashboard/format.js \
	dashboard/guide.js \
	dashboard/icons.js \
	dashboard/index.html \
	dashboard/key-dialogs.js \
	dashboard/parts.css \
	dashboard/receipt.js \
	dashboard/rows.js \
	dashboard/session.js \
	dashboard/snippets.js \
	dashboard/store.js \
	dashboard/style.css \
	dashboard/theme.js \
	dashboard/ui.js \
	dashboard/wallet.js \
	dashboard/wallet-ui.js
dist_dashboardpages_DATA = \
	dashboard/pages/activity.js \
	dashboard/pages/deposit.js \
	dashboard/pages/errors.js \
	dashboard/pages/keys.js \
	dashboard/pages/login.js \
	dashboard/pages/models.js \
	dashboard/pages/overview.js \
	dashboard/pages/start.js \
	dashboard/pages/wallets.js
dist_dashboardicons_DATA = \
	dashboard/icons/check.svg \
	dashboard/icons/chevron.svg \
	dashboard/icons/favicon.svg
dist_dashboardvendor_DATA = \
	dashboard/vendor/pico-2.1.1.min.css \
	dashboard/vendor/pico-LICENSE.md \
	dashboard/vendor/uplot-1.6.32.iife.min.js \
	dashboard/vendor/uplot-1.6.32.min.css \
	dashboard/vendor/uplot-LICENSE
EXTRA_DIST += dashboard/README.md dashboard/pages/README.md dashboard/vendor/README.md dashboard/icons/README.md
