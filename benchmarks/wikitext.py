"""Wikitext to text: our scanner beside mwparserfromhell, on the same pages in the same run.

    python benchmarks/wikitext.py [--check] [DUMP …]

CPU time of one core. Without a dump the pages are made: our own sentences between the markup of an encyclopaedia
(infobox, references, links, a table, a list), in Chinese with language rules. The bombs are timed on the wall,
since that is what a user waits for. The peer: `pip install mwparserfromhell==0.7.2`; its `strip_code` leaves
language rules, file captions and categories in the text, so it does less.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

import mwparserfromhell

from siku_corpus.dump.pages import RawPage, parse_page, read_pages, read_site
from siku_corpus.wikitext import MarkupError, to_text
from siku_corpus.wikitext.variants import Variant

BAR_MEGABYTES_PER_SECOND = 3.0
BAR_RATIO = 2.0
BAR_BOMB_SECONDS = 2.0
BOMB_LENGTH = 5000
BOMBS = ("{{a|", "[[", "{|", "{|\n", "<ref>", "-{", "{{lang|zh|", "<math>", "[http://a ")
MADE_PAGES = 200
PEER_SHARE = 4
MADE = """{{noteTA|1=zh-cn:卫星;zh-tw:衛星}}
{{Infobox planet
| name = 第%d号卫星
| image = [[File:Moon %d.jpg|250px|照片]]
| orbit = {{convert|384400|km|mi}}
}}
'''第%d号卫星'''（{{lang-en|Moon %d}}）是[[行星|一颗行星]]的天然-{zh-hans:卫星;zh-hant:衛星}-，轨道半长轴约为38万公里。\
<ref name="a%d">{{cite web |url=https://example.org/%d |title=轨道 |date=2020}}</ref>

== 轨道 ==
卫星绕行星公转一周约需27.3日，自转周期与公转周期相同，因此总以同一面朝向行星。\
<ref name="a%d" />其轨道偏心率为<math>e=0.0549</math>。

{| class="wikitable"
|-
! 参数 !! 数值
|-
| 半径 || 1737公里
|}

=== 观测 ===
* 公元前四世纪，[[天文学家]]已经记录了它的位置。
* 望远镜发明以后，''表面''的山脉和平原得到命名。

== 参考文献 ==
{{reflist}}
[[Category:卫星|%d]]
"""


def made_pages() -> list[str]:
    """Pages of our own making, about twenty thousand bytes each."""
    return [MADE.replace("%d", str(number)) * 20 for number in range(MADE_PAGES)]


def dumped_pages(files: list[Path]) -> list[str]:
    """The articles of some dumps."""
    texts: list[str] = []
    for file in files:
        raws = [raw for raw in read_pages(file, 0, file.stat().st_size) if isinstance(raw, RawPage)]
        pages = [parse_page(raw.data) for raw in raws]
        texts += [page.text for page in pages if page.namespace == 0 and not page.redirect]
    return texts


def speed(convert: Callable[[str], object], texts: list[str]) -> float:
    """Megabytes of wikitext in a second of CPU time."""
    begun = time.process_time()
    for text in texts:
        convert(text)
    return sum(len(text.encode()) for text in texts) / 1e6 / (time.process_time() - begun)


def bomb_seconds(unit: str) -> float:
    begun = time.perf_counter()
    with contextlib.suppress(MarkupError):  # refused is well: the page would go to quarantine
        to_text(unit * BOMB_LENGTH)
    return time.perf_counter() - begun


def measure(files: list[Path]) -> tuple[list[str], bool]:
    """Lines of claims, and whether all hold."""
    texts = dumped_pages(files) if files else made_pages()
    variant: Variant | None = "zh-cn" if not files or read_site(files[0]).language.startswith("zh") else None
    ours = speed(lambda text: to_text(text, variant=variant), texts)
    peer = speed(lambda text: mwparserfromhell.parse(text).strip_code(), texts[::PEER_SHARE])
    seconds = {unit: bomb_seconds(unit) for unit in BOMBS}
    worst = max(seconds, key=lambda unit: seconds[unit])
    size = sum(len(text.encode()) for text in texts) / 1e6
    lines = [
        f"wikitext to text: {ours:.1f} MB/s of one core, bar {BAR_MEGABYTES_PER_SECOND}"
        f" ({len(texts)} pages, {size:.1f} MB)",
        f"against mwparserfromhell {mwparserfromhell.__version__}: ours {ours:.1f} MB/s, peer {peer:.1f} MB/s,"
        f" ratio {ours / peer:.1f}, bar {BAR_RATIO}",
        f"bombs of {BOMB_LENGTH}: the worst, {worst!r}, {seconds[worst]:.3f} s, bar {BAR_BOMB_SECONDS}",
    ]
    held = ours >= BAR_MEGABYTES_PER_SECOND and ours / peer >= BAR_RATIO and seconds[worst] < BAR_BOMB_SECONDS
    return lines, held


def main() -> None:
    """Print the claims; with --check exit 1 if one falls short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("dump", type=Path, nargs="*")
    options = parser.parse_args()
    lines, held = measure(options.dump)
    print("\n".join(lines))
    sys.exit(options.check and not held)


if __name__ == "__main__":
    main()
