"""Neurons: named constructors of a few composable parts."""

from ._exact import exact_spikes as exact_spikes
from ._lif import LIF as LIF
from ._membrane import AbstractMembrane as AbstractMembrane
from ._membrane import LeakyMembrane as LeakyMembrane
from ._membrane import Voltage as Voltage
from ._point import PointNeuron as PointNeuron
from ._point import PointNeuronState as PointNeuronState
from ._spiking import AbstractReset as AbstractReset
from ._spiking import HardReset as HardReset
from ._spiking import Refractory as Refractory
from ._spiking import SoftReset as SoftReset
from ._spiking import Threshold as Threshold
