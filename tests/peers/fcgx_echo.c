/*
 * fcgx_echo - a FastCGI responder made of libfcgi alone, the oracle for our own: it
 * prints the params sorted, the body's length and the body. Listens on descriptor 0.
 */
#include <fcgiapp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All of the body; owned by the caller. CONTENT_LENGTH is not asked: the stream ends.
 */
static char *
read_body(FCGX_Stream *in, size_t *len)
{
	size_t size = 65536;
	char *body = malloc(size);
	int n;

	for (*len = 0; body != NULL; *len += (size_t)n) {
		n = FCGX_GetStr(body + *len, (int)(size - *len), in);
		if (n <= 0)
			break;
		if (*len + (size_t)n == size)
			body = realloc(body, size *= 2);
	}
	if (body == NULL)
		abort();
	return body;
}

static void
answer(FCGX_Request *request)
{
	size_t n = 0, len;
	char *body = read_body(request->in, &len);

	while (request->envp[n] != NULL)
		n++;
	qsort(request->envp, n, sizeof *request->envp, by_name);
	FCGX_PutS("Content-Type: text/plain\r\n\r\n", request->out);
	for (size_t i = 0; i < n; i++)
		if (strncmp(request->envp[i], "FCGI_ROLE=", 10) != 0)
			FCGX_FPrintF(request->out, "%s\n", request->envp[i]);
	FCGX_FPrintF(request->out, "\n%d\n", (int)len);
	FCGX_PutStr(body, (int)len, request->out);
	free(body);
}

int
main(void)
{
	FCGX_Request request;

	if (FCGX_Init() != 0 || FCGX_InitRequest(&request, 0, 0) != 0)
		return 1;
	while (FCGX_Accept_r(&request) == 0) {
		answer(&request);
		FCGX_Finish_r(&request);
	}
	return 0;
}
