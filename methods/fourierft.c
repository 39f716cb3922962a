/* fourierft: W' = W + s * Re(IDFT2(F)), where F [out,in] has n trained coefficients c at random places and is 0
 * elsewhere.  Weights of one shape share the places, which are drawn by a seed as PEFT draws them and are stored
 * nowhere. */
#include "peftbench.h"

PB_SETTINGS(INT(places, "1000", 1, 1 << 24, "n, the coefficients of a weight, or all that it has"),
            TEXT(places_pattern, "", "those of single projections: \"mlp.*=400 0.attn.q=2000\""),
            INT(places_seed, "777", 0, INT32_MAX, "of the places, which the run's seed does not change"),
            REAL(scale, "150", 1e-9, 1e6, "s, the factor of the change"),
            REAL(init, "1", 0, 1e6, "standard deviation of the coefficients at the start"),
            CHOICE(basis, "fourier", "fourier|haar", "of the spectrum: waves, or Haar wavelets of one level"),
            TEXT(targets, "attn.q attn.v attn.qkv", "projections to adapt"));

static pb_node *weight(pb_build *b, const pb_site *site, pb_node *w)
{
    const conf *c = pb_conf(b);
    long long all = (long long)site->in * site->out;
    int n = (int)fmin(pb_at_site(c->places_pattern, site, c->places), (double)all);
    const int *places = pb_torch_places(b, c->places_seed, n, all);
    if (!places)
        return NULL;
    pb_node *v = pb_op_times(b->graph, pb_added(b, site, "c", 1, n, pb_init_normal(c->init)), c->scale);
    pb_basis basis = c->basis ? PB_HAAR : PB_FOURIER;
    return pb_op_add(b->graph, pb_op_spectrum(b->graph, v, places, site->out, site->in, basis), w);
}

/* Of both types. */
static const pb_peft_key keys[] = {{"n_frequency", "places", "n_frequency_pattern", "places_pattern", .rows = true},
                                   {"random_loc_seed", "places_seed"},
                                   {"scaling", "scale"},
                                   {0}};

const pb_method pb_method_fourierft = {
    .name = "fourierft",
    .title = "FourierFT: few coefficients of the Fourier transform",
    .paper = "Gao et al. 2024, FourierFT, arXiv:2405.03003",
    .help = "Changes each weight by a matrix with few trained places in its spectrum.",
    .equation = "W' = W + s * Re(IDFT2(F)),  F[place_i] = c_i",
    .notes = "The coefficients start as standard normal numbers, as in the paper, so the first outputs are not the "
             "base model's; init=0 starts there.  They are real, so the change is even: element (-i,-j), with indices "
             "modulo the sides, equals element (i,j).  The places are uniform, without the paper's optional preference "
             "for low frequencies.  PEFT does not save them but draws them again by its random_loc_seed, here "
             "places_seed; they are drawn here as PEFT 0.21.2 draws them with torch 2.15 on a CPU.",
    .count = "min(places, in*out)",
    .deviation = "c: init",
    .traits = {PB_REPARAMETRIZATION, .merges = true},
    .settings = {options, sizeof(conf), "places"},
    .presets = PB_PRESETS({"waveft", "WaveFT: few coefficients of the wavelet transform",
                           "Bilican et al. 2025, WaveFT, arXiv:2505.12532", "basis=haar,places=2592,scale=25,init=0",
                           "The Haar transform has one level, as in PEFT (wavelet db1), whose n and scale these are; "
                           "the sides of PEFT's other wavelet families are left out, and its adapters of those, of "
                           "use_idwt = false and of proportional_parameters are not read."}),
    .hooks = {.weight = weight},
    .peft = PB_PEFT("FOURIERFT", PB_PEFT_TENSORS({"c", "fourierft_spectrum", "cols"}), keys,
                    .loaded = PB_PEFT_TENSORS({"basis", "fourier"}), .fixed = PB_PEFT_NO_BIAS,
                    .other = PB_PEFT("WAVEFT", PB_PEFT_TENSORS({"c", "waveft_spectrum", "cols"}), keys,
                                     .loaded = PB_PEFT_TENSORS({"basis", "haar"}),
                                     .fixed = PB_PEFT_NO_BIAS ", \"wavelet_family\": \"db1\"")),
};
