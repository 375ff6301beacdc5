"""All ops. Importing this package registers every one of them."""

from clnet.ops import cast, elementwise
from clnet.ops.base import Arg, Case, Op, register, registry, spelled

__all__ = ["Arg", "Case", "Op", "cast", "elementwise", "register", "registry", "spelled"]
