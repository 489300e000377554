"""Synapses: the kinetics of a receptor, what it does to the membrane, and what is sent in the place of spikes."""

from ._delta import Delta as Delta
from ._direct import Direct as Direct
from ._direct import DirectState as DirectState
from ._emitter import AbstractEmitter as AbstractEmitter
from ._exponential import Exponential as Exponential
from ._exponential import ExponentialState as ExponentialState
from ._kinetics import AbstractKinetics as AbstractKinetics
from ._outputs import COBA as COBA
from ._outputs import CUBA as CUBA
from ._outputs import AbstractOutput as AbstractOutput
from ._receptor import Receptor as Receptor
