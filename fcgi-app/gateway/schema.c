/*
 * schema - see the header. On every request's path, hence no printf.
 */
#include "gateway/schema.h"

#include <string.h>

/* Append to the text that ends at *at; too long is our bug: all parts have bounds. */
static void
append(char *out, size_t size, size_t *at, const char *text)
{
	size_t n = strlen(text);

	DR_ASSERT(*at + n < size);
	memcpy(out + *at, text, n + 1);
	*at += n;
}

static void
append_letter(char *out, size_t size, size_t *at, char letter)
{
	DR_ASSERT(*at + 1 < size);
	out[(*at)++] = letter;
	out[*at] = '\0';
}

static size_t
write_tag(char *out, size_t size, const char *account)
{
	size_t at = 3;

	memcpy(out, "{a:", at); /* every size is above that */
	append(out, size, &at, account);
	append_letter(out, size, &at, '}');
	return at;
}

void
dr_schema_tag(char out[DR_SCHEMA_TAG_SIZE], const char *account)
{
	write_tag(out, DR_SCHEMA_TAG_SIZE, account);
}

size_t
dr_schema_key(
    char out[DR_SCHEMA_KEY_SIZE], const char *account, const char *what, const char *id)
{
	size_t at = write_tag(out, DR_SCHEMA_KEY_SIZE, account);

	append_letter(out, DR_SCHEMA_KEY_SIZE, &at, ':');
	append(out, DR_SCHEMA_KEY_SIZE, &at, what);
	if (id != NULL) {
		append_letter(out, DR_SCHEMA_KEY_SIZE, &at, ':');
		append(out, DR_SCHEMA_KEY_SIZE, &at, id);
	}
	return at;
}

size_t
dr_schema_field(char out[DR_SCHEMA_FIELD_SIZE], const char *key_id, const char *name)
{
	size_t at = 0;

	append(out, DR_SCHEMA_FIELD_SIZE, &at, key_id);
	append_letter(out, DR_SCHEMA_FIELD_SIZE, &at, '.');
	append(out, DR_SCHEMA_FIELD_SIZE, &at, name);
	return at;
}
