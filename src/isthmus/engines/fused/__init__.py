"""Training steps and passes that are written for one network, compiled by numba and kept on disk.

A step goes through the whole network with one row before it takes the next, so that no feature map leaves the
processor's cache. `layers` and `reading` turn torch's layers into `operations`, which write themselves as calls of
`kernels`; `writing` makes a source file of them, `caching` keeps and compiles it, `engine` and `passes` run it, and
`choosing` says when.
"""

from isthmus.engines.fused.choosing import Work, convolves, fused_for, passes_for
from isthmus.engines.fused.engine import Fused

__all__ = ["Fused", "Work", "convolves", "fused_for", "passes_for"]
