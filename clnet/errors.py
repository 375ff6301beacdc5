"""Everything clnet raises on purpose. A message is one line: what is wrong, and where."""

from __future__ import annotations


class ClnetError(Exception):
    """The root of the tree: catch this to catch all of clnet's own errors."""


class ModelError(ClnetError):
    """A model file that cannot be read: damaged, hostile, or outside the format's rules.

    ``file`` and ``node`` say where; both are part of the message.
    """

    def __init__(self, reason: str, *, file: object = None, node: str | None = None) -> None:
        self.reason, self.file, self.node = reason, file, node
        where = [str(file)] if file is not None else []
        where += [f"node {node}"] if node else []
        super().__init__(": ".join([*where, " ".join(reason.split())]))

    def located(self, *, file: object = None, node: str | None = None) -> ModelError:
        """The same error with whatever place was not known when it was raised."""
        file = self.file if self.file is not None else file
        return type(self)(self.reason, file=file, node=self.node or node)


class UnsupportedError(ModelError):
    """A valid model that asks for something clnet does not have."""


class ShapeError(ModelError):
    """Shapes or dtypes that do not fit together."""


class InputError(ClnetError):
    """What the caller passed does not fit the session: name, shape, dtype or value."""


class DataError(InputError):
    """Samples or targets that a network cannot be trained on."""


class TrainingError(ClnetError):
    """Training that cannot go on: its loss is no number any more."""


class DeviceError(ClnetError):
    """No OpenCL device, not the one asked for, or one that fails."""


class BuildError(DeviceError):
    """The driver's compiler refused a kernel. The message holds the first lines of its log."""
