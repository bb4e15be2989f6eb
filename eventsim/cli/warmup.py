"""``eventsim warmup``: compile every kernel now, so that nothing has to wait later."""

from __future__ import annotations

import click

from eventsim.cli.terminal import Work, line


@click.command()
def warmup() -> None:
    """Compile everything into the cache, which takes a few minutes.

    Commands do this by themselves when they first need something; after this one, none has
    to. The cache holds until eventsim, Python, NumPy or Numba is changed. What is compiled
    already is not compiled again, so that a call that was stopped goes on where it was.

    \b
    Example:
      eventsim warmup
    """
    from eventsim.cli.small_runs import PARTS
    from eventsim.jit import cache_folder

    with Work("compiling") as work:
        for number, (what, run) in enumerate(PARTS.items(), start=1):
            before = work.watch.seconds
            run()
            if spent := work.watch.seconds - before:
                line(f"{number} of {len(PARTS)}: {what}: {spent:.1f} s")
    seconds = work.watch.seconds
    line(f"compiled in {seconds:.1f} s" if seconds else "everything was compiled already")
    line(f"kept in {cache_folder()}")
