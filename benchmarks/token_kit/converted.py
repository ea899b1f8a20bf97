"""transformers' own reading of a SentencePiece model, as a process of its own in the peers' environment.

    python converted.py TOKENIZER.model LINES.json

Prints one line of JSON: the ids of every line, by LlamaTokenizer made from the model file alone.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from transformers import LlamaTokenizer


def main() -> None:
    model, lines = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(model, Path(folder) / "tokenizer.model")
        tokenizer = LlamaTokenizer.from_pretrained(folder, split_special_tokens=True)
        print(json.dumps(tokenizer(lines, add_special_tokens=False)["input_ids"]))


if __name__ == "__main__":
    main()
