"""Who is connected to whom: rules, and the linear operators that they make."""

from ._base import AbstractConnectivity as AbstractConnectivity
from ._base import AbstractConnector as AbstractConnector
from ._base import Weight as Weight
from ._block import Block as Block
from ._block import from_bsr as from_bsr
from ._check import check as check
from ._csr import CSR as CSR
from ._dense import AllToAll as AllToAll
from ._dense import Dense as Dense
from ._dense import Diagonal as Diagonal
from ._dense import OneToOne as OneToOne
from ._embedded import Embedded as Embedded
from ._embedded import embedded as embedded
from ._fixed_prob import FixedProb as FixedProb
from ._from import from_coo as from_coo
from ._from import from_scipy as from_scipy
from ._impl import with_impl as with_impl
from ._jit import JIT as JIT
from ._jit import JITFixedProb as JITFixedProb
