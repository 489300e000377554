"""Random numbers of a step at a place, one for each element by its own number."""

from .._stream import Stream as Stream
from ._bernoulli import bernoulli as bernoulli
from ._binomial import binomial as binomial
from ._exponential import exponential as exponential
from ._integers import integers as integers
from ._normal import normal as normal
from ._poisson import poisson as poisson
from ._uniform import uniform as uniform
