#!/bin/bash
# Methods with one fault each, as plugins: verify must find each, by the check that is about it.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2

method() { # NAME MEMBERS: compiles NAME.so from the hooks on standard input
	{
		printf '#include "peftbench.h"\n'
		cat
		printf 'static const pb_method method = {.name = "%s", .title = "a fault", .paper = "none", .help = "none", .traits.category = PB_ADDITIVE, %s};\nPB_PLUGIN(method)\n' "$1" "$2"
	} >"$1.c"
	"${CC:-gcc}" -std=c11 -O2 -shared -fPIC -Wall -Wextra -Werror -I "$root/src" -o "$1.so" "$1.c" 2>err
}

finds() { # NAME CHECK: on the encoder and on the decoder
	run 1 verify "$1.so" && prints "^FAILED +$1 +encoder +$2" && prints "^FAILED +$1 +decoder +$2"
}

gate='static pb_node *block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    (void)x;
    return pb_op_scale(b->graph, y, pb_added(b, site, "g", 1, site->out, pb_init_constant(1)));
}
static inline pb_real *first(pb_build *b, const char *name)
{
    return pb_find_param(b, name)->x;
}
'

ok 'a right start' method right '.traits.identity = true, .hooks.block = block, .hooks.start = start' <<END2
$gate
static void start(pb_build *b, const pb_training_stats *stats)
{
    first(b, "layer.0.attn.right.g")[0] = stats->classes < 0 ? 2 : 1;
}
END2
ok 'is none' run 0 verify right.so

ok 'a start away from the base' method away '.traits.classes = true, .traits.identity = true, .hooks.block = block, .hooks.start = start' <<END2
$gate
static void start(pb_build *b, const pb_training_stats *stats)
{
    first(b, "layer.0.attn.away.g")[0] = 1 + stats->class_count[0];
}
END2
ok 'is found' finds away 'starts as the base model: .*after start'

ok 'a start that writes a frozen weight' method writes '.hooks.block = block, .hooks.start = start' <<END2
$gate
static void start(pb_build *b, const pb_training_stats *stats)
{
    first(b, "layer.1.attn.o.weight")[0] += stats->classes;
}
END2
ok 'is found' finds writes 'frozen bits stay: layer.1.attn.o.weight'

ok 'a start that depends on what ran before' method leaks '.hooks.block = block, .hooks.start = start' <<END2
$gate
static void start(pb_build *b, const pb_training_stats *stats)
{
    static int calls;
    first(b, "layer.0.attn.leaks.g")[0] = 1 + 0.01f * (pb_real)(calls++ + 0 * stats->classes);
}
END2
ok 'is found' finds leaks 'no leak between seeds'

scale='static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    return pb_op_scale(b->graph, pb_inner_linear(b, site, x), pb_added(b, site, "s", 1, site->out, pb_init_constant(1)));
}
'
ok 'a promise to merge what is not affine' method bent '.hooks.linear = outer, .traits.merges = true' <<END2
$scale
static pb_node *outer(pb_build *b, const pb_site *site, pb_node *x)
{
    return pb_op_act(b->graph, PB_GELU, linear(b, site, x));
}
END2
ok 'is found' finds bent 'merged equals unmerged'

# v [m*out], m from a setting; counted rightly and wrongly.
counted='typedef struct conf { int m; const char *targets; } conf;
static const pb_option options[] = {PB_OPTION(conf, m, INT, "2", 1, 9, ""), PB_OPTION(conf, targets, TEXT, "attn.q", ""), {0}};
static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const conf *c = pb_conf(b);
    pb_node *y = pb_inner_linear(b, site, x);
    for (int i = 0; i < c->m; i++) {
        char name[8] = {(char)(97 + i)};
        y = pb_op_scale(b->graph, y, pb_vector(b, site, name, site->out, pb_init_constant(1)));
    }
    return y;
}
'
counts() { # NAME FORMULA
	method "$1" ".traits.identity = true, .traits.merges = true, .count = \"$2\", .settings = {options, sizeof(conf)}, .hooks.linear = linear" <<<"$counted"
}
ok 'a right count' counts counted 'm*out'
ok 'is none' run 0 verify counted.so
ok 'a count that is right for the defaults only' counts miscounted '2*out'
ok 'is found' finds miscounted 'elements by the formula: with .*m=3.* the formula gives .* look at .*miscounted'
ok 'a formula with an unknown name' counts misnamed 'm*outs'
ok 'is found' finds misnamed "elements by the formula: misnamed: count, column 3: 'outs' is neither"
ok 'a plugin without a formula' method uncounted '.traits.identity = true, .hooks.block = block' <<<"$gate"
ok 'does not promise one' run 0 verify uncounted.so
ok 'it says so' prints '^not promised uncounted +encoder +elements by the formula'

# W(in,out) of random values.
random='static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_node *A = pb_added(b, site, "A", 4, site->in, pb_init_normal(0.02));
    pb_node *B = pb_added(b, site, "B", site->out, 4, pb_init_constant(0));
    return pb_op_linear_add(b->graph, pb_inner_linear(b, site, x), pb_op_linear(b->graph, x, A, NULL), B, 1);
}
'
declares() { # NAME FORMULA
	method "$1" ".traits.identity = true, .traits.merges = true, .count = \"4*(in+out)\", .deviation = \"$2\", .hooks.linear = linear" <<<"$random"
}
ok 'a declared start' declares declared '[AC]: 0.02; B: 0'
ok 'holds' run 0 verify declared.so
ok 'another one' declares wider 'B: 0; A: 1/sqrt(3*in)'
ok 'is found' finds wider 'random values as declared: layer.0.attn.q.wider.A starts with a standard deviation of 0.0[0-9]+; the method declares 0.1021'
ok 'of no tensor' declares nothing 'C: 1'
ok 'is found' finds nothing 'random values as declared: no tensor has a name'
ok 'a wrong formula' declares wrong 'B: 0; A: 1/sqrt(ins)'
ok 'is found' finds wrong "random values as declared: wrong: deviation, column 17: 'ins' is neither"
ok 'without a tensor' declares nameless '0.02'
ok 'is found' finds nameless 'random values as declared: nameless: deviation, column 1: want TENSOR:'

ok 'a tensor that trains and is not used' method unused '.hooks.linear = outer' <<END2
$scale
static pb_node *outer(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_added(b, site, "t", 1, site->in, pb_init_constant(1));
    return linear(b, site, x);
}
END2
ok 'is found' finds unused 'declared equals counted: .*look at .*unused.t'

# Structure that is drawn for each step.
drawn='static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    int which = DRAW;
    pb_node *y = pb_inner_linear(b, site, x);
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "s1" : "s0";
        pb_node *s = pb_vector(b, site, name, site->out, pb_init_constant(1));
        if (which < 0 || which == i)
            y = pb_op_scale(b->graph, y, s);
    }
    return y;
}
'
ok 'drawn structure' method drawn '.traits.identity = true, .hooks.linear = linear' <<<"#define DRAW pb_draw(b, 2)
$drawn"
ok 'is allowed' run 0 verify drawn.so
ok 'what a step does not reach is checked' prints '^ok +drawn +encoder +a step changes what it reaches'
ok 'structure by a counter' method counter '.traits.identity = true, .hooks.linear = linear' <<<"static int calls;
#define DRAW (calls++ % 5 > 2 ? 0 : -1)
$drawn"
ok 'is found' finds counter 'bytes and FLOPs as planned: built twice with one key, the graph has'
ok 'structure drawn in scoring too' method always '.traits.identity = true, .hooks.linear = linear' <<<"#define DRAW (int)(pb_mix(b->drop_key, 1) % 2)
$drawn"
ok 'is found' finds always 'scoring is the same twice: scored with another key'

ok 'dropout that scoring has too' method drops '.hooks.block = block' <<'END2'
static pb_node *block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    (void)site, (void)x;
    return pb_op_dropout(b->graph, y, 0.1, 7);
}
END2
ok 'is found' finds drops 'scoring is the same twice: the graph for scoring has dropout; pb_drop'

ok 'a full-size matrix outside of weight' method large '.traits.identity = true, .traits.merges = true, .hooks.linear = linear' <<'END2'
static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    pb_node *A = pb_added(b, site, "A", site->in, 2, pb_init_normal(0.1));
    pb_node *B = pb_added(b, site, "B", site->out, 2, pb_init_constant(0));
    pb_node *y = pb_op_linear(b->graph, x, pb_op_linear(b->graph, B, A, NULL), NULL);
    return pb_op_add(b->graph, pb_inner_linear(b, site, x), y);
}
END2
ok 'is found' finds large "one full-size matrix at a time: the operation 'linear' makes a matrix \\[32,32\\] of layer.0.attn.q.large.B and others"

# Values at places that `start` chooses.
places='static pb_node *linear(pb_build *b, const pb_site *site, pb_node *x)
{
    const int *index = pb_indices(b, site, "places", 3, site->in * site->out);
    pb_node *v = pb_vector(b, site, "values", 3, pb_init_constant(0));
    return pb_op_sparse_add(b->graph, pb_inner_linear(b, site, x), x, v, index, 0);
}
static void start(pb_build *b, const pb_training_stats *stats)
{
    (void)stats;
    for (const pb_site *s = NULL; (s = pb_next_target(b, s));)
        pb_tensor(b, s, "places")->index[2] = s->in * s->out - LAST;
}
'
ok 'places' method places '.traits.identity = true, .traits.merges = true, .hooks.linear = linear, .hooks.start = start' <<<"#define LAST 1
$places"
ok 'in their range' run 0 verify places.so
ok 'that is a check' prints '^ok +places +encoder +indices in their range$'

# A penalty on the square of a trained vector.
penalty='static pb_node *block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    (void)x;
    pb_node *s = pb_vector(b, site, "s", site->out, pb_init_constant(1));
    pb_penalty(b, pb_op_sum(b->graph, pb_op_multiply(b->graph, s, pb_vector(b, site, "t", site->out, pb_init_constant(1)))), WEIGHT);
    return pb_op_scale(b->graph, y, s);
}
'
ok 'a penalty' method penalty '.traits.identity = true, .hooks.block = block' <<<"#define WEIGHT 0.1
$penalty"
ok 'is part of the loss' run 0 verify penalty.so
ok 'and not negative' prints '^ok +penalty +encoder +penalties do not reward$'
ok 'a reward' method reward '.traits.identity = true, .hooks.block = block' <<<"#define WEIGHT -0.1
$penalty"
ok 'is found' finds reward 'penalties do not reward: at the start the penalty is -'

# A factor that the hook after a step changes, in a tensor and elsewhere.
factor='static pb_real elsewhere = 1;
static pb_node *block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    (void)x;
    pb_node *s = pb_vector(b, site, "s", site->out, pb_init_constant(1));
    pb_node *f = pb_fixed(b, site, "f", 1, site->out, pb_init_constant(1));
    y = pb_op_scale(b->graph, pb_op_scale(b->graph, y, s), f);
    return pb_op_times(b->graph, y, (double)elsewhere);
}
static void after(pb_build *b, const pb_step *step)
{
    for (const pb_site *s = NULL; (s = pb_next_target(b, s));)
        pb_tensor(b, s, "f")->x[step->step] = 0.5f;
    elsewhere += STEP;
}
'
ok 'a factor that a hook changes' method factor '.traits.identity = true, .hooks.block = block, .hooks.after_step = after' <<<"#define STEP 0
$factor"
ok 'is restored' run 0 verify factor.so
ok 'one that is in no tensor' method hidden '.hooks.block = block, .hooks.after_step = after' <<<"#define STEP 0.1f
$factor"
ok 'is found' finds hidden 'best epoch restored: .*though all tensors are the same'

# s * (W x)^2 with s = 0 at the start; the gradient of the square is 10 % too large.
square='static int shape(pb_node *n)
{
    n->rows = n->in[0]->rows;
    n->cols = n->in[0]->cols;
    n->set = n->in[0]->set;
    return 0;
}
static void forward(const pb_node *n, int from, int to, pb_real *scratch)
{
    (void)scratch;
    for (int i = from * n->cols; i < to * n->cols; i++)
        n->x[i] = n->in[0]->x[i] * n->in[0]->x[i];
}
static void backward(const pb_node *n, unsigned want, int from, int to, pb_real *scratch)
{
    (void)want, (void)scratch;
    for (int i = from * n->cols; i < to * n->cols; i++)
        n->in[0]->g[i] = (n->add & 1 ? n->in[0]->g[i] : 0) + FACTOR * n->in[0]->x[i] * n->g[i];
}
static const pb_op op = {.name = "square", .aligned = 1, .reads = {PB_IN0}, .shape = shape, .forward = forward, .backward = backward};
static pb_node *block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
{
    (void)x;
    pb_node *w = pb_added(b, site, "w", site->out, site->in, pb_init_normal(0.1));
    pb_node *h = pb_graph_apply(b->graph, &op, NULL, pb_op_linear(b->graph, y, w, NULL), NULL, NULL, NULL);
    return pb_op_add(b->graph, y, pb_op_scale(b->graph, h, pb_added(b, site, "s", 1, site->out, pb_init_constant(0))));
}
'
ok 'a right gradient' method square '.hooks.block = block' <<<"#define FACTOR 2
$square"
ok 'is none' run 0 verify square.so
ok 'a wrong gradient behind a scale that starts as 0' method cube '.hooks.block = block' <<<"#define FACTOR 2.2f
$square"
ok 'is found' finds cube 'gradient is the slope of the loss: .*cube.w'
finish
