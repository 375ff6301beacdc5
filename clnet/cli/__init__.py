"""The `clnet` command: one module per subcommand, each with ``add_parser(subparsers)``.

A module imports what it needs when it runs, so that `clnet --help` stays instant. ``add_parser``
sets ``run=`` to a function from the parsed arguments to the exit status.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

from clnet.cli import (
    bench,
    boards,
    convert,
    demo,
    devices,
    doctor,
    info,
    profile,
    run,
    train,
    tune,
)
from clnet.cli.output import printable
from clnet.errors import ClnetError

COMMANDS = (devices, doctor, boards, info, convert, run, bench, profile, tune, train, demo)

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130  # as shells report SIGINT
EXIT_BROKEN_PIPE = 141  # as shells report SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status. Whatever clnet refuses is one line on stderr, status 2."""
    arguments = _parser().parse_args(argv)
    warnings.showwarning = _show_warning
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except ClnetError as error:
        print(f"clnet: {printable(' '.join(str(error).split()))}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `clnet info model.onnx | head`: whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """One line, as errors are."""
    print(f"clnet: {printable(' '.join(str(message).split()))}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clnet", description="Runs and trains neural networks on any OpenCL device."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from clnet import __version__

        parser.exit(message=f"clnet {__version__}\n")
