"""Parameters of the eight firing patterns of Naud, Marcille, Clopath & Gerstner 2008, doi:10.1007/s00422-008-0264-7.

Capacitance (pF), leak (nS), its reversal (mV), onset and sharpness of the upswing (mV), a (nS), tau_w (ms), b (pA),
reset (mV), current (pA). Those of delayed regular bursting to irregular spiking are as corrected to match the figures.
"""

COLUMNS = ("c_m", "g_l", "e_l", "v_t", "delta_t", "a", "tau_w", "b", "v_reset", "current")
PATTERNS = {
    "tonic spiking": (200, 10, -70, -50, 2, 2, 30, 0, -58, 500),
    "adaptation": (200, 12, -70, -50, 2, 2, 300, 60, -58, 500),
    "initial burst": (130, 18, -58, -50, 2, 4, 150, 120, -50, 400),
    "regular bursting": (200, 10, -58, -50, 2, 2, 120, 100, -46, 210),
    "delayed accelerating": (200, 12, -70, -50, 2, -10, 300, 0, -58, 300),
    "delayed regular bursting": (100, 10, -65, -50, 2, -10, 90, 30, -47, 110),
    "transient spiking": (100, 10, -65, -50, 2, 10, 90, 100, -47, 180),
    "irregular spiking": (100, 12, -60, -50, 2, -11, 130, 30, -48, 160),
}
V_PEAK = 0.0
DURATION = 500.0
