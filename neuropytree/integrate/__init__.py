"""Steppers: how the smooth part of a model is advanced by one step of the clock."""

from ._base import AbstractField as AbstractField
from ._base import AbstractStepper as AbstractStepper
from ._base import Linear as Linear
from ._base import Relaxation as Relaxation
from ._diffrax import Diffrax as Diffrax
from ._euler_maruyama import EulerHeun as EulerHeun
from ._euler_maruyama import EulerMaruyama as EulerMaruyama
from ._euler_maruyama import StochasticHeun as StochasticHeun
from ._explicit import RK4 as RK4
from ._explicit import Euler as Euler
from ._exponential import ExponentialEuler as ExponentialEuler
from ._exponential import ExponentialEulerMaruyama as ExponentialEulerMaruyama
from ._milstein import KlPl as KlPl
from ._milstein import Milstein as Milstein
from ._milstein import MilsteinGradFree as MilsteinGradFree
from ._noise import AbstractSDEStepper as AbstractSDEStepper
from ._noise import GeneralNoise as GeneralNoise
from ._noise import ScalarNoise as ScalarNoise
from ._srk import SRK1W1 as SRK1W1
from ._srk import SRK2W1 as SRK2W1
