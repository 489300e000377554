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
