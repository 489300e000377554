"""Pictures, with Matplotlib (extra `viz`)."""

from ._raster import raster_plot as raster_plot
from ._raster import rate_plot as rate_plot
