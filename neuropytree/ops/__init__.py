"""Sparse, event-driven operators with every JAX transformation."""

from ._common import implementation as implementation
from ._compiler import KernelCache as KernelCache
from ._compiler import clear_kernel_cache as clear_kernel_cache
from ._compiler import kernel_cache_info as kernel_cache_info
from ._csc import csr_to_csc as csr_to_csc
from ._csr import csr_matmat as csr_matmat
from ._csr import csr_matvec as csr_matvec
from ._csr import csr_outer as csr_outer
from ._csr import csr_outer_matmat as csr_outer_matmat
from ._csr import csr_transposed_matmat as csr_transposed_matmat
from ._csr import csr_transposed_matvec as csr_transposed_matvec
from ._custom import CustomOp as CustomOp
from ._custom import custom_op as custom_op
from ._custom import host_op as host_op
from ._ffi import fence as fence
