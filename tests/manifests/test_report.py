"""report: a page that holds whatever the corpus holds, and says the same for the same manifests."""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siku_manifests import findings as f
from siku_manifests.equation import Counts
from siku_manifests.errors import InputError, VerificationError
from siku_manifests.manifest import (
    FileRecord,
    Identity,
    Manifest,
    RawRecord,
    Record,
    Shard,
    SourceRecord,
    write_manifest,
)
from siku_manifests.report import StageView, render_report, summary_lines, write_report
from siku_manifests.sections import Source

DATA = Path(__file__).parents[1] / "data" / "report"

HOSTILE = [
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "]]><svg onload=alert(1)>",
    "\"'><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "<!-- <!doctype html> --!>",
    "李\u202e白\u2066\u200f",
    "a\x00b\x1b[31m\ufeff\ufffe",
    "\ud800 lone \udfff",
    "&lt;b&gt; &amp;amp; &#0;",
    "e" + "\u0301" * 500,
    "\U000e0041\U000f0000",
]

VOID = {"meta", "link", "br", "wbr"}
ALLOWED = {
    "html", "head", "meta", "link", "title", "style", "body", "header", "footer", "main", "nav",
    "section", "div", "span", "p", "br", "wbr", "a", "h1", "h2", "h3", "h4", "code", "pre", "ul", "ol",
    "li", "dl", "dt", "dd", "table", "thead", "tbody", "tfoot", "tr", "th", "td", "details",
    "summary", "figure", "ins", "del", "svg", "desc", "rect", "line", "path", "circle", "text",
}  # fmt: skip


class Outline(HTMLParser):
    """The standard library's reading of a page: elements, their text, and whether they nest."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.comments: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())


def read(page: str) -> Outline:
    """Parse a page and hold it to what every page of ours promises."""
    page.encode("utf-8")
    outline = Outline()
    outline.feed(page)
    outline.close()
    assert not outline.open
    assert not outline.comments
    assert {tag for tag, _ in outline.tags} <= ALLOWED
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in outline.tags:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src"):
            target = attributes.get(name)
            assert target is None or target == "data:," or target[1:] in ids, (tag, target)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]", page)
    return outline


def stage(
    kind: str,
    *,
    parents: Sequence[StageView] = (),
    counts: dict[str, Counts] | None = None,
    sources: Sequence[SourceRecord] = (),
    findings: Sequence[f.Finding] = (),
) -> StageView:
    identity = Identity(
        kind=kind,
        parents={parent.name: parent.manifest.id for parent in parents},
        sources=tuple(sources),
        recipe={kind: {"threshold": 0.8, "profile": "诗"}},
        shards=tuple(
            Shard(path=f"{name.encode('utf-8', 'replace').decode()}-00000.parquet", content_sha256="5e" * 32)
            for name in counts or ["all"]
        ),
    )
    record = Record(
        key=hashlib.sha256(kind.encode("utf-8", "replace")).hexdigest(),
        counts=counts or {},
        files=tuple(FileRecord(path=s.path, bytes=1_048_576, sha256="ab" * 32) for s in identity.shards),
        seed=1,
        code="c0de" * 16,
        environment={"python": "3.11.7", "unicode": "14.0.0", "pyarrow": "26.0.1"},
    )
    manifest = Manifest(id=identity.id(), identity=identity, record=record)
    return StageView(f"{kind}-{record.key[:8]}", manifest, tuple(findings))


def source(name: str, license_: str = "MIT") -> SourceRecord:
    files = (RawRecord(path=f"{name}.tgz", bytes=21_400_911, sha256="0f" * 32),)
    return SourceRecord(name=name, where=f"npm:{name}@1.0", license=license_, files=files)


def example_run() -> list[StageView]:
    """Five stages with every kind of block; public-domain poems, invented numbers."""
    found = f.decode((DATA / "findings.json").read_bytes())

    def told(*sections: str) -> list[f.Finding]:
        return [block for block in found if block.section in sections]

    sizes = {"poetry": 311_855, "lyrics": 21_050, "news": 3_147, "reviews": 35_124, "manual": 619}
    raw = {
        name: Counts(
            read=n * (12 if name == "news" else 1), kept=n - n // 37, joined=n * 11 if name == "news" else 0,
            dropped={"short": n // 50, "language": n // 37 - n // 50 - (name == "reviews")},
            quarantined={"encoding": 1} if name == "reviews" else {},
            characters=n * 64, han=n * 59, bytes=n * 190,
        )
        for name, n in sizes.items()
    }  # fmt: skip
    unique = {
        name: Counts(
            read=counts.kept, kept=counts.kept - counts.kept // 7, characters=counts.characters * 6 // 7,
            dropped={"exact duplicate": counts.kept // 9, "near duplicate": counts.kept // 7 - counts.kept // 9},
            han=counts.han * 6 // 7, bytes=counts.bytes * 6 // 7,
        )
        for name, counts in raw.items()
    }  # fmt: skip
    licenses = dict.fromkeys(sizes, "MIT") | {"news": "LicenseRef-unclear", "manual": "BSD-3-Clause"}
    documents = stage("documents", counts=raw, sources=[source(n, licenses[n]) for n in sizes], findings=told("corpus"))
    corpus = stage("corpus", parents=[documents], counts=unique, findings=told("dedup"))
    tokenizer = stage("tokenizer", parents=[corpus], findings=told("tokenizer"))
    tokens = stage("tokens", parents=[corpus, tokenizer], findings=told("tokens"))
    pretrain = stage("pretrain", parents=[tokens], findings=told("training", "provenance"))
    return [documents, corpus, tokenizer, tokens, pretrain]


def every_block(text: str) -> list[f.Finding]:
    """Each kind of block with the text wherever a text can stand."""
    return [
        f.Figures(text, [(text, text, text)], section="corpus"),
        f.Table(text, [text, text], [[text, 1], [text, 2.5]], text, section="corpus"),
        f.Bars(text, text, [(text, 3), (text, -1)], text, section="corpus"),
        f.Funnel(text, [text, text], [(text, [2, 1])], text, section="dedup"),
        f.Histogram(text, text, [1, 2, 3], [(text, [4, 5])], text, section="tokens"),
        f.Curve(text, text, text, [(text, [(0, 1), (1, 2)])], [(text, 1)], text, section="training"),
        f.SideBySide(text, text, text, [f.Pair(text, text + "x", text), f.Pair("", text)], text, section="dedup"),
        f.Examples(text, [(text, text, text)], text, section="provenance"),
    ]


def test_the_whole_road_is_told() -> None:
    run = example_run()
    outline = read(render_report(run, recipe_name="sample"))
    text = outline.text
    for view in run:
        assert view.manifest.id in text
        assert view.manifest.record.key in text
    for words in ("BSD-3-Clause", "LicenseRef-unclear", "3.11.7", "near duplicate", "更上一", "unigram entropy"):
        assert words in text
    assert [t for t, _ in outline.tags if t in ("script", "img", "iframe", "form", "object")] == []
    assert "not on this page" not in text
    assert "does not add up" not in text


def test_differences_are_marked_in_both_texts() -> None:
    pair = f.Pair("更上一層樓。", "更上一重樓。")
    block = f.SideBySide("t", "a", "b", [pair], section="dedup")
    page = render_report([stage("corpus", findings=[block])])
    assert "更上一<del>層</del>樓。" in page
    assert "更上一<ins>重</ins>樓。" in page


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    counts = {text: Counts(read=3, kept=1, dropped={text: 1}, quarantined={text: 1})}
    safe = text.encode("utf-8", "replace").decode()
    views = [
        stage("documents", findings=every_block(text), counts=counts, sources=[source(safe, safe)]),
        stage(safe, counts=counts),
    ]
    read(render_report(views, recipe_name=text))


def test_a_long_id_may_break_behind_its_slashes_and_nowhere_else() -> None:
    table = f.Table("t", ["id"], [["poetry/全唐诗/poet.tang.0.json#7"]], section="corpus")
    page = render_report([stage("corpus", findings=[table])])
    assert "<td>poetry/<wbr>全唐诗/<wbr>poet.tang.0.json#7</td>" in page


def test_what_is_hostile_can_still_be_read() -> None:
    outline = read(render_report([stage("corpus", findings=every_block(HOSTILE[0]))]))
    assert outline.text.count(HOSTILE[0]) > 20
    outline = read(render_report([stage("corpus", findings=every_block("李\u202e白\x00"))]))
    assert "李⟨U+202E⟩白⟨U+0000⟩" in outline.text


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_no_text_breaks_the_page(text: str) -> None:
    read(render_report([stage("corpus", findings=every_block(text))], recipe_name=text))


def test_the_policy_allows_our_style_and_nothing_else() -> None:
    page = render_report(example_run())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].replace("&#39;", "'").split(";"))
    assert rules["default-src"] == "'none'"
    assert set(rules) == {"default-src", "style-src", "img-src", "base-uri", "form-action"}
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert rules["style-src"] == f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"
    assert "url(" not in style
    assert "@import" not in style


def test_same_manifests_give_the_same_bytes() -> None:
    assert render_report(example_run(), recipe_name="x") == render_report(example_run(), recipe_name="x")


@pytest.mark.parametrize("views", [[], [stage("corpus")]])
def test_nothing_to_tell_is_a_page_too(views: list[StageView]) -> None:
    read(render_report(views))


@pytest.mark.parametrize("n", [1, 40])
def test_any_number_of_sources_fits(n: int) -> None:
    names = [f"源{i}" for i in range(n)]
    counts = {name: Counts(read=10**15, kept=10**15 - 1, dropped={"short": 1}, characters=10**18) for name in names}
    blocks: list[f.Finding] = [
        f.Funnel(
            "f", ["a", "b", "c", "d", "e", "f", "g"], [(x, [9, 8, 7, 6, 5, 4, 3]) for x in names], section="dedup"
        ),
        f.Histogram("h", "u", [0, 1], [(x, [10**17]) for x in names], section="corpus"),
        f.Curve("c", "x", "y", [(x, [(0, i), (1, 1e308)]) for i, x in enumerate(names)], section="training"),
        f.Bars("b", "u", [(x, 10.0**i) for i, x in enumerate(names)], section="corpus"),
    ]
    view = stage("documents", counts=counts, sources=[source(x) for x in names], findings=blocks)
    assert "999,999,999,999,999" in read(render_report([view])).text


def test_a_broken_equation_and_a_foreign_parent_are_shown() -> None:
    stranger = stage("documents", counts={"a": Counts(read=1, kept=1)})
    view = stage("corpus", parents=[stranger], counts={"a": Counts(read=2, kept=1)})
    text = read(render_report([view])).text
    assert "does not add up" in text
    assert "not on this page" in text


def test_long_texts_are_cut_and_say_so() -> None:
    block = f.Examples("t", [("a", "天" * 10_000, "")], section="corpus")
    text = read(render_report([stage("documents", findings=[block])])).text
    assert "天" * 481 not in text
    assert "… 9,520 characters more" in text


def write_run(root: Path) -> list[Path]:
    folders = []
    for view in example_run():
        folder = root / view.folder
        folder.mkdir()
        write_manifest(folder, view.manifest.identity, view.manifest.record)
        (folder / "findings.json").write_bytes(f.encode(view.findings))
        (folder / "run.json").write_text(json.dumps({"host": "workstation-7", "started": "2031-01-02T03:04:05Z"}))
        folders.append(folder)
    return folders


def test_a_run_on_disk_becomes_one_file(tmp_path: Path) -> None:
    folders = write_run(tmp_path)
    out = write_report("sample", folders, tmp_path / "report.html")
    page = out.read_text(encoding="utf-8")
    assert page == render_report(example_run(), recipe_name="sample")
    assert "workstation-7" not in page
    assert "2031" not in page
    assert not list(tmp_path.glob("*.tmp"))


def test_the_headline_fits_a_terminal(tmp_path: Path) -> None:
    lines = summary_lines("sample", write_run(tmp_path))
    assert len(lines) <= 16
    told = "\n".join(lines)
    for words in ("371,795", "1.53 → 0.71", "10.95 → 8.08", "dropped by corpus: exact duplicate"):
        assert words in told


def test_sources_stand_in_the_order_of_the_recipe_everywhere() -> None:
    page = render_report(example_run(), recipe_name="sample")
    accounts = page[page.index('id="accounts"') :]
    for table in re.findall(r"<tbody>.*?</tbody>", accounts, re.DOTALL)[:2]:
        names = re.findall(r"\b(poetry|lyrics|news|reviews|manual)\b", table)
        assert list(dict.fromkeys(names)) == ["poetry", "lyrics", "news", "reviews", "manual"]


def test_what_a_recipe_asks_of_its_sources_stands_beside_what_they_have() -> None:
    asked = [
        msgspec.convert(
            {"name": name, "format": "lines", "where": ".", "license": "MIT", "profile": "poetry", "weight": weight},
            Source,
        )
        for name, weight in (("poetry", 1.0), ("lyrics", 4.0))
    ]
    page = read(render_report(example_run(), sources=asked)).text
    assert "What each source has and is asked for" in page
    assert "What each source has and is asked for" not in read(render_report(example_run())).text
    counts = example_run()[1].counts
    held = counts["lyrics"].characters / (counts["poetry"].characters + counts["lyrics"].characters)
    assert f"{100 * 4 * held / (4 * held + 1 - held):.2f}" in page


def test_a_stage_without_findings_is_still_in_the_chain(tmp_path: Path) -> None:
    folders = write_run(tmp_path)
    (folders[0] / "findings.json").unlink()
    page = write_report("sample", folders, tmp_path / "report.html").read_text(encoding="utf-8")
    assert example_run()[0].manifest.id in page


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    folders = write_run(tmp_path)
    (folders[1] / "findings.json").write_bytes(b"[{}]")
    with pytest.raises(InputError, match=r"corpus-.*findings\.json"):
        write_report("sample", folders, tmp_path / "report.html")
    (folders[1] / "manifest.json").unlink()
    with pytest.raises(VerificationError, match="corpus-"):
        write_report("sample", folders, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
