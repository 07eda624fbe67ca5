"""Blocks as HTML: one file, no scripts, light and dark, for screen, phone and paper."""

from __future__ import annotations

from typing import assert_never

from zenml_ftvr.report.blocks import (
    Block,
    Blocks,
    Bullets,
    Callout,
    Caption,
    Chart,
    Code,
    Details,
    Facts,
    Heading,
    HeatTable,
    Paragraph,
    Table,
    Verdict,
)
from zenml_ftvr.report.wording import escape

__all__ = ["html_of", "section", "shell"]

# Colours of series, of approaches and of good and bad are from Okabe & Ito 2008 ("Color universal
# design", jfly.uni-koeln.de/color), which colour-blind people can tell apart; on dark ground their
# lighter ones. Approaches also differ by dashes, names and places, so that no chart needs colour.
STYLE = """
:root{color-scheme:light dark;--paper:#fff;--card:#f6f7f8;--ink:#1c1f23;--muted:#5d6570;
--line:#dde1e6;--accent:#0072b2;--good:#00795a;--warn:#b04a00;--s1:#0072b2;--s2:#d55e00;
--s3:#009e73;--s4:#b3588f;--soft:rgba(0,114,178,.10);--baseline:#6b737d;--head:#0072b2;
--contrastive:#cc79a7;--partial:#56b4e9;--full:#d55e00;--lora:#e69f00;--scratch:#009e73}
@media (prefers-color-scheme:dark){:root{--paper:#15181c;--card:#1e2227;--ink:#e8eaed;
--muted:#a3abb5;--line:#343a42;--accent:#56b4e9;--good:#3fc79a;--warn:#f0a050;--s1:#56b4e9;
--s2:#e69f00;--s3:#3fc79a;--s4:#d99bc0;--soft:rgba(86,180,233,.14);--baseline:#a3abb5;
--head:#3d94d9;--contrastive:#d99bc0;--partial:#9fd6f7;--full:#f0814a;--lora:#e6b440;
--scratch:#3fc79a}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);line-height:1.5;
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:60rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.05rem;font-weight:600;color:var(--muted);margin:0 0 .5rem}
h2{font-size:1.25rem;margin:2.75rem 0 .75rem;padding-top:1rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.5rem 0 .5rem}
p{margin:.5rem 0;overflow-wrap:anywhere}ul{margin:.5rem 0;padding-left:1.25rem}
li{margin:.25rem 0;overflow-wrap:anywhere}
.verdict{font-size:1.6rem;line-height:1.3;font-weight:650;margin:.25rem 0 1.25rem;
overflow-wrap:anywhere}
.muted{color:var(--muted)}.small{font-size:.875rem}.good{color:var(--good)}.warn{color:var(--warn)}
.facts{display:flex;flex-wrap:wrap;gap:.75rem;margin:1rem 0}
.fact{flex:1 1 13rem;background:var(--card);border-radius:.5rem;padding:.75rem .9rem;min-width:0}
.fact b{display:block;font-size:1.25rem;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.fact span{color:var(--muted);font-size:.85rem}.fact i{font-style:normal;font-size:.85rem;
display:block}
.box{overflow-x:auto;margin:.75rem 0}
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.45rem .75rem .45rem 0;
border-bottom:1px solid var(--line)}
th{font-weight:600;color:var(--muted);vertical-align:bottom}
td.n,th.n{text-align:right}td.n,.limits{white-space:nowrap}td.both{white-space:normal}
td.l{max-width:22rem}td.long{min-width:9rem;overflow-wrap:anywhere}
tr.chosen td{background:var(--soft)}tr.chosen td:first-child{box-shadow:inset 3px 0 var(--accent)}
tr td:first-child,tr th:first-child{padding-left:.6rem}
.callout{border-left:3px solid var(--warn);background:var(--card);padding:.6rem .9rem;
margin:.75rem 0;
border-radius:0 .4rem .4rem 0}
pre{background:var(--card);border-radius:.5rem;padding:.8rem 1rem;font-size:.86rem;
line-height:1.45;white-space:pre-wrap;overflow-wrap:anywhere}
code{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
.chart{margin:.75rem 0}.chart svg{display:block;width:100%;max-width:44rem;height:auto}
.narrow{display:none}.narrow svg{max-width:26rem}svg text{fill:var(--ink);
font:13px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
svg .muted{fill:var(--muted)}svg .grid{stroke:var(--line)}
.bar{background:var(--s1);height:.7rem;margin-top:.3rem;border-radius:.2rem;min-width:2px}
.heat{width:auto}.heat th{white-space:nowrap}
.heat td,.heat th{padding:.3rem .4rem;border:1px solid var(--line);text-align:right}
.heat td{min-width:2.1rem}.heat th{max-width:14rem;overflow:hidden;text-overflow:ellipsis}
.heat:not(.upright) thead th{writing-mode:vertical-rl;transform:rotate(180deg);text-align:left;
max-height:14rem;vertical-align:bottom;padding:.4rem .3rem;border-width:0}
.heat.upright thead th{border-width:0}
details{margin:.5rem 0}summary{cursor:pointer;color:var(--accent)}
footer{margin-top:3rem;color:var(--muted);font-size:.85rem}
.on-map text{font-weight:600}.on-map text,.beside text{paint-order:stroke;stroke:var(--paper);
stroke-width:3px}
@media (max-width:40rem){.heat td,.heat th{padding:.3rem .25rem}.heat td{min-width:1.8rem}
.wide{display:none}.narrow{display:block}
main{padding:1.25rem .9rem 3rem}.verdict{font-size:1.3rem}table{font-size:.86rem}
.facts{gap:.5rem}.fact{flex-basis:9rem}
.cards thead{display:none}.cards tr{display:grid;grid-template-columns:1fr 1fr;padding:.35rem 0;
border-bottom:1px solid var(--line)}.cards tr.chosen{background:var(--soft);
box-shadow:inset 3px 0 var(--accent)}
.cards td,.cards tr.chosen td{text-align:left;border:0;padding:.15rem .6rem;background:none;
box-shadow:none;min-width:0;max-width:none;white-space:normal;overflow-wrap:anywhere}
.cards td:first-child,.ranked td:nth-child(2){font-weight:600;grid-column:1/-1}
.ranked td:first-child{display:none}.ranked tbody{counter-reset:place}
.ranked tr{counter-increment:place}.ranked td:nth-child(2)::before{content:counter(place) ". "}
.cards td:empty{display:none}.cards td[data-name]::before{content:attr(data-name);display:block;
color:var(--muted);font-size:.8rem}
.heat th{max-width:8rem}.heat:not(.upright) thead th{max-height:8rem}}
@media print{main{max-width:none;padding:0}table{font-size:.75rem}
th,td{padding:.3rem .4rem .3rem 0}h2{break-after:avoid}
table,.chart,.fact{break-inside:avoid}
.box{overflow:visible}.wide{display:block}.narrow{display:none}summary{color:var(--ink);
font-weight:600;list-style:none}details::details-content{content-visibility:visible;block-size:auto}}
"""


WORD = 20  # characters that a column is always as wide as: the longest words of prose
PHONE = 47  # characters of a table's font in a line of a phone 390 px wide
PROSE = 60  # characters from which on a cell is a sentence
GAP = 2  # characters between two columns
LIMITS = " ["  # between a value and its limits, the one place where a number may be broken


def shell(title: str, body: str) -> str:
    """A whole page around `body`, which is HTML."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def section(heading: str, blocks: Blocks) -> str:
    """A heading and what is below it; nothing where there is nothing below it."""
    body = html_of(blocks)
    return f"<h2>{escape(heading)}</h2>\n{body}\n" if body else ""


def html_of(blocks: Blocks) -> str:
    """Blocks in their order, each on lines of its own; every text in them is escaped here."""
    return "\n".join(html for block in blocks if (html := _html(block)))


def _html(block: Block) -> str:
    match block:
        case Verdict():
            return f'<p class="verdict">{escape(block.text)}</p>'
        case Heading():
            return f"<h3>{escape(block.text)}</h3>"
        case Paragraph():
            kind = ' class="small muted"' if block.size == "small" else ""
            return f"<p{kind}>{escape(block.text)}</p>"
        case Caption():
            return f'<p class="caption small muted">{escape(block.text)}</p>'
        case Bullets():
            items = "".join(f"<li>{escape(sentence)}</li>" for sentence in block.sentences)
            return f"<ul>{items}</ul>" if items else ""
        case Callout():
            return f'<div class="callout">{escape(block.text)}</div>'
        case Facts():
            return _facts(block)
        case Table():
            return _table(block)
        case HeatTable():
            return _heat_table(block)
        case Chart():
            return (
                f'<div class="chart wide">{block.wide}</div>\n'
                f'<div class="chart narrow">{block.narrow}</div>'
            )
        case Code():
            return f"<pre><code>{escape(block.text)}</code></pre>"
        case Details():
            body = html_of(block.blocks)
            return f"<details><summary>{escape(block.summary)}</summary>{body}</details>"
        case _:
            assert_never(block)


def _facts(facts: Facts) -> str:
    tiles = "".join(
        f'<div class="fact"><span>{escape(one.name)}</span><b>{escape(one.value)}</b>'
        f"{f'<i>{escape(one.remark)}</i>' if one.remark else ''}</div>"
        for one in facts.entries
    )
    return f'<div class="facts">{tiles}</div>'


def _table(table: Table) -> str:
    as_cards = _least_characters(table) > PHONE or _squeezes_sentences(table)
    title = 0 if table.header[0] else 1  # the column that names a row; before it, its rank

    def cell(tag: str, index: int, text: str) -> str:
        kind = "n" if index in table.numeric else "l"
        if kind == "l" and any(len(word) > WORD for word in text.split()):
            kind = "l long"
        names = as_cards and tag == "td" and index > title and table.header[index]
        name = f' data-name="{escape(table.header[index])}"' if names else ""
        shown = _kept_together(escape(text)) if tag == "th" else escape(text)
        if tag == "td" and index in table.numeric and LIMITS in text:
            kind = "n both"
            shown = shown.replace(LIMITS, ' <span class="limits">[', 1) + "</span>"
        return f'<{tag} class="{kind}"{name}>{shown}</{tag}>'

    bars = [_bar(share) for share in table.shares] or [""] * len(table.rows)
    head = "".join(cell("th", index, text) for index, text in enumerate(table.header))
    head += "<th></th>" if table.shares else ""
    body = "\n".join(
        ('<tr class="chosen">' if place == table.chosen else "<tr>")
        + "".join(cell("td", index, text) for index, text in enumerate(row))
        + f"{bar}</tr>"
        for place, (row, bar) in enumerate(zip(table.rows, bars, strict=True))
    )
    kind = (' class="cards"', ' class="cards ranked"')[title] if as_cards else ""
    return (
        f'<div class="box"><table{kind}><thead><tr>{head}</tr></thead><tbody>\n{body}\n'
        f"</tbody></table></div>"
    )


def _least_characters(table: Table) -> int:
    """How wide the table is at least: limits may go below their value, prose breaks at words."""
    widths = []
    for index, name in enumerate(table.header):
        cells = [row[index] for row in table.rows]
        words = [word for text in (name, *cells) for word in text.replace("-", " ").split()]
        unbroken = [min(WORD, len(word)) for word in words]
        if index in table.numeric:
            unbroken += [len(part) for text in cells for part in text.split(LIMITS)]
        widths.append(max(unbroken, default=0) + GAP)
    return sum(widths)


def _squeezes_sentences(table: Table) -> bool:
    """Whether sentences would be a word wide on a phone: two beside each other, or one of four."""
    of_words = [index for index in range(len(table.header)) if index not in table.numeric]
    found = sum(any(len(row[index]) > PROSE for row in table.rows) for index in of_words)
    return found > 1 or (found == 1 and len(table.header) > 3)


def _kept_together(html: str) -> str:
    """No line ends before a per cent sign."""
    return html.replace(" %", "&nbsp;%")


def _bar(share: float) -> str:
    return f'<td style="width:38%"><div class="bar" style="width:{100 * share:.1f}%"></div></td>'


def _heat_table(table: HeatTable) -> str:
    upright = all(len(label) <= UPRIGHT for label in table.labels)
    kind = "heat upright" if upright else "heat"
    head = "".join(f'<th title="{escape(label)}">{escape(label)}</th>' for label in table.labels)
    body, newline = [], "\n"
    for true, row in enumerate(table.counts):
        total = sum(row) or 1
        cells = "".join(
            f'<td style="background:color-mix(in srgb,{_heat(true == predicted)} '
            f'{round(70 * cell / total)}%,transparent)">{cell or ""}</td>'
            for predicted, cell in enumerate(row)
        )
        name = escape(table.labels[true])
        body.append(f'<tr><th title="{name}">{name}</th>{cells}</tr>')
    return (
        f'<div class="box"><table class="{kind}"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>\n{newline.join(body)}\n</tbody></table></div>"
    )


UPRIGHT = 3  # characters of a label that fits above a column of numbers


def _heat(right: bool) -> str:
    return "var(--s1)" if right else "var(--s2)"
