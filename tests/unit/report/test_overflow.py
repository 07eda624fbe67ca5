"""Pages in a real browser: nothing reaches beyond a screen, a phone, or a chart's frame."""

from __future__ import annotations

import html as markup
import json
import re
import shutil
import subprocess
from pathlib import Path

import hand_made
import hand_made_findings
import hand_made_tasks
import pytest

from zenml_ftvr import report

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
WIDTHS = (390, 1200)  # of a phone, and of a page on a screen
SECONDS = 120

# In each frame: what is wider than the page, unless its box can be scrolled; texts that a chart
# cuts off or that cover each other in it.
LOOK = """
const found = [];
for (const frame of document.querySelectorAll('iframe')) {
  const page = frame.contentDocument, say = what => found.push(frame.title + ': ' + what);
  const width = page.documentElement.clientWidth;
  if (width < 300) say('no page');
  for (const details of page.querySelectorAll('details')) details.open = true;
  if (page.documentElement.scrollWidth > width + 1) say('scrolls sideways');
  for (const one of page.querySelectorAll('main *')) {
    const box = one.getBoundingClientRect();
    if (box.width && box.right > width + 1 && !one.closest('.box'))
      say(one.tagName + ' reaches ' + Math.round(box.right) + ': ' + one.textContent.slice(0, 40));
  }
  for (const chart of page.querySelectorAll('svg')) {
    const outer = chart.getBoundingClientRect();
    const texts = [...chart.querySelectorAll('text')]
      .map(text => [text.textContent, text.getBoundingClientRect()])
      .filter(([, box]) => box.width);
    texts.forEach(([words, box], at) => {
      if (box.left < outer.left - 1 || box.right > outer.right + 1 ||
          box.top < outer.top - 1 || box.bottom > outer.bottom + 1) say('cut off: ' + words);
      for (const [others, other] of texts.slice(at + 1))
        if (box.left < other.right - 1 && other.left < box.right - 1 &&
            box.top < other.bottom - 3 && other.top < box.bottom - 3)
          say(words + ' covers ' + others);
    });
  }
}
document.title = 'done';
document.body.textContent = JSON.stringify(found);
"""


def _pages() -> dict[str, str]:
    options = {"title": hand_made.TITLE, "created": hand_made.CREATED}
    whole = (
        hand_made_findings.recommendation(),
        hand_made_findings.trained_models(),
        hand_made_findings.evaluation(),
    )
    reports = {name: hand_made_tasks.report_of(name) for name in hand_made_tasks.TASKS}
    pages = {
        name: report.render_report(*found, versions=hand_made.VERSIONS, **options)
        for name, found in {"whole": whole, **reports}.items()
    }
    return pages | {"comparison": report.comparison_page(hand_made_findings.comparison())}


@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is installed")
def test_no_page_of_any_task_overflows_on_a_phone_or_a_screen(tmp_path: Path) -> None:
    frames = "".join(
        f'<iframe title="{name} at {width}" style="width:{width}px;height:900px;border:0" '
        f'srcdoc="{markup.escape(page)}"></iframe>'
        for name, page in _pages().items()
        for width in WIDTHS
    )
    path = tmp_path / "all.html"
    path.write_text(
        f"<!DOCTYPE html><html><head><meta charset='utf-8'></head><body>{frames}"
        f"<script>onload = () => {{{LOOK}}}</script></body></html>",
        encoding="utf-8",
    )
    assert BROWSER is not None
    done = subprocess.run(
        [
            BROWSER,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    body = re.search(r"<body>(.*)</body>", done.stdout, re.DOTALL)
    assert "<title>done</title>" in done.stdout, done.stdout[:500]
    assert body is not None
    assert json.loads(markup.unescape(body[1])) == []
