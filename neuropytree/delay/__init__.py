"""Delays: in steps, and the lines on which messages wait."""

from ._line import History as History
from ._line import Line as Line
from ._line import check_line as check_line
from ._steps import check_delay as check_delay
from ._steps import delay_steps as delay_steps
