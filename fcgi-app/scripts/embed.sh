#!/bin/sh
# embed.sh: the Redis scripts that scripts.def lists as C arrays, on standard output. A line
# "--@include NAME" is replaced by NAME.lua. Comments and blank lines stay out: Redis need not hash them.
set -eu
dir=$(dirname "$0")
echo '/* made by embed.sh from the .lua files beside it */'
echo '#include "scripts/scripts.h"'
for name in $(sed -n 's/^DR_SCRIPT(\(.*\))$/\1/p' "$dir/scripts.def"); do
	printf '\nstatic const char %s_source[] =\n' "$name"
	awk -v dir="$dir" '
		function out(line) {
			if (line ~ /^[ \t]*--/ || line ~ /^[ \t]*$/) return
			gsub(/\\/, "\\\\", line); gsub(/"/, "\\\"", line); gsub(/^[ \t]+/, "", line)
			printf "\t\"%s\\n\"\n", line
		}
		/^--@include / {
			path = dir "/" $2 ".lua"
			if ((getline line < path) <= 0) {
				print "embed.sh: " FILENAME ": " path " cannot be read" >"/dev/stderr"
				exit 1
			}
			do out(line); while ((getline line < path) > 0)
			close(path)
			next
		}
		{ out($0) }' "$dir/$name.lua"
	printf '\t;\nstruct dr_script dr_script_%s = {\n\t.name = "%s",\n' "$name" "$name"
	printf '\t.source = %s_source,\n\t.source_len = sizeof %s_source - 1\n};\n' "$name" "$name"
done
