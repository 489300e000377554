"""Sparse, event-driven operators with every JAX transformation."""

from ._common import implementation as implementation
from ._compact import CompactEvents as CompactEvents
from ._compact import compact as compact
from ._compact import csr_matvec_compact as csr_matvec_compact
from ._csc import csr_to_csc as csr_to_csc
from ._csr import csr_matmat as csr_matmat
from ._csr import csr_matvec as csr_matvec
from ._csr import csr_outer as csr_outer
from ._csr import csr_outer_matmat as csr_outer_matmat
from ._csr import csr_transposed_matmat as csr_transposed_matmat
from ._csr import csr_transposed_matvec as csr_transposed_matvec
from ._ffi import export_checks as export_checks
from ._ffi import fence as fence
from ._plasticity import csr_add_on_post as csr_add_on_post
from ._plasticity import csr_add_on_pre as csr_add_on_pre
