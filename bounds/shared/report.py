"""A run as one self-contained HTML page: the ledger, the pictures, the certificates."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from bounds.shared.claims import Claim

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 62rem; margin: 2.5rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.7rem; line-height: 1.2; } h2 { margin-top: 2.6rem; font-size: 1.25rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .45rem .7rem .45rem 0;
  border-bottom: 1px solid var(--line); }
code, pre { font: .86rem/1.45 ui-monospace, monospace; }
pre { background: var(--soft); padding: .8rem 1rem; overflow-x: auto; border-radius: .4rem; }
.status { font-weight: 600; white-space: nowrap; }
.status::before { margin-right: .4em; }
.proved::before { content: "■"; } .tested::before { content: "□"; }
.refuted::before { content: "✕"; } .open::before { content: "?"; }
.statement { opacity: .8; font-size: .85rem; overflow-wrap: anywhere; }
figure { margin: 1.6rem 0; } figure img { max-width: 100%; background: white; }
figcaption { font-size: .92rem; opacity: .85; } .note { opacity: .8; }
"""


@dataclass(frozen=True)
class Picture:
    """One figure of the report: an SVG and what it shows."""

    title: str
    svg: bytes
    caption: str


@dataclass(frozen=True)
class Listing:
    """One certificate: its name, what it says, and its text."""

    title: str
    words: str
    text: str


@dataclass(frozen=True)
class DataTable:
    """Rows of text under a header, and what they are about."""

    title: str
    words: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def page(
    title: str,
    introduction: str,
    claims: Sequence[Claim],
    tables: Sequence[DataTable],
    pictures: Sequence[Picture],
    listings: Sequence[Listing],
    manifest: dict[str, Any],
) -> str:
    """The whole page; nothing is loaded from anywhere else."""
    counts = {
        s: sum(c.status == s for c in claims) for s in ("proved", "tested", "refuted", "open")
    }
    summary = ", ".join(f"{number} {status}" for status, number in counts.items() if number)
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{introduction}</p>",
        f"<h2>The ledger: {len(claims)} claims, {summary}</h2>",
        _table(claims),
        "<p class='note'>proved: by symbolic steps that ran. tested: no counterexample among the "
        "games counted. refuted: by an exact game that a checker which shares no code with this "
        "project accepts.</p>",
        *(_data_table(table) for table in tables),
        "<h2>Pictures</h2>",
        *(_figure(picture) for picture in pictures),
        "<h2>Certificates</h2>",
        *(_listing(listing) for listing in listings),
        "<h2>How this was made</h2>",
        f"<pre>{escape(_lines(manifest))}</pre>",
    ]
    body = "\n".join(parts)
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n"
        "</body></html>\n"
    )


def _table(claims: Sequence[Claim]) -> str:
    rows = "\n".join(
        f"<tr><td><code>{escape(c.id)}</code><div class='statement'>{escape(c.statement)}<br>"
        f"{escape(c.source)}</div></td><td class='status {c.status}'>{c.status}</td>"
        f"<td>{escape(c.summary)}</td></tr>"
        for c in claims
    )
    head = "<tr><th>claim</th><th>status</th><th>evidence</th></tr>"
    return f"<table><thead>{head}</thead><tbody>\n{rows}\n</tbody></table>"


def _data_table(table: DataTable) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "\n".join(row(cells, "td") for cells in table.rows)
    return (
        f"<h2>{escape(table.title)}</h2><p>{escape(table.words)}</p>"
        f"<table><thead>{row(table.header, 'th')}</thead><tbody>\n{body}\n</tbody></table>"
    )


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.svg).decode()
    return (
        f"<figure><img alt='{escape(picture.title, quote=True)}' "
        f"src='data:image/svg+xml;base64,{data}'>"
        f"<figcaption><b>{escape(picture.title)}.</b> {escape(picture.caption)}</figcaption>"
        "</figure>"
    )


def _listing(listing: Listing) -> str:
    return (
        f"<details><summary><b>{escape(listing.title)}</b>: {escape(listing.words)}</summary>"
        f"<pre>{escape(listing.text)}</pre></details>"
    )


def _lines(manifest: dict[str, Any]) -> str:
    def shown(value: Any) -> str:
        if isinstance(value, dict):
            return ", ".join(f"{name} {text}" for name, text in value.items())
        return str(value)

    return "\n".join(f"{key:<10} {shown(value)}" for key, value in manifest.items())
