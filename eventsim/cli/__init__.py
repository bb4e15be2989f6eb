"""The command ``eventsim``: one module per subcommand.

The modules import little when they are loaded, so that ``eventsim --help`` is quick; what a
command works with is imported inside it.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from eventsim import __version__
from eventsim.cli.check import check
from eventsim.cli.demo import demo
from eventsim.cli.info import info
from eventsim.cli.ladder import ladder
from eventsim.cli.play import play
from eventsim.cli.plot import plot
from eventsim.cli.simulate import simulate
from eventsim.cli.sweep import sweep
from eventsim.cli.validate import validate
from eventsim.cli.warmup import warmup
from eventsim.errors import EventsimError

__all__ = ["main"]

#: Exit statuses besides 0: a run stopped early, an error, Ctrl-C.
ERROR, INTERRUPTED = 2, 130

#: New objects after which Python looks for those that only refer to each other.
COLLECT_AFTER = 100_000


class _Commands(click.Group):
    """A group whose errors are one line on stderr, never a traceback."""

    def main(self, args: Sequence[str] | None = None, *positional: Any, **options: Any) -> NoReturn:
        """Run a command and leave the process with its exit status."""
        options["standalone_mode"] = False
        try:
            status = super().main(args, *positional, **options)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            status = 0
        except click.UsageError as error:
            _complain(error.format_message())
            if error.ctx is not None:
                click.echo(f"try: {error.ctx.command_path} --help", err=True)
            status = ERROR
        except (click.Abort, KeyboardInterrupt):
            _complain("interrupted")
            status = INTERRUPTED
        except BrokenPipeError:
            # The reader of a pipe has seen enough.
            _forget_output()
            status = 0
        except (EventsimError, OSError) as error:
            _complain(str(error))
            status = ERROR
        sys.exit(status if isinstance(status, int) else 0)

    def __call__(self, *args: Any, **options: Any) -> NoReturn:
        """The console script."""
        # The libraries make a million objects that stay. To look for circles among them after
        # every 700 new ones, as Python does, takes a tenth of their loading.
        gc.set_threshold(COLLECT_AFTER)
        try:
            self.main(*args, **options)
        except SystemExit as stop:
            if stop.code == INTERRUPTED:
                # A thread that still compiles would hold up, or crash, the end of the interpreter.
                _flush()
                os._exit(INTERRUPTED)
            _flush()
            # All objects end with the process; to look for those in circles first takes 0.3 s.
            gc.freeze()
            raise


def _complain(message: str) -> None:
    line = " ".join(message.split())
    try:
        click.echo(f"error: {line}", err=True)
    except BrokenPipeError:
        _forget_output()


def _flush() -> None:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        _forget_output()


def _forget_output() -> None:
    """Nobody reads any more: what is still buffered goes nowhere when the interpreter ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="eventsim", message="%(prog)s %(version)s")
def main() -> None:
    """Exact event-driven simulation of networks that were trained on a coarse time grid.

    \b
    Examples:
      eventsim demo
      eventsim info hidden.h5
      eventsim simulate hidden.h5 images.npz --samples 16 -o run.h5
      eventsim plot run.h5 --raster --sample 3 -o raster.png
      eventsim check hidden.h5 --data images.npz
      eventsim validate hidden.h5 --data images.npz --report report.html
      eventsim ladder hidden.h5 --data images.npz
      eventsim sweep pulse-width hidden.h5 --data images.npz --plot width.png
      eventsim play cartpole.h5

    Exit status: 0 done, 1 a run stopped early (what it had is kept) or validate --fail-under,
    2 error, 130 Ctrl-C.
    """


for _command in (demo, info, simulate, check, validate, ladder, sweep, play, plot, warmup):
    main.add_command(_command)
