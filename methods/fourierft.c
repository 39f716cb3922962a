/* fourierft: W' = W + s * Re(IDFT2(F)), where F [out,in] has n trained coefficients c at random places and is 0
 * elsewhere.  Weights of one shape share the places, which are drawn from the run's seed and are stored nowhere. */
#include "peftbench.h"

typedef struct conf {
    int places, basis;
    double scale, init;
    const char *targets;
} conf;

static const pb_option options[] = {
    PB_OPTION(conf, places, INT, "0", 0, 1 << 24,
              "n, the coefficients of a weight; 0: 1000 (haar: 2592), or all it has"),
    PB_OPTION(conf, scale, REAL, "150", 0, 1e6, "s, the factor of the change"),
    PB_OPTION(conf, init, REAL, "1", 0, 1e6, "standard deviation of the coefficients at the start"),
    PB_OPTION(conf, basis, CHOICE, "fourier", "fourier|haar", "of the spectrum: waves, or Haar wavelets of one level"),
    PB_OPTION(conf, targets, TEXT, "attn.q attn.v attn.qkv", "projections to adapt"),
    {0},
};

/* n at a site; the papers' if the setting leaves it open. */
static int places_of(const conf *c, int all)
{
    int usual = c->basis ? 2592 : 1000;
    return c->places ? c->places : usual < all ? usual : all;
}

static pb_node *weight(pb_build *b, const pb_site *site, pb_node *w)
{
    const conf *c = pb_conf(b);
    int all = site->in * site->out, n = places_of(c, all);
    if (n > all) {
        pb_error("fourierft: places: want at most %d, the elements of %s [%d,%d], got %d", all, site->role, site->out,
                 site->in, n);
        return NULL;
    }
    const int *places = pb_seeded_indices(b, NULL, "places", n, all);
    pb_node *v = pb_op_times(b->graph, pb_added(b, site, "c", 1, n, pb_init_normal(c->init)), c->scale);
    pb_basis basis = c->basis ? PB_HAAR : PB_FOURIER;
    return pb_op_add(b->graph, pb_op_spectrum(b->graph, v, places, site->out, site->in, basis), w);
}

static const pb_preset presets[] = {
    {"waveft", "WaveFT: few coefficients of the wavelet transform", "Bilican et al. 2025, WaveFT, arXiv:2505.12532",
     "basis=haar,scale=25,init=0",
     "The Haar transform has one level, as in PEFT (wavelet db1), whose n and scale these are; the sides of PEFT's "
     "other wavelet families are left out."},
    {0},
};

const pb_method pb_method_fourierft = {
    .name = "fourierft",
    .title = "FourierFT: few coefficients of the Fourier transform",
    .paper = "Gao et al. 2024, FourierFT, arXiv:2405.03003",
    .help = "Changes each weight by a matrix with few trained places in its spectrum.",
    .equation = "W' = W + s * Re(IDFT2(F)),  F[place_i] = c_i",
    .notes =
        "The coefficients start as standard normal numbers, as in the paper, so the first outputs are not the base "
        "model's; init=0 starts there.  They are real, so the change is even: element (-i,-j), with indices modulo the "
        "sides, equals element (i,j).  The places are uniform, without the paper's optional preference for low "
        "frequencies.  PEFT draws them with its own generator and does not save them, so its adapters are not "
        "read.",
    .count = "places + (places==0)*min(in*out, 1000 + basis*1592)",
    .deviation = "c: init",
    .category = PB_REPARAMETRIZATION,
    .merges = true,
    .options = options,
    .conf_size = sizeof(conf),
    .size = "places",
    .presets = presets,
    .weight = weight,
};
