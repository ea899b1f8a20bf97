"""Decontamination: by Python's own sets, and what the rule for short questions lets through."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siku_dedup.decontaminate import LONG, RUN, Decontaminator
from siku_dedup.keytext import key_points
from siku_dedup.questions import Question, read_questions
from siku_manifests.errors import InputError
from siku_manifests.recipe import load_recipe
from siku_manifests.runner import recipe_slice
from siku_manifests.sections import Decontaminate
from siku_manifests.stage import find_stage

if TYPE_CHECKING:
    from tests.dedup.conftest import Corpus

IDEA = "中国特色社会主义最本质的特征是"
PARTY = Question("politics.csv", 1, IDEA, ("人民当家作主", "依法治国", "党的领导", "共同富裕"))
ESSAY = Question(
    "essays.txt",
    1,
    "请以故乡的春天为题，写一篇不少于八百字的散文，要求感情真挚，描写细腻，并且至少引用两句唐诗和一句宋词。",
)
ASK = Question("eval.xlsx", 1, "鲁迅和周树人是什么关系？")


def found(questions: list[Question], *texts: str, containment: float = 0.8) -> dict[int, int]:
    keys = key_points(pa.array(texts, pa.string())).points
    result = Decontaminator(questions, containment=containment).find(keys)
    return dict(zip(result.rows.tolist(), result.questions.tolist(), strict=True))


def test_a_question_with_options_needs_them_near() -> None:
    exam = f"12. {IDEA}（　）\nA. 人民当家作主 B. 依法治国 C. 党的领导 D. 共同富裕"
    news = (
        f"会议指出，{IDEA}党的领导。人民当家作主是社会主义民主政治的本质。"
        + "要继续努力。" * 40
        + "共同富裕、依法治国。"
    )
    traditional = "中國特色社會主義最本質的特徵是：①人民當家作主②依法治國③黨的領導④共同富裕"
    assert found([PARTY], exam, news, traditional, IDEA) == {0: 0, 2: 0}


def test_a_long_question_speaks_for_itself_even_if_edited() -> None:
    assert len(ESSAY.text) > LONG
    edited = ESSAY.text.replace("八百", "一千")
    half = ESSAY.text[: len(ESSAY.text) // 2]
    text = "作文题目很多。" * 30
    assert found([ESSAY], text + ESSAY.text + text, text + edited, text + half, containment=0.5) == {0: 0, 1: 0}


def test_a_poem_that_a_question_quotes_is_no_question() -> None:
    poem = "闲来无事不从容，睡觉东窗日已红。万物静观皆自得，四时佳兴与人同。道通天地有形外，思入风云变态中。"
    quoted = Question(
        "history.csv", 1, f"程颢诗云：“{poem}”其体现的主旨是", ("格物致知", "天人合一", "知行合一", "经世致用")
    )
    exam = f"{quoted.text}（）A格物致知B天人合一C知行合一D经世致用"
    assert found(
        [quoted], poem + "富贵不淫贫贱乐，男儿到此是豪雄。" * 3, exam, "　" + quoted.text, containment=0.7
    ) == {1: 0, 2: 0}


def test_a_short_question_without_options_must_lead_or_fill() -> None:
    answer = "鲁迅是周树人的笔名，两个名字说的是同一个人，他是中国现代文学的奠基人之一。" * 5
    chat = "问：鲁迅和周树人是什么关系？答：" + answer
    essay = answer + "有人问，鲁迅和周树人是什么关系？" + answer
    other = "鲁迅和周作人是什么关系？" + answer
    assert found([ASK], chat, essay, other, ASK.text) == {0: 0, 3: 0}


def test_what_says_too_little_is_counted_and_not_looked_for() -> None:
    decontaminator = Decontaminator([Question("q", 1, "讲个笑话"), PARTY], containment=0.8)
    assert decontaminator.too_short == 1
    assert found([Question("q", 1, "讲个笑话")], "讲个笑话") == {}
    assert found([], "春眠不覺曉") == {}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_containment_is_that_of_python_sets(seed: int, share: float) -> None:
    rng = random.Random(seed)
    letters = "甲乙丙丁"
    questions = ["".join(rng.choices(letters, k=rng.randrange(LONG, LONG + 9))) for _ in range(5)]
    documents = []
    for _ in range(8):
        pieces = []
        for _ in range(rng.randrange(4)):
            question = rng.choice(questions)
            low = rng.randrange(len(question))
            pieces.append(question[low : low + rng.randrange(RUN, LONG)] + rng.choice(letters))
        documents.append("".join(pieces) or "甲")

    def runs(text: str) -> set[str]:
        return {text[i : i + RUN] for i in range(len(text) - RUN + 1)}

    def held(question: str, text: str) -> float:
        shared = len(runs(question) & runs(text)) / len(runs(question))
        return shared if question[-RUN:] in text else 0.0

    expected = {row: max(held(question, text) for question in questions) for row, text in enumerate(documents)}
    asked = [Question("q", row, text) for row, text in enumerate(questions)]
    result = Decontaminator(asked, containment=share).find(key_points(pa.array(documents)).points)
    assert dict(zip(result.rows.tolist(), result.containment.tolist(), strict=True)) == pytest.approx(
        {row: value for row, value in expected.items() if value >= share}
    )


def test_the_stage_removes_them_before_deduplication(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text(ESSAY.text + "\n讲个笑话\n", encoding="utf-8")
    clean = "故乡的春天来得很早，河边的柳树先绿了，孩子们在田埂上放风筝，老人坐在门前晒太阳，说着去年的收成。" * 3
    dirty = clean + ESSAY.text
    texts = {"web": [dirty, clean, dirty, "另外一篇文章"], "more": ["无关", dirty]}
    section = Decontaminate(files=(str(tmp_path / "q.txt"),))
    folder, outcome = corpus.build(texts, decontaminate=section, profiles={"web": "web"})
    assert outcome.counts["web"].dropped == {"contaminated": 2}
    assert outcome.counts["more"].dropped == {"contaminated": 1}
    rows = pq.read_table(folder / "dropped" / "web-00000.parquet").to_pylist()
    assert [row["text"] for row in rows] == [dirty, dirty]
    assert ESSAY.text in rows[0]["detail"]
    block = next(block for block in outcome.findings if getattr(block, "title", "") == "Decontamination")
    assert block.rows[-1] == ("all", 2, 1, 3)  # type: ignore[union-attr]


def test_what_was_looked_for_is_part_of_the_key_and_its_place_is_not(tmp_path: Path) -> None:
    source = '[[source]]\nname="a"\nformat="lines"\nwhere="."\nlicense="MIT"\nprofile="web"\n'
    slices = []
    for home, question in (("one", "甲"), ("two", "甲"), ("three", "乙")):
        (tmp_path / home / "q").mkdir(parents=True)
        (tmp_path / home / "q" / "a.txt").write_text(question, encoding="utf-8")
        recipe = tmp_path / home / "recipe.toml"
        recipe.write_text(source + '[decontaminate]\nfiles = ["q"]\n', encoding="utf-8")
        slices.append(recipe_slice(find_stage("corpus"), load_recipe(str(recipe)))["decontaminate"])
    assert slices[0] == slices[1] != slices[2]
    with pytest.raises(InputError, match="no file and no folder"):
        recipe_slice(find_stage("corpus"), load_recipe(str(recipe), ['decontaminate.files=["absent"]']))


def test_published_questions_are_found_in_exam_papers_and_not_in_poems(shared_data: Path) -> None:
    questions = read_questions(shared_data / "cmmlu" / "test" / "marketing.csv")
    papers = [
        "\n".join([q.text, *(f"{letter}、{option}" for letter, option in zip("ABCD", q.options, strict=False))])
        for q in questions
    ]
    hits = found(questions, *papers)
    searchable = [row for row, question in enumerate(questions) if len(question.text) > 12]
    assert set(searchable) <= hits.keys()


def test_every_one_of_130_evaluation_questions_is_found_where_it_is_answered(shared_data: Path) -> None:
    questions = read_questions(shared_data / "firefly" / "firefly-eval.xlsx")
    answer = "这里是一篇很长的回答，说的是别的事情，与题目没有一句相同。" * 20
    talks = [f"问：{question.text}\n答：{answer}" for question in questions]
    assert sorted(found(questions, *talks)) == list(range(130))
    assert found(questions, answer, *["春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。"] * 3) == {}
