"""Sparse, event-driven operators with every JAX transformation."""

from ._common import implementation as implementation
from ._csc import csr_to_csc as csr_to_csc
from ._csr import csr_matmat as csr_matmat
from ._csr import csr_matvec as csr_matvec
from ._csr import csr_outer as csr_outer
from ._csr import csr_outer_matmat as csr_outer_matmat
from ._csr import csr_transposed_matmat as csr_transposed_matmat
from ._csr import csr_transposed_matvec as csr_transposed_matvec
from ._ffi import fence as fence
from ._jit import jit_dense as jit_dense
from ._jit import jit_matmat as jit_matmat
from ._jit import jit_matvec as jit_matvec
from ._jit import jit_outer as jit_outer
from ._jit import jit_outer_matmat as jit_outer_matmat
from ._jit import jit_transposed_matmat as jit_transposed_matmat
from ._jit import jit_transposed_matvec as jit_transposed_matvec
from ._random import counter_bernoulli as counter_bernoulli
from ._random import counter_bits as counter_bits
from ._random import counter_exponential as counter_exponential
from ._random import counter_integers as counter_integers
from ._random import counter_normal as counter_normal
from ._random import counter_uniform as counter_uniform
