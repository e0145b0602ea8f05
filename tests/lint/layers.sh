#!/bin/bash
# The house's order: which room may include which, who may use which library,
# and whose name every external symbol bears (docs/design/01-house.md).
cd "$(dirname "$0")/../.." || exit 1
. tests/lint/tap.sh

declare -A floor=([common]=0 [spec]=1 [net]=2 [cgroups]=2 [namespaces]=2 [microvm]=2
	[runtime]=3 [zones]=4 [guest]=5 [cli]=5)
declare -A prefixes=(
	[common]="err_ fd_ file_ path_ proc_ plan_ sync_ str_ strbuf_ arena_ log_ sys_"
	[spec]="spec_ json_"
	[namespaces]="ns_"
	[cgroups]="cg_"
	[net]="net_"
	[microvm]="vm_"
	[runtime]="rt_ st_ be_"
	[zones]="zone_"
	[cli]="cmd_ opt_ out_ cli_ help_ man_"
	[guest]="guest_"
)
# Library headers, and the one room that may include each.
declare -A library=([yajl/]=spec [netlink/]=net [linux/rtnetlink]=net [libcgroup]=cgroups
	[seccomp.h]=namespaces)

includes() {
	local room file header target bad=
	for room in $rooms; do
		[ -d "$room" ] || continue
		while IFS=: read -r file header; do
			target=${header%%/*}
			[ -n "${floor[$target]:-}" ] && [ "$target" != "$room" ] || continue
			[ "${floor[$target]}" -lt "${floor[$room]}" ] || bad+="$file includes $header"$'\n'
		done < <(grep -HoE '^#[[:space:]]*include "[a-z]+/[a-z0-9_/]+\.h' "$room"/*.[ch] 2>/dev/null |
			sed -E 's/^([^:]*):.*"/\1:/' | sort -u)
	done
	printf '%s' "$bad"
}

siblings_by_path() {
	# shellcheck disable=SC2086 # a list of rooms
	# An include that climbs out of the room escapes the check above.
	grep -HnE '^#[[:space:]]*include "\.\.' -r --include='*.[ch]' $rooms 2>/dev/null
}

libraries() {
	local header room
	for header in "${!library[@]}"; do
		for room in $rooms; do
			[ -d "$room" ] && [ "$room" != "${library[$header]}" ] || continue
			# `--version` names the library's version: asking for it is no use of it.
			grep -HnE "^#[[:space:]]*include <$header" "$room"/*.[ch] 2>/dev/null |
				grep -v '^cli/[a-z_]*\.c:.*<seccomp\.h'
		done
	done
}

symbols() {
	local room object name prefix good
	for room in $rooms; do
		for object in build/"$room"/*.o; do
			# An object whose source is gone is nobody's.
			name=${object#build/}
			[ -f "${name%.o}.c" ] || continue
			nm -g --defined-only "$object" | awk '{print $3}' | while read -r name; do
				good=
				for prefix in ${prefixes[$room]}; do
					case $name in "$prefix"*) good=1 ;; esac
				done
				[ -n "$good" ] || echo "$object: $name"
			done
		done
	done
}

objects_seen() {
	compgen -G 'build/common/*.o' >/dev/null || echo "build/ has no objects: run make first"
}

# Which backend runs is decided in one table; elsewhere nobody asks for its name.
backend_names() {
	grep -HnE 'strcmp\([^)]*"(shared|microvm)"|str_eq\([^)]*"(shared|microvm)"' -r --include='*.c' \
		runtime cli namespaces cgroups net 2>/dev/null | grep -vE '^runtime/(backend|shared|microvm)[a-z_]*\.c:'
}

result "includes go down only, siblings don't know each other" "$(includes)"
result "no include climbs out of its room" "$(siblings_by_path)"
result "each library has one room that uses it" "$(libraries)"
result "there are objects to look at" "$(objects_seen)"
result "every external symbol bears its room's prefix" "$(symbols)"
result "no comparison with a backend's name outside the backends" "$(backend_names)"
finish
