EXTRA_DIST += nginx-example/README.md nginx-example/apache.conf nginx-example/build \
	nginx-example/dashboard_headers.conf nginx-example/derouter.fcgi nginx-example/fcgid.conf nginx-example/htaccess \
	nginx-example/errors nginx-example/heartbeat nginx-example/fastcgi_derouter.conf \
	nginx-example/install-packages nginx-example/lighttpd.conf nginx-example/nginx.conf \
	nginx-example/nginx_site.conf nginx-example/packages.txt \
	nginx-example/run nginx-example/derouter@.service nginx-example/derouter@.socket \
	nginx-example/derouter-watcher.service
