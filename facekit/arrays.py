"""Short names for arrays by the type of their numbers; shapes stand in docstrings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

AnyArray = NDArray[Any]
Bool = NDArray[np.bool_]
Float16 = NDArray[np.float16]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Floating = NDArray[np.floating[Any]]
Int8 = NDArray[np.int8]
Int64 = NDArray[np.int64]
Str = NDArray[np.str_]
UInt8 = NDArray[np.uint8]
