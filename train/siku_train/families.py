"""The families of base models: where their code is, what their layers are called, what can be done with them.

`python -m siku_train.reference docs` writes the table into `docs/families.md`. Nothing in training looks a model
up here: targets, embeddings and the way to separate documents are found in the model itself. The table says what
is found, and the tests hold it to that.
"""

from typing import Literal, NamedTuple

Vocabulary = Literal["SentencePiece", "byte-level"]

LLAMA_LAYERS = ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")


class Family(NamedTuple):
    """One family.

    Attributes:
        name: for people.
        model_type: as in the base's `config.json`.
        code: whether transformers has the code, or the base's own repository.
        targets: linear layers that get an adapter, in alphabetical order.
        embeddings: names of the embedding and of the head.
        separation: how documents are kept apart with eager and sdpa attention; empty where that is only found out
            when the base is loaded.
        vocabulary: whether the tokenizer is SentencePiece, so that it can be extended, or byte-level.
        note: what else to know.
    """

    name: str
    model_type: str
    code: Literal["transformers", "repository"]
    targets: tuple[str, ...]
    embeddings: tuple[str, str]
    separation: Literal["positions", "mask", ""]
    vocabulary: Vocabulary
    note: str = ""


_OWN_MASK = "its code is not written for packed documents: the check at the start decides"
_TIED = "small sizes tie the head to the embedding; both are then trained as one"
_BAICHUAN = ("W_pack", "down_proj", "gate_proj", "o_proj", "up_proj")
_FALCON = ("dense", "dense_4h_to_h", "dense_h_to_4h", "query_key_value")
_LLAMA_ENDS = ("embed_tokens", "lm_head")


def _in_transformers(name: str, model_type: str, vocabulary: Vocabulary, *, note: str = "") -> Family:
    """A family whose layers are named as LLaMA's."""
    return Family(name, model_type, "transformers", LLAMA_LAYERS, _LLAMA_ENDS, "positions", vocabulary, note)


def _in_repository(name: str, targets: tuple[str, ...], ends: tuple[str, str], vocabulary: Vocabulary) -> Family:
    return Family(name, name.lower(), "repository", targets, ends, "", vocabulary, _OWN_MASK)


FAMILIES = (
    _in_transformers("LLaMA, LLaMA-2", "llama", "SentencePiece"),
    _in_transformers("Mistral", "mistral", "SentencePiece", note="its sliding window counts inside a document"),
    _in_transformers("Qwen1.5, Qwen2, Qwen2.5", "qwen2", "byte-level", note=_TIED),
    _in_transformers("Qwen3", "qwen3", "byte-level", note=_TIED),
    _in_transformers("InternLM3", "internlm3", "SentencePiece"),
    Family(
        name="Falcon",
        model_type="falcon",
        code="transformers",
        targets=_FALCON,
        embeddings=("word_embeddings", "lm_head"),
        separation="mask",
        vocabulary="byte-level",
        note="its code does not hand the positions to its mask, so a mask is given; sizes with ALiBi (rw) are refused",
    ),
    _in_repository("Baichuan", _BAICHUAN, _LLAMA_ENDS, "SentencePiece"),
    Family(
        name="Baichuan2",
        model_type="baichuan",
        code="repository",
        targets=_BAICHUAN,
        embeddings=_LLAMA_ENDS,
        separation="",
        vocabulary="SentencePiece",
        note=f"{_OWN_MASK}; its head normalises its rows, as the loss then does, and cannot be extended",
    ),
    _in_repository("Qwen", ("c_attn", "c_proj", "w1", "w2"), ("wte", "lm_head"), "byte-level"),
    _in_repository("InternLM", LLAMA_LAYERS, _LLAMA_ENDS, "SentencePiece"),
    _in_repository("InternLM2", ("w1", "w2", "w3", "wo", "wqkv"), ("tok_embeddings", "output"), "SentencePiece"),
)
