"""Kernels written in Taichi, and the compiler that turns them into object files. Nothing here imports at run time
unless a user's own kernel is compiled."""
