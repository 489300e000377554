"""What is recorded of a run, and where it goes."""

from ._events import EventList as EventList
from ._events import Events as Events
from ._npy import Blocks as Blocks
from ._npy import NpyBlocks as NpyBlocks
from ._npy import load as load
from ._probe import Probe as Probe
from ._sink import About as About
from ._sink import AbstractSink as AbstractSink
