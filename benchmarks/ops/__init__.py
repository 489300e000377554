"""The operator benchmark: one call of an operator, ours and the peers', as `python -m benchmarks ops`.

`_cells` says what is measured, `_inputs` makes the same inputs for everybody, `worker` runs one contender in a process
and environment of its own, `_command` runs the contenders in turn, `_report` makes the tables. What a worker imports
must run in every peer's environment: beside the standard library and NumPy nothing is certain to be there.
"""
