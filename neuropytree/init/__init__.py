"""Rules for initial values and weights."""

from .._rule import AbstractInitializer as AbstractInitializer
from ._base import values as values
from ._constant import Constant as Constant
from ._draw import draw as draw
from ._normal import Normal as Normal
from ._uniform import Uniform as Uniform
