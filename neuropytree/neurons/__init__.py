"""Neurons: named constructors of a few composable parts."""

from ._base import AbstractNeuron as AbstractNeuron
from ._conductance import ConductanceCell as ConductanceCell
from ._conductance import ConductanceMembrane as ConductanceMembrane
from ._conductance import ConductanceState as ConductanceState
from ._crossing import Crossing as Crossing
from ._lif import LIF as LIF
from ._membrane import AbstractMembrane as AbstractMembrane
from ._membrane import LeakyMembrane as LeakyMembrane
from ._membrane import Voltage as Voltage
from ._point import PointNeuron as PointNeuron
from ._point import PointNeuronState as PointNeuronState
from ._refractory import Refractory as Refractory
from ._refractory import RelativeRefractory as RelativeRefractory
from ._reset import AbstractJump as AbstractJump
from ._reset import AbstractReset as AbstractReset
from ._reset import HardReset as HardReset
from ._reset import Jump as Jump
from ._reset import SoftReset as SoftReset
from ._reset import VoltageChange as VoltageChange
from ._threshold import AbstractThreshold as AbstractThreshold
from ._threshold import AdaptiveThreshold as AdaptiveThreshold
from ._threshold import StateThreshold as StateThreshold
from ._threshold import Threshold as Threshold
