#!/usr/bin/env python3
"""make_randperm: places that torch draws by a seed, for tests/model/test_places.c.

    DIR/bin/python tests/parity/make_randperm.py > tests/golden/randperm.txt

A line for each case: the seed, n, how many of the places follow, and these: the first of
torch.randperm(n, generator=torch.Generator().manual_seed(seed)), as FourierFT and WaveFT of PEFT draw them.
"""
import torch

for seed in (777, 0, 5, 2**31 - 1):
    for n, count in ((1, 1), (2, 2), (7, 7), (256, 256), (1000, 700), (768 * 768, 40), (11008 * 4096, 12)):
        places = torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:count]
        print(seed, n, count, *places.tolist())
