"""Delays, counted in whole steps."""

from ._ring_buffer import RingBuffer as RingBuffer
from ._ring_buffer import check_delay as check_delay
from ._ring_buffer import delay_steps as delay_steps
