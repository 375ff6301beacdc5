"""Checks that a page is whole and needs nothing beside itself."""

from __future__ import annotations

from html.parser import HTMLParser

EMPTY = {"meta", "br", "link", "img"}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.classes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert not found.keys() & {"src", "href"}, f"<{tag}> asks for something else"
        self.tags.append(tag)
        self.classes += (found.get("class") or "").split()
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"


def check_page(text: str, *, heat_maps: int) -> list[str]:
    """The page's tags, after a look at their order, at what they refer to, and at its heat maps."""
    page = _Page()
    page.feed(text)
    assert page.open == [] and "url(" not in text
    assert page.classes.count("heat") == heat_maps
    return page.tags
