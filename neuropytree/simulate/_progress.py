"""A progress bar over the steps of a run."""

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress_bar(total: int, show: bool) -> Iterator[Callable[[int], object]]:
    """A function to call with the number of steps just done."""
    if not show:
        yield lambda steps: None
        return
    from tqdm import tqdm

    form = "{l_bar}{bar}| {n_fmt}/{total_fmt} steps [{elapsed}<{remaining}]"
    with tqdm(total=total, bar_format=form) as bar:
        yield bar.update
