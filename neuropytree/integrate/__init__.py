"""Steppers, which advance the smooth part of a model by one step of the clock; and a solve that lands on events."""

from ._base import AbstractField as AbstractField
from ._base import AbstractStepper as AbstractStepper
from ._base import Linear as Linear
from ._base import Relaxation as Relaxation
from ._diffrax import Diffrax as Diffrax
from ._explicit import RK4 as RK4
from ._explicit import Euler as Euler
from ._exponential import ExponentialEuler as ExponentialEuler
from ._exponential import ExponentialEulerMaruyama as ExponentialEulerMaruyama
from ._hybrid import HybridSolution as HybridSolution
from ._hybrid import hybrid_solve as hybrid_solve
