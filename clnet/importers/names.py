"""Names out of models, as messages show them."""

from __future__ import annotations


def shown(name: str) -> str:
    """A name out of a model, made safe and short for a message."""
    text = name.encode("unicode_escape").decode()
    return f"'{text if len(text) <= 60 else text[:57] + '...'}'"
