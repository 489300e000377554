"""Synapses: the kinetics of a receptor, and what it does to the membrane."""

from ._exponential import Exponential as Exponential
from ._exponential import ExponentialState as ExponentialState
from ._kinetics import AbstractKinetics as AbstractKinetics
from ._outputs import COBA as COBA
from ._outputs import CUBA as CUBA
from ._outputs import AbstractOutput as AbstractOutput
from ._receptor import Receptor as Receptor
