"""Numbers drawn from recordings."""

from ._rates import firing_rate as firing_rate
from ._rates import isi_cv as isi_cv
