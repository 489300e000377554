"""The constants of the counter-based generator, for Taichi and for JAX: one place, so that both give the same bits.

Everything is integer arithmetic, and the last step an exact scaling to floating point. So no compiler can
change a bit, whatever it contracts or reorders.
"""

# Philox-2x32 (Salmon et al. 2011, doi:10.1145/2063384.2063405): the fewest rounds that pass BigCrush are seven
ROUNDS = 7
MULTIPLIER = 0xD256D193
WEYL = 0x9E3779B9

# Philox-4x32 of the same paper, with as many rounds
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYLS = (0x9E3779B9, 0xBB67AE85)

# SplitMix64 (Steele et al. 2014, doi:10.1145/2660193.2660195), as upper and lower half of each constant
STEP = (0x9E3779B9, 0x7F4A7C15)
MIX = ((0xBF58476D, 0x1CE4E5B9), (0x94D049BB, 0x133111EB))

LN2 = 93032640  # times 2^27
# ln 2 - ln(1 + t) for t from 0 to 1, in powers of y = 2 t - 1, highest first, times 2^30; error below 1e-8
LOG = (-7870, 25801, -68224, 240557, -884599, 3315823, -13255915, 59652094, -357913949, 308896278)
# With w = -ln(1 - x^2), the normal quantile of (1 + x) / 2 is x R(w). R in powers of y = (w - middle) / half, highest
# first, times 2^28, as (largest w, middle, log2 of half, coefficients); error below 6e-8
QUANTILE = (
    (4, 2, 1, (-1942, 6353, 14857, -118088, 92334, 1311479, -5139097, -2988610, 189636440, 522825410)),
    (12, 8, 2, (-2746, 41435, -143415, 257902, -183856, -868608, 5965471, -30706321, 267798608, 1010348802)),
    (22, 20, 3, (0, -29046, 14313, -141794, 441068, -1635072, 6716982, -34190920, 343014946, 1638691406)),
)

# Connections made just in time: rounds that permute the columns of a block, and bits from the key of one to the next
SHUFFLES, TURN = 6, 10

# Counts with a mean below it are found by adding up probabilities, others by transformed rejection: Hörmann's PTRS
# (1993, doi:10.1016/0167-6687(93)90997-4) and BTRS (1993, doi:10.1080/00949659308811496). As published, the hat of
# PTRS is up to 0.5 % below the law here and there. So it is 0.6 % higher here, and what is surely below the law, less.
FEW = 32.0
PTRS = (0.931, 2.53, -0.059, 0.02483, 0.43, 0.9207, 3.6224, 2.0, 1.1306, 1.1396, 3.4)
BTRS = (1.15, 2.53, -0.0873, 0.0248, 0.01, 0.5, 0.92, 4.2, 2.83, 5.1)
SQUEEZE, EDGE = 0.07, 0.013  # of the distance to the ends of the hat
STIRLING = (1 / 12, 1 / 360, 1 / 1260)
TWO_PI = 6.283185307179586
MOST = 2.0**30  # the largest mean: counts are int32
# By how much the probability of no event is made larger, which is more than it may be too small by rounding: so the
# probabilities add up to one, and a count is found for every word
MARGIN = 1 + 2.0**-46
