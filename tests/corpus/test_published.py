"""Corpora that cannot be had here, in bytes made after what their publishers say of them: shape, names, endings."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from siku_corpus.containers import Part, iterate_parts, read_part
from siku_corpus.records import Bad, Document, Item, Refused, batches
from siku_corpus.sources import FORMATS, load_reader


def line(**record: Any) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


SQUAD = {
    "version": "v1.0",
    "data": [{"id": "TRIAL_800", "title": "泡泡战士", "paragraphs": [{
        "id": "TRIAL_800", "context": "《泡泡战士》是一款射击游戏。",
        "qas": [{"id": "TRIAL_800_QUERY_0", "question": "是什么游戏？",
                 "answers": [{"text": "射击游戏", "answer_start": 9}]}]}]}],
}  # fmt: skip
C3 = [[["女：你好。", "男：再见。"], [{"question": "谁先说话？", "choice": ["女", "男"], "answer": "女"}], "m-1"]]
CHID = {"content": ["他#idiom000378#地走了。"], "candidates": ["一概而论", "生死存亡"]}

PUBLISHED: list[tuple[str, str, str, list[str]]] = [
    # CLUE v1, https://github.com/CLUEbenchmark/CLUE
    ("clue", "afqmc_public/train.json", line(sentence1="花呗可以开吗", sentence2="花呗怎么开", label="0"),
     ["花呗可以开吗\n花呗怎么开"]),
    ("clue", "cmnli_public/train.json", line(sentence1="他来了", sentence2="他没来", label="contradiction"),
     ["他来了\n他没来"]),
    ("clue", "ocnli_public/train.50k.json",
     line(level="medium", sentence1="身上裹一件大衣", sentence2="身上没有衣服", label="contradiction", label0="c",
          genre="lit", prem_id="lit_635", id=0), ["身上裹一件大衣\n身上没有衣服"]),
    ("clue", "tnews_public/train.json",
     line(label="102", label_desc="news_entertainment", sentence="江疏影甜甜圈自拍", keywords="江疏影,自拍"),
     ["江疏影甜甜圈自拍"]),
    ("clue", "iflytek_public/train.json", line(label="11", label_des="薅羊毛", sentence="享学派是一款教育平台。"),
     ["享学派是一款教育平台。"]),
    ("clue", "csl_public/train.json",
     line(id=1, abst="为解决传统均匀FFT波束形成算法，提出了新方法。", keyword=["水声", "FFT"], label="1"),
     ["为解决传统均匀FFT波束形成算法，提出了新方法。"]),
    ("clue", "cluewsc2020_public/train.json",
     line(target={"span2_index": 28, "span1_index": 0, "span1_text": "马克", "span2_text": "他"}, idx=0, label="false",
          text="马克告诉皮特许多关于他自己的谎言。"), ["马克告诉皮特许多关于他自己的谎言。"]),
    ("clue", "chid_public/train.json", json.dumps(CHID, ensure_ascii=False) + "\n", []),
    ("clue", "c3_public/d-train.json", json.dumps(C3, ensure_ascii=False, indent=2),
     ["女：你好。\n男：再见。\n谁先说话？\n女"]),
    ("clue", "cmrc2018_public/train.json", json.dumps(SQUAD, ensure_ascii=False),
     ["《泡泡战士》是一款射击游戏。\n是什么游戏？\n射击游戏"]),
    ("clue", "drcd_public/train.json", json.dumps(SQUAD, ensure_ascii=False, indent=4),
     ["《泡泡战士》是一款射击游戏。\n是什么游戏？\n射击游戏"]),
    # ChineseGLUE, https://github.com/chineseGLUE/chineseGLUE
    ("clue", "tnews/toutiao_category_train.txt", "6552391948794069256_!_106_!_news_house_!_北京买房_!_买房,首付\n",
     ["北京买房"]),
    ("clue", "inews/train.txt", "0_!_00005a3efe934a19adc0b69b05faeae7_!_题目一_!_正文一句。\n", ["题目一\n正文一句。"]),
    ("clue", "thucnews/train.txt", "0_!_体育_!_1040.txt_!_湖人赢球。\n", ["湖人赢球。"]),
    ("clue", "lcqmc/train.txt", "喜欢打篮球的男生\t爱打篮球的男生\t1\n", ["喜欢打篮球的男生\n爱打篮球的男生"]),
    # COIG, https://huggingface.co/datasets/BAAI/COIG
    ("coig", "translated_instructions.jsonl",
     line(origin_id="seed_task_1", trans_instruction="写一首诗", trans_input="", trans_output="春眠不觉晓。"),
     ["写一首诗\n春眠不觉晓。"]),
    ("coig", "exam_instructions.jsonl",
     line(textbox_q_instruction="回答下面的选择题", textbox_q_context="", textbox_question="1+1=？ A.1 B.2",
          textbox_answer="B", textbox_answer_analysis="一加一得二。", subject="数学", qtype="选择", grade="小学"),
     ["回答下面的选择题\n1+1=？ A.1 B.2\n一加一得二。\nB"]),
    ("coig", "human_value_alignment_instructions_part1.json",
     json.dumps([{"instruction": "要诚实吗", "input": "", "output": "要。"}], ensure_ascii=False, indent=1),
     ["要诚实吗\n要。"]),
    ("coig", "leetcode_instructions.jsonl",
     line(instruction="给出代码的解释", input=["def f():", "    return 1"], output="返回一。", task_type="code"),
     ["给出代码的解释\ndef f():\n    return 1\n返回一。"]),
    # nlp_chinese_corpus, https://github.com/brightmart/nlp_chinese_corpus
    ("wikipedia-extracted", "wiki_zh/AA/wiki_00",
     line(id="53", url="https://zh.wikipedia.org/wiki?curid=53", title="经济学", text="经济学\n\n经济学是一门学问。"),
     ["经济学是一门学问。"]),
    ("translation2019zh", "translation2019zh_train.json", line(english="In Italy, yes.", chinese="在意大利，是的。"),
     ["In Italy, yes.\n在意大利，是的。"]),
    ("jsonl", "web_text_zh_train.json",
     line(qid=65618973, title="AlphaGo 只会下围棋吗？", desc="", topic="机器人", star=3, content="它只会下围棋。",
          answer_id=545576062, answerer_tags="人工智能"), ["它只会下围棋。"]),
    # CLUECorpus2020 and CLUECorpusSmall
    ("blocks", "comments/part_0.txt",
     "第一篇第一行\n第一篇第二行\n\n第二篇\n\n\n第三篇",
     ["第一篇第一行\n第一篇第二行", "第二篇", "第三篇"]),
    # Firefly-LLaMA2-Chinese's pretraining mix
    ("jsonl", "firefly-pretrain/news.jsonl", line(text="新华社北京电。", source="news"), ["新华社北京电。"]),
    # CSL, csl_camera_readly.tsv and its benchmark
    ("csl", "csl_camera_readly.tsv", "0\t题目\t摘要。\t词一_词二\t计算机\t工学\n", ["题目\n摘要。"]),
]  # fmt: skip


def read(file: Path, format_: str) -> list[Item]:
    found: list[Item] = []
    for part in iterate_parts(file, 0, file.stat().st_size, format_=FORMATS[format_]):
        found += [part] if not isinstance(part, Part) else read_part(load_reader(format_), part)
    return found


def texts(items: list[Item]) -> list[str]:
    return [item.text for item in items if isinstance(item, Document)]


@pytest.mark.parametrize(("format_", "name", "content", "expected"), PUBLISHED)
def test_a_published_file_is_read(tmp_path: Path, format_: str, name: str, content: str, expected: list[str]) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode())
    items = read(file, format_)
    assert texts(items) == expected
    assert not [item for item in items if isinstance(item, Bad)]
    assert items


@pytest.mark.parametrize(("format_", "name", "content", "expected"), PUBLISHED)
def test_its_half_loses_nothing_silently(
    tmp_path: Path, format_: str, name: str, content: str, expected: list[str]
) -> None:
    data = content.encode()
    file = tmp_path / "half" / Path(name).name
    file.parent.mkdir()
    file.write_bytes(data[: len(data) * 3 // 5] + b"\xff\x00\n")
    found = list(batches(read(file, format_)))
    assert sum(batch.read for batch in found) >= 1
    assert sum(len(batch.bad) + len(batch.refused) + batch.documents.num_rows for batch in found) >= 1


def test_a_task_is_read_from_its_zip(tmp_path: Path) -> None:
    file = tmp_path / "afqmc_public.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("train.json", "dev.json", "__MACOSX/._train.json"):
            archive.writestr(name, line(sentence1="一", sentence2="二", label="0"))
    items = read(file, "clue")
    assert texts(items) == ["一\n二", "一\n二"]
    assert [item.reason for item in items if isinstance(item, Refused)] == ["system_file"]


def test_talks_are_read_from_their_archive(tmp_path: Path) -> None:
    """COIG's counterfactural_correction_multi_round_chat.tar.gz: a JSON object a talk, some thousand files."""
    talk = {
        "round_0": {"turn": 0, "response": json.dumps({"Q": "问一", "A": "答一"}, ensure_ascii=False)},
        "round_1": {"turn": 1, "response": {"Q": "问二", "A": "答二"}},
    }
    file = tmp_path / "counterfactural_correction_multi_round_chat.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        for number in range(3):
            data = json.dumps(talk, ensure_ascii=False, indent=number or None).encode()
            info = tarfile.TarInfo(f"counterfactural_correction_multi_round_chat/{number}.json")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert texts(read(file, "coig")) == ["问一\n答一\n问二\n答二"] * 3
