"""Sparse, event-driven operators with every JAX transformation."""

from ._common import implementation as implementation
from ._csr import csr_matvec as csr_matvec
from ._csr import csr_outer as csr_outer
from ._csr import csr_transposed_matvec as csr_transposed_matvec
from ._ffi import export_checks as export_checks
from ._ffi import fence as fence
