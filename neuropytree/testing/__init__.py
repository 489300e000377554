"""For those who test models, their own or ours."""

from ._bank import channel_bank as channel_bank
from ._bank import connector_bank as connector_bank
from ._bank import fractional_stepper_bank as fractional_stepper_bank
from ._bank import neuron_bank as neuron_bank
from ._bank import node_bank as node_bank
from ._bank import sde_stepper_bank as sde_stepper_bank
from ._bank import stepper_bank as stepper_bank
from ._bank import surrogate_bank as surrogate_bank
from ._bank import synapse_bank as synapse_bank
from ._check_op import OperatorError as OperatorError
from ._check_op import check_op as check_op
