"""Nodes that send without receiving."""

from ._poisson import Poisson as Poisson
from ._spike_times import SpikeTimes as SpikeTimes
from ._spike_times import SpikeTimesState as SpikeTimesState
