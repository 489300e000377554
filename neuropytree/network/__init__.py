"""Nodes, projections, and the network that they make."""

from ._layer import Layer as Layer
from ._layer import LayerState as LayerState
from ._network import Network as Network
from ._network import NetworkState as NetworkState
from ._pathway import AbstractPathway as AbstractPathway
from ._pathway import NodeView as NodeView
from ._pathway import Pathway as Pathway
from ._population import Population as Population
from ._population import PopulationState as PopulationState
from ._projection import Projection as Projection
from ._substeps import Substeps as Substeps
from ._substeps import SubstepsState as SubstepsState
