#!/bin/bash
# Plants a fault at a time in a copy of the sources, and sees that it is found: by `peftbench verify`, or by the
# goldens.  Run by hand, `make planted`: each fault is compiled.  (Losses of accuracy and of time: tests/cli/check_scores.sh.)
#
#   tests/torture/planted.sh           all of it
#   tests/torture/planted.sh apply     only whether each fault changes its file, as `make check` does
set -u
cd "$(dirname "$0")/../.." || exit 2
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
apply=${1:-}
if [ "$apply" = apply ]; then cp -a src methods "$copy"; else cp -a Makefile src methods tasks tools tests models build "$copy" 2>/dev/null; fi
cd "$copy" || exit 2
found=0 missed=0

plant() { # NAME FILE SED COMMAND...: the command must fail, with words of the check
	cp "$2" before
	sed -i "$3" "$2"
	if cmp -s before "$2"; then
		echo "MISSED    $1: nothing was planted"
		missed=$((missed + 1))
		return
	fi
	[ "$apply" != apply ] || { cp before "$2"; return; }
	if ! make build/peftbench build/tests/model/test_model >log 2>&1; then
		echo "MISSED    $1: does not compile"
		missed=$((missed + 1))
	elif "${@:4}" >log 2>&1; then
		echo "MISSED    $1"
		missed=$((missed + 1))
	else
		echo "found     $1: $(grep -m 1 -E 'FAILED|bug in' log | sed 's/  */ /g')"
		found=$((found + 1))
	fi
	cp before "$2"
	touch "$2"
}

verify() { build/peftbench verify "$1"; }

plant 'folding forgets the bias' src/model/merge.c \
	's/apply(&f, 1, x, false, bias)/apply(\&f, 1, x, true, bias)/' verify lora
plant 'a wrong gradient behind a matrix that starts at zero' src/graph/op_elem.c \
	's/n->in\[0\]->x + at, n->g + at, n->in\[0\]->g + at, n->add & 1);/&\n    for (size_t i = 0; c->act == PB_GELU_TANH \&\& i < row_start(n, to) - at; i++) n->in[0]->g[at + i] *= (pb_real)1.1;/' verify houlsby:act=gelu_tanh
plant 'LoRA begins away from the base' src/model/low_rank.c \
	's/site->out, rank, pb_init_constant(0)/site->out, rank, pb_init_constant(0.01)/' verify lora
plant 'a frozen weight moves' methods/lora.c \
	'/^static pb_node .linear/,/^}/s/^    pb_low_rank u = low_rank(c, site);$/&\n    if (site->w \&\& site->w->x \&\& pb_graph_training(b->graph)) site->w->x[0] += 1e-3f;/' verify lora
plant 'dropout is left on' src/model/low_rank.c \
	's/pb_drop(b, x, c->dropout)/pb_op_dropout(b->graph, x, 0.1, b->drops++)/' verify lora
plant 'a prefix off by one position' methods/prefix.c \
	's/b->first_position += c->length;/b->first_position += c->length + 1;/' build/tests/model/test_model prefix
plant 'a state leaks from one model to the next' methods/ia3.c \
	's/^static pb_node \*linear(/static int calls;\n&/; s/pb_init_constant(1)/pb_init_constant(1 + 0.001 * calls++)/' verify ia3
plant 'an op reads what it does not declare' src/graph/op_linear.c \
	's/\.reads = {PB_IN1, PB_IN0, 0}/.reads = {PB_IN1, 0, 0}/' verify full

[ "$apply" = apply ] || echo "$found found, $missed missed"
[ $missed = 0 ]
