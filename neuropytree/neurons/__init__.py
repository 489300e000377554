"""Neurons: named constructors of a few composable parts."""

from ._base import AbstractNeuron as AbstractNeuron
from ._conductance import ConductanceCell as ConductanceCell
from ._conductance import ConductanceMembrane as ConductanceMembrane
from ._conductance import ConductanceState as ConductanceState
from ._connor_stevens import ConnorStevens as ConnorStevens
from ._crossing import Crossing as Crossing
from ._hh import HH as HH
from ._lif import LIF as LIF
from ._membrane import AbstractMembrane as AbstractMembrane
from ._membrane import LeakyMembrane as LeakyMembrane
from ._membrane import Voltage as Voltage
from ._morris_lecar import MorrisLecar as MorrisLecar
from ._point import PointNeuron as PointNeuron
from ._point import PointNeuronState as PointNeuronState
from ._spiking import AbstractReset as AbstractReset
from ._spiking import HardReset as HardReset
from ._spiking import Refractory as Refractory
from ._spiking import SoftReset as SoftReset
from ._spiking import Threshold as Threshold
from ._thalamic_relay import ThalamicRelay as ThalamicRelay
from ._traub_miles import TraubMiles as TraubMiles
from ._wang_buzsaki import WangBuzsaki as WangBuzsaki
