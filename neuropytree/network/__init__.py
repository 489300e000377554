"""Populations, projections, and the network that they make."""

from ._network import Network as Network
from ._network import NetworkState as NetworkState
from ._population import Population as Population
from ._population import PopulationState as PopulationState
from ._projection import Projection as Projection
