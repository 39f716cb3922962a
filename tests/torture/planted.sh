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

plant() { # NAME CHECK METHOD FILE SED: the check, or one of the program's own invariants in a file, must find the fault
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
		elif line=$(grep -m 1 -E "^FAILED .* $2|$2.*bug in" log); then
			echo "found     $1: $(sed -E 's/^FAILED +//; s/  */ /g' <<<"$line")"
			found=$((found + 1))
		else
			miss "$1: not by '$2' but by $(grep -m 1 -E 'FAILED|bug in' log | sed 's/  */ /g')"
		fi
	fi
	cp before "$4"
	touch "$4"
}

plugin() { # NAME MEMBERS: compiles NAME.so from the hooks on standard input
	{
		printf '#include "peftbench.h"\n'
		cat
		printf 'static const pb_method method = {.name = "%s", .title = "planted", .paper = "none", .help = "none", .traits.category = PB_ADDITIVE, .traits.identity = true, %s};\nPB_PLUGIN(method)\n' "$1" "$2"
	} >"$1.c"
	[ $apply = yes ] || gcc -std=c11 -O2 -shared -fPIC -Wall -Wextra -Werror -I src -o "$1.so" "$1.c" || exit 2
}

# Methods that keep their promises, for what no method of methods/ does.
plugin drawn '.hooks.block = block' <<'END'
/* One of two bottlenecks of different sizes in each step. */
static pb_node *block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    static const char *const names[2][2] = {{"A", "B"}, {"C", "D"}};
    static const int size[2] = {2, 9};
    int which = pb_draw(b, 2);
    (void)x;
    for (int i = 0; i < 2; i++) {
        pb_node *down = pb_added(b, site, names[i][0], size[i], site->out, pb_init_normal(0.1));
        pb_node *up = pb_added(b, site, names[i][1], site->out, size[i], pb_init_constant(0));
        if (which < 0 || which == i)
            y = pb_op_add(b->graph, y, pb_op_linear(b->graph, pb_op_linear(b->graph, y, down, NULL), up, NULL));
    }
    return y;
}
END
plugin masked '.hooks.block = block, .hooks.after_step = after' <<'END'
/* A mask that loses an element in each step. */
static pb_node *block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    (void)x;
    pb_node *s = pb_vector(b, site, "s", site->out, pb_init_constant(0));
    pb_node *m = pb_fixed(b, site, "mask", 1, site->out, pb_init_constant(1));
    return pb_op_add(b->graph, y, pb_op_scale(b->graph, y, pb_op_multiply(b->graph, s, m)));
}
static void after(pb_build *b, const pb_step *step)
{
    for (const pb_site *s = NULL; (s = pb_next_target(b, s));)
        pb_tensor(b, s, "mask")->x[step->step % s->out] = 0;
}
END
plugin seeded '.traits.merges = true, .hooks.linear = linear' <<'END'
/* A random projection that is made again from the seed. */
static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_node *h = pb_op_linear(b->graph, x, pb_seeded(b, site, "A", 4, site->in, pb_init_normal(0.1)), NULL);
    pb_node *up = pb_added(b, site, "B", site->out, 4, pb_init_constant(0));
    return pb_op_linear_add(b->graph, pb_inner_linear(b, site, x), h, up, 1);
}
END

# ---- the start -------------------------------------------------------------------------------------------------

plant 'LoRA begins away from the base' 'starts as the base model' lora src/model/low_rank.c \
	's/site->out, rank, pb_init_constant(0)/site->out, rank, pb_init_constant(0.01)/'
plant 'an init of the wrong variance in a method' 'random values as declared' lora src/model/low_rank.c \
	's/pb_init_kaiming(site->in)/pb_init_uniform(1.0 \/ site->in)/'
plant 'an init of the wrong variance in the engine' 'random values as declared' houlsby src/model/params.c \
	's/return (pb_init){PB_NORMAL, deviation, NULL};/return (pb_init){PB_NORMAL, deviation * deviation, NULL};/'
plant 'a wrong count formula' 'elements by the formula' lora methods/lora.c \
	's/\.count = "rank\*((freeze==0)\*in+out)/.count = "rank*((freeze==0)*in+in)/'
plant 'a count formula that is right for the defaults only' 'elements by the formula' prefix methods/prefix.c \
	's/(1-mlp)\*(length/(length/'
plant 'a prefix off by one position' 'positions behind a prefix' prefix methods/prefix.c \
	's/b->first_position += c->length;/b->first_position += c->length + 1;/'

# ---- gradients and plans ---------------------------------------------------------------------------------------

plant 'a wrong gradient behind a matrix that starts at zero' 'gradient is the slope of the loss' \
	houlsby:act=gelu_tanh src/graph/op_elem.c \
	's/n->in\[0\]->x + at, n->g + at, n->in\[0\]->g + at, n->add & 1);/&\n    for (size_t i = 0; c->act == PB_GELU_TANH \&\& i < pb_row_start(n, to) - at; i++) n->in[0]->g[at + i] *= (pb_real)1.1;/'
plant 'an op reads what it does not declare' '(backward reads what is kept|gradient is the slope of the loss)' full src/graph/op_linear.c \
	's/\.reads = {PB_IN1, PB_IN0, 0}/.reads = {PB_IN1, 0, 0}/'
plant 'a penalty with the wrong sign' 'penalties do not reward' adalora methods/adalora.c \
	's/c->orthogonality \/ (2/-c->orthogonality \/ (2/'
plant 'a hook that draws by a counter' 'bytes and FLOPs as planned' houlsby methods/adapter.c \
	's/^static pb_node \*block(/static int calls;\n&/; s/    bool off = .*/&\n    y = ++calls % 3 == 0 \&\& pb_graph_training(b->graph) ? pb_op_times(b->graph, y, 1.001) : y;/'
plant 'a full-size matrix in linear' 'one full-size matrix at a time' lora methods/lora.c \
	's/pb_node \*y = pb_low_rank_add(.*/pb_node *y = pb_op_linear(b->graph, x, pb_op_product(b->graph, B, false, A, false), NULL);\n    y = pb_op_add(b->graph, pb_inner_linear(b, site, x), y);/'

plant 'two full-size matrices alive' 'one full-size matrix at a time' said src/graph/recompute.c \
	's/note\[i\]\.remade = !s->note\[i\]\.kept/note[i].remade = false \&\& !s->note[i].kept/'

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

plant 'a step hook that writes a frozen weight' 'frozen bits stay' adalora methods/adalora.c \
	's/    int targets = pb_count_targets(b, NULL), start/    pb_next_target(b, NULL)->w->x[0] += 1e-3f;\n&/'
plant 'a stale gradient' 'a step changes what it reaches' drawn.so src/train/optim.c \
	's/opt->item\[i\].param->reached = false;/(void)opt;/'
plant 'key 0 in the plan' 'src/train/train.c:' drawn.so src/train/train.c \
	's/pb_rng_next(keys), most/0 * pb_rng_next(keys), most/'
plant 'an unkept mask' 'best epoch restored' masked.so src/train/stopping.c \
	's/return p->trainable || p->kind == PB_ADDED;/return p->trainable;/'

# ---- results ---------------------------------------------------------------------------------------------------

plant 'folding forgets the bias' 'merged equals unmerged' lora src/model/merge.c \
	's/apply(&f, 1, x, false, bias)/apply(\&f, 1, x, true, bias)/'
plant 'a method that reads the text promises to merge' 'merged equals unmerged' houlsby methods/adapter.c \
	's/\.identity = true/&, .merges = true/'
plant 'alpha / (r + 1) in linear only' 'low rank as declared' lora methods/lora.c \
	's/x, A, B, u\.scale)/x, A, B, u.scale * u.rank \/ (u.rank + 1))/'

plant 'a seeded tensor that is stored' 'saved, loaded, saved' seeded.so src/model/artifact.c \
	's/(p->kind == PB_ADDED && !p->seeded)/p->kind == PB_ADDED/'
plant 'a seed that is not saved' 'saved, loaded, saved' said src/model/artifact.c \
	's/^    m->seed = seed;/    (void)seed;/'
plant 'an index that is not saved' 'saved, loaded, saved' sparse src/model/artifact.c \
	's/    memcpy(p->index, a->data, a->bytes);/    (void)a->data;/'

[ $apply = yes ] || echo "$found found, $missed missed"
[ $missed = 0 ]
