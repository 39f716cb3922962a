# summary.awk: the tables of `make parity`.
#
#   awk -f summary.awk LOGS/parts      a line of this file: PART EXIT-CODE SECONDS; the part's output is LOGS/PART.log
#
# summary.py describes the lines that are read.  A part that ended without its count has failed once.  Exit code 1 if a
# part failed.

BEGIN { split("passed failed refused skipped", results) }

{
	log_file = FILENAME
	sub(/[^\/]*$/, $1 ".log", log_file)
	read_log($1, log_file)
	parts[++count] = $1
	seconds[$1] = $3
	if (!number[$1, "failed"] && ($2 != 0 || !($1 in counted || $1 in reason)))
		number[$1, "failed"] = 1
	bad = bad || number[$1, "failed"]
}

function read_log(part, path, line) {
	while ((getline line <path) > 0)
		if (index(line, part ": ") == 1 && line ~ /: [0-9]+ passed, [0-9]+ failed/)
			read_count(part, line)
		else if (line ~ /^method [^ ]+: /)
			read_method(line)
		else if (line ~ /^not run: /)
			reason[part] = line
	close(path)
}

function read_count(part, line, i, n, items, words) {
	counted[part]
	n = split(substr(line, length(part) + 3), items, ", ")
	for (i = 1; i <= n; i++) {
		split(items[i], words, " ")
		if (words[1] == "worst")
			worst[part] = words[2]
		else
			number[part, words[2]] = words[1]
	}
}

function read_method(line, i, n, items, name, column, value) {
	split(line, items, " ")
	name = substr(items[2], 1, length(items[2]) - 1)
	n = split(substr(line, length("method : ") + length(name) + 1), items, ", ")
	for (i = 1; i <= n; i++) {
		value = column = items[i]
		sub(/.* /, "", value)
		sub(/ [^ ]*$/, "", column)
		if (!((name, column) in difference) || size(value) > size(difference[name, column]))
			difference[name, column] = value
		names[name]
		any = 1
	}
}

# What is no number is larger than any.
function size(text) { return text ~ /^[0-9.]+(e[-+]?[0-9]+)?$/ ? text + 0 : 1e300 }

function or_dash(text) { return text == "" ? "-" : text }

END {
	printf "%-14s %7s %7s %8s %8s %9s %8s\n", "part", "passed", "failed", "refused", "skipped", "worst", "seconds"
	for (i = 1; i <= count; i++) {
		part = parts[i]
		if (part in reason && !number[part, "failed"]) {
			printf "%-14s %s\n", part, reason[part]
			continue
		}
		printf "%-14s", part
		for (k = 1; k <= 4; k++)
			printf k < 3 ? " %7d" : " %8d", number[part, results[k]]
		printf " %9s %8d\n", or_dash(worst[part]), seconds[part]
	}
	print_methods()
	exit bad
}

function print_methods(k, n, name, columns, sorted) {
	n = split("read,exported,logits,loss,gradients,20 steps", columns, ",")
	if (!any)
		return
	printf "\n%-18s", "method"
	for (k = 1; k <= n; k++)
		printf " %9s", columns[k]
	print ""
	fflush()
	sorted = "sort"
	for (name in names) {
		line = sprintf("%-18s", name)
		for (k = 1; k <= n; k++)
			line = line sprintf(" %9s", or_dash(difference[name, columns[k]]))
		print line | sorted
	}
	close(sorted)
}
