"""Ions: concentrations and reversal potentials that the channels of a cell share."""

from ._base import AbstractIon as AbstractIon
from ._base import Pool as Pool
from ._base import nernst as nernst
from ._calcium import CalciumDetailed as CalciumDetailed
from ._calcium import CalciumFirstOrder as CalciumFirstOrder
from ._fixed import CalciumFixed as CalciumFixed
from ._fixed import FixedIon as FixedIon
from ._fixed import PotassiumFixed as PotassiumFixed
from ._fixed import SodiumFixed as SodiumFixed
