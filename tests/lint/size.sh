#!/bin/bash
# Small files of small functions. Tables may be long, code may not.
cd "$(dirname "$0")/../.." || exit 1
. tests/lint/tap.sh
measures() {
	# pmccabe: modified complexity, complexity, statements, first line, lines, place
	c_files | grep -v '^tests/' | xargs pmccabe 2>/dev/null
}
result "no function is longer than 100 lines" "$(measures | awk '$5 > 100 { print $6, $7, $5 " lines" }')"
result "no function's complexity is above 20" "$(measures | awk '$1 > 20 { print $6, $7, "complexity " $1 }')"
result "no file is longer than 700 lines" \
	"$( (c_files; h_files) | xargs wc -l | awk '$2 != "total" && $1 > 700 { print $2 ": " $1 " lines" }')"
result "half of the functions have 15 lines or fewer, 9 of 10 have 45 or fewer" \
	"$(measures | awk '{print $5}' | sort -n | awk '{ n[NR] = $1 }
		END { m = n[int((NR + 1) / 2)]; p = n[int(NR * 0.9)];
			if (m > 15 || p > 45) print "median " m ", 90th percentile " p }')"
finish
