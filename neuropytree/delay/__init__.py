"""Delays: in steps, and the lines on which messages wait."""

from ._line import History as History
from ._line import Line as Line
from ._steps import check_delay as check_delay
from ._steps import delay_steps as delay_steps
