"""Pieces of HTML as text. What comes from outside (names, paths, messages) passes :func:`esc`."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cleanaudio.errors import printable


def esc(text: object) -> str:
    """Return a text as HTML, for elements and quoted attributes alike."""
    return html.escape(printable(str(text)), quote=True)


def name(text: str) -> str:
    """Return a name from outside, whose direction of writing stays its own."""
    return f"<bdi>{esc(text)}</bdi>"


def data_uri(mime: str, content: bytes) -> str:
    """Return what can stand where an address stands."""
    return f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"


@dataclass(frozen=True)
class Picture:
    """A picture with its description.

    Parameters
    ----------
    alt : str
        For those who do not see it.
    light : str
        Data URI.
    width, height : int
        In CSS pixels.
    dark : str, optional
        Data URI for dark screens; else the light one stands there too.
    """

    alt: str
    light: str
    width: int
    height: int
    dark: str | None = None

    def html(self) -> str:
        """Return the element."""
        size = f'width="{self.width}" height="{self.height}"'
        image = f'<img src="{self.light}" alt="{esc(self.alt)}" {size}>'
        if self.dark is None:
            return image
        media = "screen and (prefers-color-scheme: dark)"
        return f'<picture><source media="{media}" srcset="{self.dark}" {size}>{image}</picture>'


def card(caption: str, *parts: str) -> str:
    """Return a figure: a caption (HTML) above its parts."""
    return f"<figure><figcaption>{caption}</figcaption>{''.join(parts)}</figure>"


def table(caption: str, head: Sequence[str], rows: Iterable[str], hidden: bool = False) -> str:
    """Return a table that scrolls by itself where it is too wide.

    Parameters
    ----------
    caption : str
        As text.
    head : sequence of str
        HTML of the columns' headings; the first stands over the rows' headings.
    rows : iterable of str
        ``<tr>`` elements, or ``<tbody>`` elements.
    hidden : bool
        The caption is for screen readers only.
    """
    columns = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    style = ' class="unseen"' if hidden else ""
    return (
        f'<div class="scroll" role="region" aria-label="{esc(caption)}" tabindex="0"><table>'
        f"<caption{style}><span>{esc(caption)}</span></caption><thead><tr>{columns}</tr></thead>{''.join(rows)}</table></div>"
    )


def row(heading: str, cells: Iterable[str], style: str = "") -> str:
    """Return a row of HTML cells under a heading of its own."""
    mark = f' class="{style}"' if style else ""
    return f'<tr{mark}><th scope="row">{heading}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def verdict(passed: bool) -> str:
    """Return PASS or FAIL, told apart by word, sign and colour."""
    return '<span class="pass">✓ pass</span>' if passed else '<span class="fail">✕ fail</span>'


def words(cell: str) -> str:
    """Return what makes a cell of words, not of numbers."""
    return f'<span class="words">{cell}</span>'
