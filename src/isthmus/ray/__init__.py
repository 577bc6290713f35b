"""Models fitted by several workers of a Ray cluster, and rows encoded by them: extra ``ray``.

`fit` runs on Ray Train: its workers are the ranks of one run (see `isthmus.ranks`), and a worker that dies is replaced
and goes on from the last checkpoint. `transform` runs on Ray Data: Parquet to Parquet.
"""

from isthmus.ray.encoding import transform
from isthmus.ray.fitting import fit

__all__ = ["fit", "transform"]
