#!/bin/bash
# Plants a fault at a time in a copy of the sources, and sees that `peftbench verify` finds it, by the check that is about
# it.  Run by hand, `make planted`: each fault is compiled.  (Losses of accuracy and of time: tests/cli/check_scores.sh.)
#
#   tests/torture/planted.sh           all of it
#   tests/torture/planted.sh NAME..    the faults whose names contain one of the words
#   tests/torture/planted.sh apply     only whether each fault changes its file, as `make check` does
set -u
cd "$(dirname "$0")/../.." || exit 2
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
apply=no
[ "${1:-}" = apply ] && apply=yes && shift
only=("$@")
if [ $apply = yes ]; then cp -a src methods "$copy"; else cp -a Makefile src methods tasks tools build "$copy" 2>/dev/null; fi
cd "$copy" || exit 2
found=0 missed=0

miss() {
	echo "MISSED    $1"
	missed=$((missed + 1))
}

is_chosen() { # NAME
	local word
	[ ${#only[@]} = 0 ] && return
	for word in "${only[@]}"; do
		[[ $1 != *"$word"* ]] || return 0
	done
	return 1
}

plant() { # NAME CHECK METHOD FILE SED: the check must find the fault
	local line
	is_chosen "$1" || return
	cp "$4" before
	sed -i "$5" "$4"
	if cmp -s before "$4"; then
		miss "$1: nothing was planted in $4"
	elif [ $apply = no ]; then
		if ! make build/peftbench >log 2>&1; then
			miss "$1: does not compile"
		elif build/peftbench verify "$3" >log 2>&1; then
			miss "$1"
		elif line=$(grep -m 1 -E "^FAILED .* $2|bug in.*$2" log); then
			echo "found     $1: $(sed -E 's/^FAILED +//; s/  */ /g' <<<"$line")"
			found=$((found + 1))
		else
			miss "$1: not by '$2' but by $(grep -m 1 -E 'FAILED|bug in' log | sed 's/  */ /g')"
		fi
	fi
	cp before "$4"
	touch "$4"
}

# ---- the start -------------------------------------------------------------------------------------------------

plant 'LoRA begins away from the base' 'starts as the base model' lora src/model/low_rank.c \
	's/site->out, rank, pb_init_constant(0)/site->out, rank, pb_init_constant(0.01)/'
plant 'an init of the wrong variance in a method' 'random values as declared' lora src/model/low_rank.c \
	's/pb_init_kaiming(site->in)/pb_init_uniform(1.0 \/ site->in)/'
plant 'an init of the wrong variance in the engine' 'random values as declared' houlsby src/model/params.c \
	's/return (pb_init){PB_NORMAL, deviation, NULL};/return (pb_init){PB_NORMAL, deviation * deviation, NULL};/'
plant 'a wrong count formula' 'elements by the formula' lora methods/lora.c \
	's/\.count = "rank\*(in+out)/.count = "rank*(in+in)/'
plant 'a count formula that is right for the defaults only' 'elements by the formula' prefix methods/prefix.c \
	's/(1-mlp)\*length/length/'
plant 'a prefix off by one position' 'positions behind a prefix' prefix methods/prefix.c \
	's/b->first_position += c->length;/b->first_position += c->length + 1;/'

# ---- gradients and plans ---------------------------------------------------------------------------------------

plant 'a wrong gradient behind a matrix that starts at zero' 'gradient is the slope of the loss' \
	houlsby:act=gelu_tanh src/graph/op_elem.c \
	's/n->in\[0\]->x + at, n->g + at, n->in\[0\]->g + at, n->add & 1);/&\n    for (size_t i = 0; c->act == PB_GELU_TANH \&\& i < row_start(n, to) - at; i++) n->in[0]->g[at + i] *= (pb_real)1.1;/'
plant 'an op reads what it does not declare' 'backward reads what is kept' full src/graph/op_linear.c \
	's/\.reads = {PB_IN1, PB_IN0, 0}/.reads = {PB_IN1, 0, 0}/'
plant 'a hook that draws by a counter' 'bytes and FLOPs as planned' houlsby methods/houlsby.c \
	's/^static pb_node \*block(/static int calls;\n&/; s/    (void)x;/    if (++calls % 3 == 0 \&\& pb_graph_training(b->graph)) return pb_op_add(b->graph, x, y);/'
plant 'a full-size matrix in linear' 'one full-size matrix at a time' lora methods/lora.c \
	's/pb_node \*y = pb_low_rank_add(.*/pb_node *y = pb_op_linear(b->graph, x, pb_op_product(b->graph, B, false, A, false), NULL);\n    y = pb_op_add(b->graph, pb_inner_linear(b, site, x), y);/'

# ---- batches ---------------------------------------------------------------------------------------------------

plant 'dropout is left on' 'scoring is the same twice' lora src/model/low_rank.c \
	's/pb_drop(b, x, c->dropout)/pb_op_dropout(b->graph, x, 0.1, b->drops++)/'
plant 'a text sees its batch' 'a text does not see its batch' houlsby src/graph/op_elem.c \
	'/^static void add_forward/,/^}/s/a\[i\] + b\[i\]/a[i] + b[i] + (pb_real)0.01 * b[0]/'

# ---- training --------------------------------------------------------------------------------------------------

plant 'a frozen weight moves' 'frozen bits stay' lora methods/lora.c \
	'/^static pb_node .linear/,/^}/s/^    pb_low_rank u = low_rank(c, site);$/&\n    if (site->w \&\& site->w->x \&\& pb_graph_training(b->graph)) site->w->x[0] += 1e-3f;/'
plant 'a state leaks from one model to the next' 'no leak between seeds' ia3 methods/ia3.c \
	's/^static pb_node \*linear(/static int calls;\n&/; s/pb_init_constant(1)/pb_init_constant(1 + 0.001 * calls++)/'
plant 'a start that depends on what ran before' 'no leak between seeds' majority methods/majority.c \
	's/^static void set_shares(/static int calls;\n&/; s/    int all = 0;/    int all = calls++;/'

# ---- results ---------------------------------------------------------------------------------------------------

plant 'folding forgets the bias' 'merged equals unmerged' lora src/model/merge.c \
	's/apply(&f, 1, x, false, bias)/apply(\&f, 1, x, true, bias)/'
plant 'a method that reads the text promises to merge' 'merged equals unmerged' houlsby methods/houlsby.c \
	's/\.identity = true,/&\n    .merges = true,/'
plant 'alpha / (r + 1) in linear only' 'low rank as declared' lora methods/lora.c \
	's/x, A, B, u\.scale)/x, A, B, u.scale * u.rank \/ (u.rank + 1))/'

[ $apply = yes ] || echo "$found found, $missed missed"
[ $missed = 0 ]
