"""Refuses text that is none: a parsed message hands it out as bytes, which nothing expects."""

from __future__ import annotations

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from clnet.errors import ModelError


def refuse_damaged_text(message: Message) -> None:
    """Raise ModelError where a name or another text of the message is not UTF-8. Comments may be
    what they like."""
    for field, value in message.ListFields():
        if field.name == "doc_string" or field.type not in (
            FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE
        ):  # fmt: skip
            continue
        values = [value] if isinstance(value, str | bytes | Message) else value
        for each in values:
            if isinstance(each, Message):
                refuse_damaged_text(each)
            elif isinstance(each, bytes):
                raise ModelError(f"the text {each[:40]!r} is damaged")
