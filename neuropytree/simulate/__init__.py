"""Running a model, and recording it."""

from ._simulate import Solution as Solution
from ._simulate import simulate as simulate
