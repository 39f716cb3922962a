#!/bin/bash
# Methods whose hooks fail, as plugins: each is refused with a message that names the method, and nothing aborts.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2

method() { # NAME TARGETS MEMBERS: compiles NAME.so from the hooks on standard input
	{
		cat <<-END
			#include <math.h>
			#include "peftbench.h"
			typedef struct conf {
			    int samples;
			    const char *targets;
			} conf;
			static const pb_option options[] = {PB_OPTION(conf, samples, INT, "4", 1, 99, ""),
			                                    PB_OPTION(conf, targets, TEXT, "$2", ""), {0}};
			static inline pb_node *scale(pb_build *b, const pb_site *site, pb_node *y)
			{
			    return pb_op_scale(b->graph, y, pb_vector(b, site, "l", site->out, pb_init_constant(1)));
			}
			static inline pb_param *first(pb_build *b, const char *name)
			{
			    return pb_tensor(b, pb_next_target(b, NULL), name);
			}
		END
		cat
		printf 'static const pb_method method = {.name = "%s", .title = "a fault", .paper = "none", .help = "none", .traits.category = PB_ADDITIVE, .settings = {options, sizeof(conf)}, %s};\nPB_PLUGIN(method)\n' "$1" "$3"
	} >"$1.c"
	"${CC:-gcc}" -std=c11 -O2 -shared -fPIC -Wall -Wextra -Wno-unused-parameter -Werror -I "$root/src" -o "$1.so" "$1.c" 2>err
}
refused() { # NAME MESSAGE
	run 2 verify "$1.so" && grep -qE "$2" err
}
linear='static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)'
after='static void after(pb_build *b, const pb_step *at)'
start='static void start(pb_build *b, const pb_training_stats *stats)'
scaled="$linear { return scale(b, site, pb_inner_linear(b, site, x)); }"

# ---- what a hook returns ---------------------------------------------------------------------------------------------
null() { # NAME TARGETS HOOK ARGUMENTS: a hook that returns NULL
	ok "$3 returns NULL" method "$1" "$2" ".hooks.$3 = hook" <<<"static pb_node *hook(pb_build *b, $4) { return NULL; }"
	ok 'is refused' refused "$1" "$1: the hook .$3.* returns NULL without an error"
}
null nw attn.q weight 'const pb_site *site, pb_node *w'
null nl attn.q linear 'const pb_site *site, pb_node *x'
null na attn attention 'const pb_site *site, pb_node *q, pb_node *k, pb_node *v'
null nb layer block 'const pb_site *site, pb_node *x, pb_node *y'
null ne layer embed 'pb_node *x'
null ng layer logits 'pb_node *x'
null nc layer consistency 'pb_node *one, pb_node *two'
ok 'two columns of a projection' method narrow attn.q '.hooks.linear = linear' <<<"$linear { return pb_op_columns(b->graph, pb_inner_linear(b, site, x), 0, 2); }"
ok 'are refused' refused narrow 'narrow: the hook `linear` at 0.attn.q returns a node \[1,2\], want \[1,32\]'
ok 'shapes that do not fit' method misfit attn.q '.hooks.linear = linear' <<<"$linear { return pb_op_add(b->graph, pb_inner_linear(b, site, x), pb_op_columns(b->graph, x, 0, 2)); }"
ok 'are refused with the hook' refused misfit 'misfit: the hook `linear` at 0.attn.q: add: \[1,32\] \+ \[1,2\] do not fit'
ok 'an error, and a node' method both attn.q '.hooks.linear = linear' <<<"$linear { pb_error(\"both: no\"); return pb_inner_linear(b, site, x); }"
ok 'is refused' refused both 'both: no'
ok 'a projection that the network lacks' method lacks attn '.hooks.attention = attention' <<<'static pb_node *attention(pb_build *b, const pb_site *site, pb_node *q, pb_node *k, pb_node *v)
{ return pb_inner_attention(b, site, pb_project(b, site, "attn.qkv", q), k, v); }'
ok 'is refused' refused lacks "lacks: no projection 'attn.qkv' in layer 0"

# ---- tensors -----------------------------------------------------------------------------------------------------------
ok 'a tensor that is not in the first graph' method late attn.q '.hooks.linear = linear' <<<"$linear { pb_node *y = pb_inner_linear(b, site, x); return pb_draw(b, 2) < 0 ? y : scale(b, site, y); }"
ok 'is refused' refused late 'layer.0.attn.q.late.l: created after the first graph'
ok 'numbers that are not in the first graph' method keeps attn.q '.hooks.linear = linear' <<<"$linear { if (pb_draw(b, 2) >= 0) pb_state(b, site, \"s\", 4); return pb_inner_linear(b, site, x); }"
ok 'are refused' refused keeps 'layer.0.attn.q.keeps.s: created after the first graph'
ok 'one name with two shapes' method shapes 'mlp.up mlp.down' '.hooks.linear = linear' <<<"$linear { return pb_op_scale(b->graph, pb_inner_linear(b, site, x), pb_vector(b, NULL, \"l\", site->out, pb_init_constant(1))); }"
ok 'is refused' refused shapes 'shapes.l: \[1,[0-9]+\] here, but \[1,[0-9]+\] where it was created'
ok 'a rate of what does not train' method rate attn.q '.hooks.linear = linear' <<<"$linear { return pb_op_scale(b->graph, pb_inner_linear(b, site, x), pb_rated(pb_fixed(b, site, \"f\", 1, site->out, pb_init_constant(1)), 2)); }"
ok 'is refused' refused rate "'layer.0.attn.q.rate.f' is no tensor of pb_added"

# ---- hooks without a graph ---------------------------------------------------------------------------------------------
ok 'a start that is not a number' method nan attn.q '.hooks.linear = linear, .hooks.start = start' <<<"$scaled $start { first(b, \"l\")->x[1] = (pb_real)NAN; }"
ok 'is refused' refused nan 'nan: start: layer.0.attn.q.nan.l: element 1 is -?nan'
ok 'a place that there is not' method place attn.q '.hooks.linear = linear, .hooks.start = start' <<<"$linear { pb_indices(b, site, \"p\", 4, 9); return pb_inner_linear(b, site, x); } $start { first(b, \"p\")->index[3] = 9; }"
ok 'is refused' refused place 'place: start: layer.0.attn.q.place.p: integer 3 is 9, want 0..8'
ok 'a start that fails' method fails attn.q '.hooks.linear = linear, .hooks.start = start' <<<"$scaled $start { pb_error(\"no start\"); }"
ok 'is refused' refused fails 'fails: start: no start'
ok 'a step that fails' method step attn.q '.hooks.linear = linear, .hooks.after_step = after' <<<"$scaled $after { if (at->step) pb_error(\"step: no more\"); }"
ok 'is refused' refused step 'step: no more'
ok 'statistics' method stats attn.q '.hooks.linear = linear, .hooks.asks = asks' <<<"$scaled static unsigned asks(const void *c) { return PB_ASK_INPUTS; }"
sed 's/PB_OPTION(conf, samples,[^)]*), *//; s/^ *PB_OPTION(conf, samples.*$//' stats.c | sed 's/"stats"/"unsure"/' >unsure.c
ok 'without a number of samples' "${CC:-gcc}" -std=c11 -O2 -shared -fPIC -I "$root/src" -o unsure.so unsure.c
ok 'are refused' refused unsure 'unsure.so: the method asks for statistics; want an integer setting `samples`'
finish
