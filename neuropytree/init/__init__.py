"""Rules for initial values and weights."""

from ._base import AbstractInitializer as AbstractInitializer
from ._base import values as values
from ._constant import Constant as Constant
from ._normal import Normal as Normal
from ._uniform import Uniform as Uniform
