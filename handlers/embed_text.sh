#!/bin/sh
# embed_text.sh FILE NAME: a text file as C: `const char NAME[]` and `const size_t NAME_len`, on standard
# output. Blanks before and after each line and the line's end stay out: JSON does without them.
set -eu
printf '/* made by embed_text.sh from %s */\n#include "handlers/openapi.h"\n\nconst char %s[] =\n' "$1" "$2"
sed -e 's/^[ 	]*//' -e 's/[ 	]*$//' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/	"&"/' "$1"
printf '	;\nconst size_t %s_len = sizeof %s - 1;\n' "$2" "$2"
