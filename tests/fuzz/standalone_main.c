/*
 * standalone_main - runs a fuzz target where there is no libFuzzer.
 *
 *   fuzz_x FILE...            each file once
 *   fuzz_x                    mutations of a few seeds, the same ones every time
 *   fuzz_x -runs=N [FILE...]  N mutations of the files
 *
 * It finds no new paths by itself: it keeps the targets alive in `make check` and
 * replays what a real fuzzer has found.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_INPUT    65536
#define MAX_SEEDS    64
#define DEFAULT_RUNS 20000

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct seed {
	uint8_t *bytes; /* owned by main */
	size_t len;
};

static uint64_t dice_state = 88172645463325252U;

static uint64_t
dice(void)
{
	dice_state ^= dice_state << 13;
	dice_state ^= dice_state >> 7;
	dice_state ^= dice_state << 17;
	return dice_state;
}

/* On the heap in its exact size, so that a sanitizer sees a byte too far. */
static void
run_once(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		abort();
	memcpy(copy, bytes, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

/* One change of the kinds that find most: a byte, a run, a cut, a repetition. */
static size_t
mutate(uint8_t *bytes, size_t len)
{
	size_t at = len > 0 ? dice() % len : 0, n = 1 + dice() % 16;
	static const uint8_t telling[] = { 0, 1, 0x7f, 0x80, 0xff, '"', '\n', '{' };

	switch (dice() % 6) {
	case 0: /* a bit */
		if (len > 0)
			bytes[at] ^= (uint8_t)(1 << dice() % 8);
		return len;
	case 1: /* a byte that often means something */
		if (len > 0)
			bytes[at] = telling[dice() % sizeof telling];
		return len;
	case 2: /* any byte */
		if (len > 0)
			bytes[at] = (uint8_t)dice();
		return len;
	case 3: /* the end is missing */
		return at;
	case 4: /* some bytes are missing */
		n = n < len - at ? n : len - at;
		memmove(bytes + at, bytes + at + n, len - at - n);
		return len - n;
	default: /* some bytes come twice */
		n = n < len - at ? n : len - at;
		if (len + n > MAX_INPUT)
			return len;
		memmove(bytes + at + n, bytes + at, len - at);
		return len + n;
	}
}

static void
run_mutations(const struct seed *seeds, size_t n_seeds, unsigned long runs)
{
	static uint8_t bytes[MAX_INPUT];

	for (unsigned long i = 0; i < runs; i++) {
		const struct seed *seed = &seeds[dice() % n_seeds];
		size_t len = seed->len;

		memcpy(bytes, seed->bytes, len);
		for (uint64_t n = dice() % 8; n > 0; n--)
			len = mutate(bytes, len);
		run_once(bytes, len);
	}
}

/* False where the file cannot be read; longer ones are cut. */
static int
load(const char *path, struct seed *seed)
{
	FILE *file = fopen(path, "rb");

	seed->bytes = malloc(MAX_INPUT);
	if (file == NULL || seed->bytes == NULL) {
		perror(path);
		return 0;
	}
	seed->len = fread(seed->bytes, 1, MAX_INPUT, file);
	fclose(file);
	return 1;
}

/* Where no file is given: a FastCGI request, an SSE stream, some JSON, a login message,
 * what /api is asked, offsets of a time zone, a transfer on a chain, and nothing. */
static size_t
built_in(struct seed seeds[MAX_SEEDS])
{
	static const char fcgi[] = "\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0"
				   "\1\4\0\1\0\12\0\0\4\4NAMEtext\1\4\0\1\0\0\0\0"
				   "\1\5\0\1\0\2\6\0{}......\1\5\0\1\0\0\0\0"
				   "\1\11\0\0\0\20\0\0\16\0FCGI_MAX_CONNS";
	static const char sse[] =
	    "event: message_start\ndata: {\"type\":\"message_start\"}\n"
	    "\n: ping\r\n\r\ndata: {\"a\":[1,2.5,\"x\\n\"]}\n\n"
	    "data: [DONE]\n\n";
	static const char json[] =
	    "{\"model\":\"m\",\"stream\":true,\"max_tokens\":1024,"
	    "\"messages\":[{\"role\":\"user\",\"content\":\"\\u00e9\"}]}";
	static const char siwe[] =
	    "derouter.example wants you to sign in with your Ethereum account:\n"
	    "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1\n\nLog in.\n\n"
	    "URI: https://derouter.example/\nVersion: 1\nChain ID: 8453\n"
	    "Nonce: abcDEF0123456789\nIssued At: 2026-11-26T14:05:15.000Z\n"
	    "Expiration Time: 2026-11-26T14:10:15.000Z";
	static const char body[] = "{\"name\":\"n\",\"n\":-5,\"stream\":false,"
				   "\"model\":null,\"models\":[\"a\",\"b\"]}";
	static const char query[] = "key=a%2Fb&limit=3&from=2026-11-26";
	static const char zone[] = "0 60 1774746000000 120 1792890000000 -60";
	static const char transfer[] =
	    "0x036CbD53842c5426634e7929541eC2318f3dCF7e\n"
	    "0x00000000000000000000000000000000000000000000000000000000000f4240\n"
	    "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef\n"
	    "0x00000000000000000000000000000000000000000000000000000000000abc01\n"
	    "0x00000000000000000000000000000000000000000000000000000000c0ffee01\n0x1f";
	static const struct {
		const char *bytes;
		size_t len;
	} all[] = { { fcgi, sizeof fcgi - 1 }, { sse, sizeof sse - 1 },
		{ json, sizeof json - 1 }, { siwe, sizeof siwe - 1 },
		{ body, sizeof body - 1 }, { query, sizeof query - 1 },
		{ zone, sizeof zone - 1 }, { transfer, sizeof transfer - 1 },
		{ "", 0 } };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		seeds[i].bytes = malloc(MAX_INPUT);
		if (seeds[i].bytes == NULL)
			abort();
		memcpy(seeds[i].bytes, all[i].bytes, all[i].len);
		seeds[i].len = all[i].len;
	}
	return sizeof all / sizeof *all;
}

int
main(int argc, char **argv)
{
	static struct seed seeds[MAX_SEEDS];
	unsigned long runs = 0;
	size_t n = 0;

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "-runs=", 6) == 0)
			runs = strtoul(argv[i] + 6, NULL, 10);
		else if (n < MAX_SEEDS && load(argv[i], &seeds[n]))
			n++;
		else
			return 1;
	}
	if (n == 0 && runs == 0)
		runs = DEFAULT_RUNS;
	if (n == 0)
		n = built_in(seeds);
	for (size_t i = 0; i < n; i++)
		run_once(seeds[i].bytes, seeds[i].len);
	run_mutations(seeds, n, runs);
	printf("%zu inputs, %lu mutations: fine\n", n, runs);
	for (size_t i = 0; i < n; i++)
		free(seeds[i].bytes);
	return 0;
}
