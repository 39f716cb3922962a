#!/bin/bash
# Plants a fault at a time in a copy of the sources, such as change few predictions or none, trains experiments/check.ini
# and asks `peftbench check` alone: it must find each of them, and rows that the fault does not touch must stay the same
# to the bit.  Run by hand, `make mutants`: each fault is compiled, and trains all rows.
#
#   tests/torture/mutants.sh [across] [NAME]...
#   tests/torture/mutants.sh apply     only whether each fault changes its files, as `make check` does
#
# across: the mutants are built for another kind of processor (x86-64-v3) and run with another number of threads than the
# baseline, so that no bits can be compared: what does the gate find then?  (It need not find all.)
set -u
cd "$(dirname "$0")/../.." || exit 2
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
across=no
[ "${1:-}" = across ] && across=yes && shift
apply=no
[ "${1:-}" = apply ] && apply=yes && shift
only=" $* "
trained=$(awk '/^methods/ { on = 1 } on && /^[^ m]/ { exit } on { gsub(/^methods *= *majority|[ ]/, ""); printf "%s", $0 }' \
	experiments/check.ini | sed 's/^,//; s/,/|/g') # the rows that take steps
if [ $apply = yes ]; then cp -a src methods "$copy"; else cp -a Makefile src methods tasks tools tests models data experiments build "$copy" 2>/dev/null; fi
cd "$copy" || exit 2
found=0 missed=0

train() { # DATABASE PROGRAM THREADS
	"$2" run experiments/check.ini --db "$1" --no-timing --threads "$3" --quiet >log 2>&1
}

prepare() {
	sed -i 's/^seeds .*/seeds = 0/' experiments/check.ini # one is enough for bits
	make build/peftbench >log 2>&1 && train baseline.db build/peftbench 2 || { tail log; exit 2; }
}
[ $apply = yes ] || prepare
if [ $across = yes ]; then
	export BUILD=build/v3 ARCH=-march=x86-64-v3
	program=build/v3/peftbench threads=1
else
	export BUILD=build
	program=build/peftbench threads=2
fi

compile() { make BUILD="$BUILD" ${ARCH:+ARCH="$ARCH"} "$program" >log 2>&1; }

# Which layers found something, from what `check` printed.
layers() {
	awk '/^(changed|worse) / {
		name = $3; sub(/:$/, "", name)
		layer = name ~ /^(identity|trajectory)$/ ? name : name == "merge_error" ? "exact (merge_error)" \
			: name ~ /^accuracy/ ? "statistics" : "exact"
		if (!seen[layer]++) list = list (list ? ", " : "") layer
	} END { print list }' out
}

# Rows that something was found in.
touched() {
	awk '/^(changed|worse) / { row = $2; sub(/^check\//, "", row); sub(/:$/, "", row); if (!seen[row]++) print row }' out
}

miss() {
	echo "MISSED    $1"
	missed=$((missed + 1))
}

judge() { # NAME ROWS SECONDS STATUS: ROWS, an expression, may differ and no others
	local status=$4 others
	others=$(touched | grep -vxE "$2" | tr '\n' ' ')
	if [ "$status" != 1 ]; then
		miss "$1 ($3 s): exit status $status: $(grep -m 1 -E '^undecided|peftbench:' out)"
	elif [ -n "$others" ]; then
		miss "$1 ($3 s): rows that it does not touch differ: $others"
	else
		echo "found     $1 ($3 s) by $(layers) in $(touched | tr '\n' ' ')"
		grep -m 1 -E '^(changed|worse)' out | sed 's/^[a-z]* */            /' | cut -c 1-300
		found=$((found + 1))
	fi
}

plant() { # NAME ROWS FILE SED [FILE SED]...
	local name=$1 rows=$2 start=$SECONDS files=()
	shift 2
	[ "$only" = '  ' ] || [[ $only == *" ${name%%:*} "* ]] || return
	while [ $# -gt 0 ]; do
		cp "$1" "before.${#files[@]}"
		sed -i "$2" "$1"
		cmp -s "before.${#files[@]}" "$1" && miss "$name: nothing was planted in $1"
		files+=("$1")
		shift 2
	done
	rm -f new.db*
	if [ $apply = yes ]; then
		:
	elif ! compile; then
		miss "$name: does not compile"
	elif ! train new.db "$program" "$threads"; then
		miss "$name: does not train"
	else
		"$program" check baseline.db --db new.db >out 2>&1
		judge "$name" "$rows" $((SECONDS - start)) $?
	fi
	for i in "${!files[@]}"; do
		cp "before.$i" "${files[$i]}" && touch "${files[$i]}"
	done
}

if [ $across = yes ]; then # nothing planted, nothing found
	compile && train new.db "$program" "$threads" || { tail log; exit 2; }
	"$program" check baseline.db --db new.db >out 2>&1
	status=$?
	[ $status = 0 ] || [ $status = 3 ] || { miss 'nothing is planted' && cat out; }
fi

all='.*' trained="(${trained//+/[+]})"
plant 'scale: LoRA is scaled by alpha / (r + 1), folded too' 'lora.*' src/model/low_rank.c \
	's/c->alpha) \/ r,/c->alpha) \/ (r + 1),/'
plant 'bias: it is folded as 0' 'ia3' src/model/merge.c 's/apply(&f, 1, x, false, bias)/apply(\&f, 1, x, true, bias)/'
plant 'init: A of LoRA is drawn from half the range' 'lora.*' src/model/low_rank.c \
	's/pb_init_kaiming(site->in)/pb_init_kaiming(4 * site->in)/'
plant 'folding: a model that is folded keeps the old biases' 'ia3' src/model/hooks.c \
	's/b->without_bias ? NULL : f \&\& f\[1\]\.x ? \&f\[1\] : s->b;/b->without_bias ? NULL : s->b;/'
plant 'dora: a row is divided by the length that it had' 'lora:dora' methods/lora.c \
	's/pb_inner_weight(b, site), B, A, scale)/pb_inner_weight(b, site), B, A, 0)/'
plant 'dropout: it is left on where the model is scored' "$trained" src/model/hooks.c \
	's/!pb_graph_training(b->graph) || b->model->preparing || p <= 0/p <= 0/' src/train/score.c \
	's/item + from, .count = n}/item + from, .count = n, .dropout = 0.1}/'
plant 'order: every epoch has the order of the first' "$trained" src/train/train.c 's/"order.%d", epoch)/"order.%d", 0 * epoch)/'
plant 'decay: biases decay too' "$trained" src/train/optim.c \
	's/k->decay = k->matrix \&\& /k->decay = /'
plant 'prefix: its text stands one position too far' '(prefix|lora[+]prefix)' methods/prefix.c \
	's/b->first_position += c->length;/b->first_position += c->length + 1;/'
plant 'pooling: the head reads the row in front of [CLS]' 'prompt' src/model/soft_prompt.c \
	's/b->head_row += c->length;/b->head_row += c->length - 1;/'
plant 'smoothing: a tenth of each label is spread over all classes' "$trained" src/numeric/elementwise.c \
	's/^            out\[label\[i\]\] -= share;/            for (size_t k = 0; k < n; k++) out[k] -= share * ((k == (size_t)label[i] ? (pb_real)0.9 : 0) + (pb_real)0.1 \/ (pb_real)n);/'
plant 'moments: the second one is corrected as if a step later' "$trained" src/train/optim_rules.c \
	's/bias2 = 1 - pow(opt->options->beta2, k->steps)/bias2 = 1 - pow(opt->options->beta2, k->steps + 1)/'
plant 'clip: gradients are clipped to twice the norm' "$trained" src/train/optim.c \
	's/norm > o->clip ? o->clip \/ norm : 1/norm > 2 * o->clip ? 2 * o->clip \/ norm : 1/'
plant 'gelu: an adapter uses the approximation by tanh' '(houlsby|adamix)' src/model/bottleneck.c 's/(pb_act)c->act/PB_GELU_TANH/'
plant 'warmup: the learning rate is a step ahead' "$trained" src/train/optim.c \
	's/return o->lr \* step \/ warm;/return o->lr * (step + 1) \/ warm;/'
plant 'eps: a norm has another epsilon' "$all" src/model/network.c 's/double eps = b->model->config.norm_eps;/double eps = 1e-5;/'
plant 'select: the layer below the last one trains too' 'last-k' methods/last-k.c \
	's/p->layer >= layers - c->k/p->layer >= layers - c->k - 1/'

[ $apply = yes ] || echo "$found found, $missed missed"
[ $missed = 0 ] || [ $across = yes ]
