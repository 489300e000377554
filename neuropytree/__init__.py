"""Brain dynamics and spiking networks as plain JAX pytrees."""

from . import channels as channels
from . import connect as connect
from . import delay as delay
from . import init as init
from . import integrate as integrate
from . import ions as ions
from . import measure as measure
from . import neurons as neurons
from . import ops as ops
from . import random as random
from . import surrogate as surrogate
from . import synapses as synapses
from . import visualize as visualize
from ._types import AbstractDynamics as AbstractDynamics
from ._types import Drive as Drive
from ._types import Tick as Tick
from ._types import fold_key as fold_key
from .network import Network as Network
from .network import Population as Population
from .network import Projection as Projection
from .simulate import Solution as Solution
from .simulate import simulate as simulate
from .synapses import Receptor as Receptor
