"""A progress bar over simulated time."""

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress_bar(total: float, show: bool) -> Iterator[Callable[[float], object]]:
    """A function to call with the ms that have been done."""
    if not show:
        yield lambda ms: None
        return
    from tqdm import tqdm

    with tqdm(total=round(total, 6), unit=" ms", bar_format="{l_bar}{bar}| {n:.0f}/{total:.0f} ms [{elapsed}<{remaining}]") as bar:
        yield bar.update
