#!/bin/sh
# What Apache's mod_fcgid starts on shared hosting (htaccess): one responder, its socket on descriptor 0.
# Put your own paths here; the configuration belongs outside the folder that Apache serves.
exec "$HOME/derouter/bin/derouter-fcgi" -c "$HOME/derouter/derouter.conf"
