"""Spike functions: a step forward, a smooth stand-in backward."""

from ._base import AbstractSurrogate as AbstractSurrogate
from ._piecewise_exp import PiecewiseExp as PiecewiseExp
from ._sigmoid import Sigmoid as Sigmoid
