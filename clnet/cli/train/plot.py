"""Curves of loss and accuracy. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clnet.errors import ClnetError, InputError

if TYPE_CHECKING:
    from clnet.training import History


def check_plot(path: Path) -> None:
    """Raise, before training begins, what would keep the plot from being written."""
    _pyplot()
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: there is no such folder")


def save_plot(history: History, path: Path, title: str) -> None:
    """Loss and accuracy by epoch, side by side, those of validation dashed."""
    pyplot = _pyplot()
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    _curves(left, history.loss, history.validation_loss, 1)
    left.set(title="loss", xlabel="epoch")
    left.set_ylim(bottom=0)
    _curves(right, history.accuracy, history.validation_accuracy, 100)
    right.set(title="accuracy, %", xlabel="epoch")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.set_xlim(0.5, len(history.loss) + 0.5)
    right.legend()
    figure.suptitle(title)
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot write {path}: {error}") from None
    finally:
        pyplot.close(figure)


def _curves(axes: Any, trained: Sequence[float], held_out: Sequence[float], factor: int) -> None:
    for values, label, line in ((trained, "training", "o-"), (held_out, "validation", "s--")):
        if values:
            axes.plot(
                range(1, len(values) + 1), [factor * v for v in values], line, label=label,
                markersize=3,
            )  # fmt: skip


def _pyplot() -> Any:
    try:
        import matplotlib
    except ImportError:
        raise ClnetError("plots need matplotlib: pip install 'clnet[train]'") from None
    matplotlib.use("Agg")  # no display
    from matplotlib import pyplot

    return pyplot
