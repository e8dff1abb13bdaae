"""How many threads the linear algebra takes.

The wheels of NumPy and of SciPy each bring an OpenBLAS of their own, and the idle
threads of one spin on the cores that the other one needs: on two cores a step of
L-BFGS on 57,418 x 3,008 numbers takes 0.35 s in place of 0.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["scipy_on_one_thread"]


@contextmanager
def scipy_on_one_thread() -> Iterator[None]:
    """Leave the cores to NumPy's products; SciPy's own are small here."""
    import scipy.linalg  # noqa: F401  (its library must be there to be told)
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController()
    own = [
        library.filepath
        for library in controller.lib_controllers
        if any(part.startswith("scipy") for part in Path(library.filepath).parts[:-1])
    ]
    with controller.select(filepath=own).limit(limits=1):
        yield
