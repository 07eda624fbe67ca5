"""A strict reader of HTML: what a browser would show of a page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

__all__ = ["Page", "on_a_page", "read_page"]

VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})


@dataclass
class Page:
    """What a browser would see."""

    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """In the order of the page, with their attributes."""
    texts: list[tuple[str, str]] = field(default_factory=list)
    """Every run of text with the tag that it stands in."""
    faults: list[str] = field(default_factory=list)
    """Tags that are closed without being open, or the other way round."""

    def named(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every `tag`."""
        return [attributes for name, attributes in self.tags if name == tag]

    def texts_in(self, tag: str) -> list[str]:
        """The texts that stand directly in a `tag`."""
        return [text for name, text in self.texts if name == tag]

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(text for _, text in self.texts)


class _Reader(HTMLParser):
    """Notes what is open, and what is closed wrongly."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(names) > len(set(names)):
            self.page.faults.append(f"<{tag}> has an attribute twice")
        self.page.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.page.faults.append(f"</{tag}> while {self._open[-3:]} are open")
            return
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self.page.texts.append((self._open[-1] if self._open else "", data))

    def close(self) -> None:
        super().close()
        self.page.faults.extend(f"<{tag}> is never closed" for tag in self._open)


def on_a_page(html: str) -> str:
    """Without the charts that only a phone shows."""
    return re.sub(r'<div class="chart narrow">.*?</div>', "", html, flags=re.DOTALL)


def read_page(html: str) -> Page:
    """Texts come with their character references resolved, as they are shown."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.page
