/*
 * load - options, connections and the loop of derouter-load. See load.h.
 *
 * Closed loop: a connection sends its next request when the last answer is complete, so
 * the number of connections is the number of requests at a time.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct link {
	int fd; /* -1: closed */
	bool busy, writing;
	size_t written;
	uint64_t sent_us; /* when the request began to be written */
	bool body_seen;
	const char *key; /* borrowed */
	char *head;      /* owned */
	size_t head_len;
	struct answer answer;
};

static struct {
	struct sockaddr_in to;
	const char *path, *keys_file, *prompt, *model;
	size_t connections;
	double seconds, ramp;
	uint64_t requests;    /* 0: as many as the time allows */
	size_t body_bytes;    /* the request's body is padded to so many */
	uint64_t deltas;      /* expected of each stream */
	uint64_t abort_after; /* leave after so many deltas; 0: never */
	int expect;
	bool stream;
} opt = { .path = "/v1/messages",
	.prompt = "",
	.model = "claude-sonnet-4-6",
	.connections = 1,
	.expect = 200 };

static struct report report;
static int epoll_fd;
static char *body; /* of every request; owned */
static size_t body_len;
static struct link *links;
static uint64_t started; /* requests begun */
static size_t busy;
static uint64_t end_us;

static uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void
die(const char *what)
{
	fprintf(stderr, "derouter-load: %s\n", what);
	exit(2);
}

/* ---- the request ---- */

static void
make_body(void)
{
	static const char pad[] = "All work and no play makes a dull benchmark. ";
	char head[512];
	int n;

	n = snprintf(head, sizeof head,
	    "{\"model\":\"%s\",\"max_tokens\":100,\"stream\":%s,\"messages\":[{"
	    "\"role\":\"user\",\"content\":\"%s ",
	    opt.model, opt.stream ? "true" : "false", opt.prompt);
	if (n < 0 || (size_t)n >= sizeof head)
		die("prompt too long");
	body_len = (size_t)n + 4 > opt.body_bytes ? (size_t)n + 4 : opt.body_bytes;
	body = malloc(body_len + 1);
	if (body == NULL)
		die("no memory");
	memcpy(body, head, (size_t)n);
	for (size_t at = (size_t)n; at < body_len - 4; at++)
		body[at] = pad[at % (sizeof pad - 1)];
	memcpy(body + body_len - 4, "\"}]}", 5);
}

static void
make_head(struct link *link)
{
	int n = asprintf(&link->head,
	    "POST %s HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
	    "anthropic-version: 2023-06-01\r\nx-api-key: %s\r\n"
	    "user-agent: derouter-load\r\naccept: */*\r\ncontent-length: %zu\r\n\r\n",
	    opt.path, link->key, body_len);

	if (n < 0)
		die("no memory");
	link->head_len = (size_t)n;
}

/* One key per line, dealt out to the connections in turn; no file: a made-up one. */
static void
deal_keys(void)
{
	static char text[1 << 20];
	const char *keys[4096];
	size_t n = 0, len = 0;
	FILE *file = opt.keys_file != NULL ? fopen(opt.keys_file, "r") : NULL;

	if (opt.keys_file != NULL && file == NULL)
		die("cannot open the file of keys");
	if (file != NULL) {
		len = fread(text, 1, sizeof text - 1, file);
		fclose(file);
	}
	text[len] = '\0';
	for (char *save = NULL, *line = strtok_r(text, "\n", &save);
	     line != NULL && n < 4096; line = strtok_r(NULL, "\n", &save))
		keys[n++] = line;
	if (n == 0)
		keys[n++] = "none";
	for (size_t i = 0; i < opt.connections; i++) {
		links[i].fd = -1;
		links[i].key = keys[i % n];
		make_head(&links[i]);
	}
}

/* ---- one connection ---- */

static void
hang_up(struct link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
	link->writing = false;
}

static bool
more_wanted(uint64_t now)
{
	return now < end_us && (opt.requests == 0 || started < opt.requests);
}

/* Write what is left of the request; false: the connection is no good. */
static bool
write_request(struct link *link)
{
	while (link->written < link->head_len + body_len) {
		struct iovec parts[2];
		size_t at = link->written, in_head = 0;
		ssize_t n;

		if (at < link->head_len)
			in_head = link->head_len - at;
		parts[0] = (struct iovec){ link->head + at, in_head };
		if (in_head == 0)
			parts[0].iov_base = link->head;
		at = at > link->head_len ? at - link->head_len : 0;
		parts[1] = (struct iovec){ body + at, body_len - at };
		n = writev(link->fd, parts, 2);
		if (n < 0 && errno == EAGAIN)
			return true; /* epoll tells when */
		if (n < 0)
			return errno == ENOTCONN;
		link->written += (size_t)n;
	}
	link->writing = false;
	return true;
}

static void
open_link(struct link *link)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = link
	};
	int on = 1;

	link->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (link->fd < 0)
		die("no descriptors left");
	setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(link->fd, (struct sockaddr *)&opt.to, sizeof opt.to) < 0 &&
	    errno != EINPROGRESS)
		die("cannot connect");
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, link->fd, &event);
}

static void
send_request(struct link *link, uint64_t now)
{
	bool fresh = link->fd < 0;

	load_answer_init(&link->answer);
	link->written = 0;
	link->busy = link->writing = true;
	link->body_seen = false;
	link->sent_us = now;
	started++;
	busy++;
	if (fresh)
		open_link(link); /* written when epoll says that it is connected */
	else
		(void)write_request(link); /* a dead one shows at the next read */
}

/* The request is over, one way or the other: on to the next. */
static void
next_request(struct link *link, uint64_t now)
{
	link->busy = false;
	busy--;
	if (more_wanted(now))
		send_request(link, now);
}

static void
finish(struct link *link, uint64_t now)
{
	const struct answer *answer = &link->answer;

	report.requests++;
	report.bytes += answer->body_bytes;
	report
	    .status[answer->status > 0 && answer->status < 600 ? answer->status : 0]++;
	if (answer->status == opt.expect)
		report.ok++;
	else
		report.unexpected++;
	if (opt.stream && answer->status == 200 && !load_answer_is_whole(answer))
		report.cut++;
	if (answer->deltas < opt.deltas)
		report.events_lost += opt.deltas - answer->deltas;
	load_add_sample(&report.whole, now - link->sent_us);
	if (answer->close)
		hang_up(link);
	next_request(link, now);
}

/* The connection broke under a request. */
static void
broke(struct link *link, uint64_t now)
{
	hang_up(link);
	report.requests++;
	report.broken++;
	if (opt.deltas > link->answer.deltas)
		report.events_lost += opt.deltas - link->answer.deltas;
	next_request(link, now);
}

/* Bytes of an answer came. */
static void
take(struct link *link, const char *bytes, size_t n)
{
	struct answer *answer = &link->answer;
	uint64_t now = now_us();

	load_answer_feed(answer, bytes, n, now, &report);
	if (!link->body_seen && answer->body_bytes > 0) {
		link->body_seen = true;
		load_add_sample(&report.first, now - link->sent_us);
	}
	if (answer->state == ANSWER_GARBAGE) {
		broke(link, now);
	} else if (answer->state == ANSWER_DONE) {
		finish(link, now);
	} else if (opt.abort_after > 0 && answer->deltas >= opt.abort_after) {
		hang_up(link);
		report.requests++;
		report.aborted++;
		next_request(link, now);
	}
}

static void
on_ready(struct link *link, uint32_t events)
{
	static char bytes[256 * 1024];
	int fd = link->fd;

	if (fd < 0)
		return; /* closed earlier in this batch */
	if ((events & EPOLLOUT) != 0 && link->writing && !write_request(link)) {
		broke(link, now_us());
		return;
	}
	if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0)
		return;
	while (link->fd == fd) {
		ssize_t n = read(fd, bytes, sizeof bytes);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0 && link->busy) {
			broke(link, now_us());
			return;
		}
		if (n <= 0) {
			hang_up(link); /* an idle one: opened again when needed */
			return;
		}
		if (!link->busy)
			continue;
		take(link, bytes, (size_t)n);
		if ((size_t)n < sizeof bytes && (events & EPOLLRDHUP) == 0)
			return;
	}
}

/* ---- the run ---- */

static void
run(void)
{
	struct epoll_event events[512];
	uint64_t begin = now_us(), now = begin, last = begin;
	size_t opened = 0;

	end_us = begin + (uint64_t)(opt.seconds * 1e6);
	while (now < end_us + 30000000) {
		size_t due = opt.connections;
		int n;

		if (opt.ramp > 0 && now - begin < opt.ramp * 1e6)
			due = (size_t)((double)opt.connections * (double)(now - begin) /
				       (opt.ramp * 1e6));
		while (opened < due && more_wanted(now))
			send_request(&links[opened++], now_us());
		if (busy == 0 && !(opened < opt.connections && more_wanted(now)))
			break;
		n = epoll_wait(
		    epoll_fd, events, 512, opened < opt.connections ? 1 : 100);
		for (int i = 0; i < n; i++)
			on_ready(events[i].data.ptr, events[i].events);
		now = now_us();
		if (n > 0)
			last = now;
	}
	report.broken += busy; /* never answered */
	report.requests += busy;
	report.events_lost += busy * opt.deltas;
	report.seconds = (double)(last - begin) / 1e6;
}

static const char usage[] =
    "usage: derouter-load --to HOST:PORT [options]\n"
    "  --connections N --seconds S --requests N --ramp S\n"
    "  --path P --keys FILE --model M --prompt TEXT --body-bytes N --expect STATUS\n"
    "  --stream --deltas N --abort-after N\n";

static void
set_target(const char *text)
{
	char host[64];
	const char *colon = strrchr(text, ':');

	if (colon == NULL || (size_t)(colon - text) >= sizeof host)
		die("--to wants HOST:PORT");
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	opt.to.sin_family = AF_INET;
	opt.to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	if (inet_pton(AF_INET, host, &opt.to.sin_addr) != 1)
		die("--to wants an IPv4 address");
}

static void
fail_usage(void)
{
	fputs(usage, stderr);
	exit(2);
}

/* Options about what is asked, and what is expected. */
static void
set_request_option(int c)
{
	switch (c) {
	case 'p':
		opt.path = optarg;
		break;
	case 'k':
		opt.keys_file = optarg;
		break;
	case 'm':
		opt.model = optarg;
		break;
	case 'x':
		opt.prompt = optarg;
		break;
	case 'b':
		opt.body_bytes = strtoul(optarg, NULL, 10);
		break;
	case 'e':
		opt.expect = (int)strtol(optarg, NULL, 10);
		break;
	case 'S':
		opt.stream = true;
		break;
	case 'd':
		opt.deltas = strtoull(optarg, NULL, 10);
		break;
	case 'a':
		opt.abort_after = strtoull(optarg, NULL, 10);
		break;
	default:
		fail_usage();
	}
}

static void
set_option(int c)
{
	switch (c) {
	case 't':
		set_target(optarg);
		break;
	case 'c':
		opt.connections = strtoul(optarg, NULL, 10);
		break;
	case 's':
		opt.seconds = strtod(optarg, NULL);
		break;
	case 'n':
		opt.requests = strtoull(optarg, NULL, 10);
		break;
	case 'r':
		opt.ramp = strtod(optarg, NULL);
		break;
	default:
		set_request_option(c);
	}
}

int
main(int argc, char **argv)
{
	static const struct option long_options[] = { { "to", 1, NULL, 't' },
		{ "connections", 1, NULL, 'c' }, { "seconds", 1, NULL, 's' },
		{ "requests", 1, NULL, 'n' }, { "ramp", 1, NULL, 'r' },
		{ "path", 1, NULL, 'p' }, { "keys", 1, NULL, 'k' },
		{ "model", 1, NULL, 'm' }, { "prompt", 1, NULL, 'x' },
		{ "body-bytes", 1, NULL, 'b' }, { "expect", 1, NULL, 'e' },
		{ "stream", 0, NULL, 'S' }, { "deltas", 1, NULL, 'd' },
		{ "abort-after", 1, NULL, 'a' }, { NULL, 0, NULL, 0 } };
	struct rlimit files;

	for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
		set_option(c);
	if (opt.to.sin_port == 0 || optind != argc ||
	    (opt.seconds <= 0 && opt.requests == 0))
		fail_usage();
	if (opt.seconds <= 0)
		opt.seconds = 600;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGPIPE, SIG_IGN);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	links = calloc(opt.connections, sizeof *links);
	if (links == NULL)
		die("no memory");
	make_body();
	deal_keys();
	run();
	load_print_report(&report, stdout);
	for (size_t i = 0; i < opt.connections; i++) {
		hang_up(&links[i]);
		free(links[i].head);
	}
	free(links);
	free(body);
	return 0;
}
