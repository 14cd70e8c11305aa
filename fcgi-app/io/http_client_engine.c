/*
 * http_client_engine - libcurl's multi handles on our loop: its sockets become dr_io
 * watchers, its one timer a dr_timer, and it only ever runs from the loop.
 *
 * Two engines, each with its own connections: one that offers HTTP/2 and one that does
 * not, since a single HTTP/1.1 answer makes libcurl 7.88 mark the host as unable to
 * multiplex.
 *
 * A socket leaves curl's interest after each exchange and comes back with the next.
 * Watchers of kept connections stay as they are meanwhile (registering anew costs four
 * system calls a request), until curl closes the socket through dr_http_close_socket().
 */
#include "io/http_client_internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define SET_MULTI(multi, option, value)                                                \
	DR_ASSERT(curl_multi_setopt(multi, option, value) == CURLM_OK)

/* ---- in and out of curl ---- */

static struct dr_transfer *
transfer_of(CURL *easy)
{
	char *private = NULL;
	struct dr_transfer *transfer;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
	transfer = (struct dr_transfer *)(void *)private;
	DR_CHECK(transfer, TRANSFER_MAGIC);
	return transfer;
}

void
dr_http_add(struct dr_transfer *transfer)
{
	CURLMcode rc = curl_multi_add_handle(transfer->engine->multi, transfer->easy);

	DR_ASSERT(rc == CURLM_OK);
	transfer->state = RUNNING;
	dr_list_remove(&transfer->node);
	dr_list_append(&transfer->http->running, &transfer->node);
}

/* After every call into curl that may have called back: what could not be done inside
 * it. */
static void
leave_curl(struct dr_http *http, struct http_engine *engine)
{
	struct dr_list *node;
	CURLMsg *msg;
	int left;

	http->in_curl = false;
	while (!dr_list_empty(&http->cancelled)) {
		struct dr_transfer *transfer =
		    DR_LIST_ENTRY(http->cancelled.next, struct dr_transfer, node);

		dr_http_take_out(transfer, false);
		dr_http_destroy(transfer);
	}
	while ((msg = curl_multi_info_read(engine->multi, &left)) != NULL)
		if (msg->msg == CURLMSG_DONE)
			dr_http_finish(transfer_of(msg->easy_handle), msg->data.result);
	while ((node = dr_list_pop(&http->waiting)) != NULL)
		dr_http_add(DR_LIST_ENTRY(node, struct dr_transfer, node));
}

static void
run_curl(struct http_engine *engine, curl_socket_t fd, int bits)
{
	struct dr_http *http = engine->http;
	int running;

	DR_ASSERT(!http->in_curl);
	http->in_curl = true;
	curl_multi_socket_action(engine->multi, fd, bits, &running);
	leave_curl(http, engine);
}

/* ---- curl's timer ---- */

static void
on_timer(struct dr_timer *timer)
{
	struct http_engine *engine = DR_CONTAINER_OF(timer, struct http_engine, timer);

	DR_CHECK(engine->http, HTTP_MAGIC);
	run_curl(engine, CURL_SOCKET_TIMEOUT, 0);
}

/* Busy processes move this for every request, so it only ever moves forward. */
static int
on_timer_wish(CURLM *multi, long ms, void *arg)
{
	struct http_engine *engine = arg;
	struct dr_http *http = engine->http;

	(void)multi;
	DR_CHECK(http, HTTP_MAGIC);
	if (ms < 0) {
		dr_timer_stop(&engine->timer);
	} else if (ms == 0 && !http->in_turn_end) {
		engine->kick = true;
		dr_loop_defer(http->loop, &http->at_turn_end);
	} else if (!dr_timer_running(&engine->timer) ||
		   engine->timer.at_ms > dr_clock_ms() + (uint64_t)ms) {
		dr_timer_start(&engine->timer, (uint64_t)ms);
	}
	return 0;
}

/* May call on_body, and end the transfer. */
static void
give_held_bytes(struct dr_transfer *transfer)
{
	struct dr_http *http = transfer->http;
	struct http_engine *engine = transfer->engine;
	CURLcode rc;

	if (transfer->paused || transfer->state != RUNNING)
		return;
	transfer->held = false;
	http->in_curl = true;
	rc = curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
	http->in_curl = false;
	if (rc != CURLE_OK && transfer->state == RUNNING)
		dr_http_finish(transfer, rc);
	leave_curl(http, engine);
}

/*
 * A stream that is broken off can leave frames of other streams read but not looked at:
 * libcurl 7.88 would wait for the socket, which has no more. A look at each connection
 * brings them out.
 */
static void
look_again(struct http_engine *engine)
{
	struct dr_http *http = engine->http;

	engine->look_again = false;
	for (size_t fd = 0; fd < http->n_watches; fd++) {
		struct http_watch *watch = http->watches[fd];

		if (watch != NULL && watch->engine == engine &&
		    (watch->wanted & DR_IO_READ) != 0)
			run_curl(engine, (curl_socket_t)fd, CURL_CSELECT_IN);
	}
}

void
dr_http_end_turn(struct dr_deferred *work)
{
	struct dr_http *http = DR_CONTAINER_OF(work, struct dr_http, at_turn_end);
	struct dr_list resumed = DR_LIST_INIT(resumed), *node;

	DR_CHECK(http, HTTP_MAGIC);
	dr_list_take_all(&resumed, &http->resumed);
	while ((node = dr_list_pop(&resumed)) != NULL)
		give_held_bytes(DR_LIST_ENTRY(node, struct dr_transfer, resume_node));
	http->in_turn_end = true;
	if (http->engines[HTTP_MULTIPLEX].look_again)
		look_again(&http->engines[HTTP_MULTIPLEX]);
	for (int i = 0; i < HTTP_N_ENGINES; i++) {
		if (http->engines[i].kick) {
			http->engines[i].kick = false;
			run_curl(&http->engines[i], CURL_SOCKET_TIMEOUT, 0);
		}
	}
	http->in_turn_end = false;
}

/* ---- curl's sockets ---- */

static struct http_watch *
watch_of(struct dr_http *http, int fd)
{
	return (size_t)fd < http->n_watches ? http->watches[fd] : NULL;
}

static struct http_watch *
watch_new(struct dr_http *http, int fd)
{
	struct http_watch *watch = dr_calloc(1, sizeof *watch);

	DR_ASSERT(fd >= 0 && watch_of(http, fd) == NULL);
	if ((size_t)fd >= http->n_watches) {
		size_t n = (size_t)fd * 2 + 64;

		http->watches = dr_realloc(http->watches, n * sizeof *http->watches);
		memset(http->watches + http->n_watches, 0,
		    (n - http->n_watches) * sizeof *http->watches);
		http->n_watches = n;
	}
	watch->magic = WATCH_MAGIC;
	watch->fd = fd;
	http->watches[fd] = watch;
	return watch;
}

/* Of HTTP/1.1 only: with HTTP/2 nobody asks for a fresh connection. */
static void
set_idle(struct dr_http *http, struct http_watch *watch, bool idle)
{
	if (!watch->connection || watch->engine != &http->engines[HTTP_PLAIN])
		return;
	if (watch->idle != idle)
		http->idle[watch->bucket] += idle ? 1u : -1u;
	watch->idle = idle;
}

static void
watch_free(struct dr_http *http, struct http_watch *watch)
{
	DR_CHECK(watch, WATCH_MAGIC);
	set_idle(http, watch, false);
	http->watches[watch->fd] = NULL;
	dr_io_free(&watch->io);
	DR_FREE(watch);
}

static void
on_ready(void *arg, unsigned bits)
{
	struct http_watch *watch = arg;
	unsigned act;

	DR_CHECK(watch, WATCH_MAGIC);
	act = bits & watch->wanted;
	if (act != bits) { /* an idle connection ended, or a paused one has more */
		watch->watched = watch->wanted;
		dr_io_want(watch->io, watch->wanted);
	}
	if (act != 0)
		run_curl(watch->engine, watch->fd,
		    (act & DR_IO_READ ? CURL_CSELECT_IN : 0) |
			(act & DR_IO_WRITE ? CURL_CSELECT_OUT : 0));
}

/*
 * libcurl 7.88 closes a socket that was still connecting (the caller left, or it took
 * too long) without asking dr_http_close_socket, and only then tells that it is no
 * longer interested (cf-socket.c, cf_socket_close). Its number is anybody's from then
 * on.
 */
static bool
is_closed(int fd)
{
	return fcntl(fd, F_GETFD) < 0;
}

static int
on_socket_wish(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
	struct http_engine *engine = arg;
	struct dr_http *http = engine->http;
	struct http_watch *watch = watch_of(http, fd);

	(void)easy;
	(void)unused;
	if (what == CURL_POLL_REMOVE) {
		if (watch != NULL && (!watch->connection || is_closed(fd))) {
			watch_free(http, watch);
		} else if (watch != NULL) {
			watch->wanted = 0;
			set_idle(http, watch, true);
		}
		return 0;
	}
	if (watch == NULL)
		watch = watch_new(http, fd);
	watch->engine = engine;
	watch->wanted = (what & CURL_POLL_IN ? DR_IO_READ : 0) |
			(what & CURL_POLL_OUT ? DR_IO_WRITE : 0);
	set_idle(http, watch, false);
	if (watch->io == NULL)
		watch->io = dr_io_new(http->loop, fd, on_ready, watch);
	if (watch->watched != watch->wanted &&
	    watch->watched != (watch->wanted | DR_IO_READ)) {
		watch->watched = watch->wanted;
		dr_io_want(watch->io, watch->watched);
	}
	return 0;
}

curl_socket_t
dr_http_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct dr_transfer *transfer = arg;
	struct dr_http *http = transfer->http;
	struct http_watch *watch;
	int fd;

	(void)purpose;
	transfer->stale = transfer->sent && transfer->may_resend != NULL &&
			  !transfer->may_resend(transfer->arg);
	if (transfer->stale)
		return CURL_SOCKET_BAD;
	fd = socket(
	    address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	if (watch_of(http, fd) != NULL) /* closed behind our back, see is_closed() */
		watch_free(http, watch_of(http, fd));
	watch = watch_new(http, fd);
	watch->connection = true;
	watch->bucket = transfer->bucket;
	return fd;
}

int
dr_http_close_socket(void *arg, curl_socket_t fd)
{
	struct dr_http *http = arg;

	DR_CHECK(http, HTTP_MAGIC);
	if (watch_of(http, fd) != NULL)
		watch_free(http, watch_of(http, fd));
	return close(fd);
}

/* ---- birth and death ---- */

void
dr_http_engine_init(
    struct dr_http *http, int which, const struct dr_http_options *options)
{
	struct http_engine *engine = &http->engines[which];
	CURLM *multi = curl_multi_init();

	DR_ASSERT(multi != NULL);
	engine->multi = multi;
	engine->http = http;
	dr_list_init(&engine->pool[0]);
	dr_list_init(&engine->pool[1]);
	dr_timer_init(&engine->timer, http->loop, on_timer);
	SET_MULTI(multi, CURLMOPT_SOCKETFUNCTION, on_socket_wish);
	SET_MULTI(multi, CURLMOPT_SOCKETDATA, engine);
	SET_MULTI(multi, CURLMOPT_TIMERFUNCTION, on_timer_wish);
	SET_MULTI(multi, CURLMOPT_TIMERDATA, engine);
	SET_MULTI(multi, CURLMOPT_MAXCONNECTS, (long)options->max_idle_connections);
	SET_MULTI(
	    multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)options->max_host_connections);
	SET_MULTI(multi, CURLMOPT_PIPELINING,
	    which == HTTP_MULTIPLEX ? CURLPIPE_MULTIPLEX : CURLPIPE_NOTHING);
}

void
dr_http_engine_fini(struct http_engine *engine)
{
	curl_multi_cleanup(engine->multi);
	dr_timer_stop(&engine->timer);
}

void
dr_http_watches_free(struct dr_http *http)
{
	for (size_t i = 0; i < http->n_watches; i++)
		if (http->watches[i] != NULL)
			watch_free(http, http->watches[i]);
	free(http->watches);
}
