"""What is known of boards, from `boards/<board>.toml`, and which board a device belongs to.

Nothing here changes how a model is compiled: a board is knowledge for people, and the name under
which tuning records are shared (see docs/boards.md).
"""

from __future__ import annotations

import difflib
from functools import lru_cache
from pathlib import Path

from clnet.boards.board import Board, Driver, Fact, Figures, Pitfall
from clnet.boards.reading import read_board
from clnet.device_info import DeviceInfo
from clnet.errors import ClnetError
from clnet.resources import boards_path

__all__ = [
    "Board",
    "Driver",
    "Fact",
    "Figures",
    "Pitfall",
    "board_of",
    "board_of_machine",
    "find_board",
    "load_boards",
    "machine_words",
    "records_path",
]


def load_boards(folder: Path | None = None) -> tuple[Board, ...]:
    """All boards, by name. Raises ClnetError, naming file and key, where a file is not valid."""
    return _load(folder or boards_path())


@lru_cache(maxsize=4)
def _load(folder: Path) -> tuple[Board, ...]:
    return tuple(read_board(path) for path in sorted(folder.glob("*.toml")))


def find_board(name: str) -> Board:
    """The board of this name. Raises ClnetError with the names that come near."""
    boards = {board.name: board for board in load_boards()}
    if name in boards:
        return boards[name]
    word = _letters(name)
    near = [n for n in boards if word and word in _letters(n)]
    near = near or difflib.get_close_matches(name.lower(), boards)
    hint = f"did you mean {' or '.join(near)}?" if near else "`clnet boards` lists them"
    raise ClnetError(f"no board is called {name!r}: {hint}")


def records_path(board: Board) -> Path:
    """The file of the board's tuning records, which need not exist."""
    return boards_path() / f"{board.name}.tuning.jsonl"


def machine_words(root: Path = Path("/")) -> str:
    """What the kernel calls this machine: the device tree's model and chips, else the processor;
    empty where it does not say."""
    tree = [_text(root / "proc/device-tree" / name) for name in ("model", "compatible")]
    if any(tree):
        return "\n".join(tree).replace("\0", "\n").strip()
    for line in _text(root / "proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return ""


def board_of(device: DeviceInfo, machine: str | None = None) -> Board | None:
    """The board that a device belongs to.

    Boards share GPUs: where the machine is known, its words decide between them; where it is not,
    the device must leave no choice. ``machine`` is what ``machine_words()`` says unless given.
    """
    machine = machine_words() if machine is None else machine
    fitting = [board for board in load_boards() if board.has_device(device)]
    for board in fitting:
        if board.is_machine(machine):
            return board
    anywhere = [board for board in fitting if not board.machines]
    if anywhere or machine or len(fitting) != 1:
        return anywhere[0] if anywhere else None
    return fitting[0]


def board_of_machine(machine: str | None = None) -> Board | None:
    """The board that the kernel names, whatever OpenCL devices it has."""
    machine = machine_words() if machine is None else machine
    return next((board for board in load_boards() if board.is_machine(machine)), None)


def _letters(name: str) -> str:
    """`pi5` is part of `raspberry-pi-5`."""
    return "".join(c for c in name.lower() if c.isalnum())


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
