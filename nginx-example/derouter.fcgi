#!/bin/sh
# What Apache's mod_fcgid starts on shared hosting (htaccess): one responder, its socket on descriptor 0.
# Put your own path here (Apache tells no $HOME); the configuration belongs outside the folder that Apache serves.
home=/home/you
exec "$home/derouter/bin/derouter-fcgi" -c "$home/derouter/derouter.conf"
