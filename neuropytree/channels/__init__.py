"""Ion channels: gates, and the currents that they let through."""

from ._base import AbstractChannel as AbstractChannel
from ._base import AbstractOhmic as AbstractOhmic
from ._gates import alpha_beta as alpha_beta
from ._gates import inf_tau as inf_tau
from ._gates import q10 as q10
from ._leak import IL as IL
from ._leak import IKLeak as IKLeak
from ._sodium import INa_Ba2002 as INa_Ba2002
from ._sodium import INa_HH1952 as INa_HH1952
from ._sodium import INa_TM1991 as INa_TM1991
