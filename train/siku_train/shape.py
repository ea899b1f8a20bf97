"""The shape of a base model from its configuration alone: which matrices it has, and how large they are.

The model is built on the meta device, where tensors have sizes and no contents, so a shape costs no download and
no memory. Configurations of well-known bases stand here as their makers published them; any other base is given
by the path of its `config.json`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from siku_manifests.errors import InputError, RecipeError
from siku_manifests.recipe import Recipe

SEEDED = "seed:llama"


def _llama(hidden: int, intermediate: int, layers: int, heads: int, vocab: int = 32_000, **more: Any) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "vocab_size": vocab,
        "tie_word_embeddings": False,
        **more,
    }


PUBLISHED: dict[str, dict[str, Any]] = {
    "llama-7b": _llama(4096, 11008, 32, 32),
    "llama-13b": _llama(5120, 13824, 40, 40),
    "llama-2-7b": _llama(4096, 11008, 32, 32),
    "llama-2-13b": _llama(5120, 13824, 40, 40),
    "llama-2-70b": _llama(8192, 28672, 80, 64, num_key_value_heads=8),
    "llama-3.1-8b": _llama(4096, 14336, 32, 32, 128_256, num_key_value_heads=8),
    "mistral-7b": _llama(4096, 14336, 32, 32, num_key_value_heads=8, model_type="mistral"),
    "qwen2.5-7b": _llama(3584, 18944, 28, 28, 152_064, num_key_value_heads=4, model_type="qwen2"),
    "qwen2.5-14b": _llama(5120, 13824, 48, 40, 152_064, num_key_value_heads=8, model_type="qwen2"),
    "qwen3-8b": _llama(4096, 12288, 36, 32, 151_936, num_key_value_heads=8, head_dim=128, model_type="qwen3"),
    "falcon-7b": {
        "model_type": "falcon",
        "hidden_size": 4544,
        "num_hidden_layers": 32,
        "num_attention_heads": 71,
        "multi_query": True,
        "parallel_attn": True,
        "new_decoder_architecture": False,
        "bias": False,
        "vocab_size": 65_024,
    },
    # bases whose code lies in their own repository: what their matrices come to, with q, k and v in one
    "baichuan2-7b": _llama(4096, 11008, 32, 32, 125_696, packed="W_pack"),
    "baichuan2-13b": _llama(5120, 13696, 40, 40, 125_696, packed="W_pack"),
    "internlm2-7b": _llama(4096, 14336, 32, 32, 92_544, num_key_value_heads=8, packed="wqkv"),
    "qwen-1.8b": _llama(2048, 5504, 24, 16, 151_936, packed="c_attn"),
    "qwen-7b": _llama(4096, 11008, 32, 32, 151_936, packed="c_attn"),
    "qwen-14b": _llama(5120, 13696, 40, 40, 152_064, packed="c_attn"),
    "qwen-72b": _llama(8192, 24576, 80, 64, 152_064, packed="c_attn"),
}
"""By the end of their name on the Hub, in lower case and without `-hf`, `-base`, `-v0.1`."""

OWN_CODE = {"baichuan": "W_pack", "qwen": "c_attn", "internlm": "", "internlm2": "wqkv"}
"""Model types that transformers does not know, and the name of their q, k and v in one, where they have that."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes of a causal language model."""

    name: str
    layers: int
    hidden: int
    attention: int
    """Width of all heads together."""
    intermediate: int
    """Width of the feed-forward network."""
    vocabulary: int
    tied: bool
    """Whether embedding and head are one matrix."""
    linears: dict[str, tuple[int, int, int]]
    """Inputs, outputs and number of each kind of linear layer, the head left out, by the last part of its name."""
    others: int
    """Parameters that are neither in these layers nor in embedding and head: norms and biases."""

    @property
    def linear_parameters(self) -> int:
        """Parameters of the linear layers without the head."""
        return sum(inputs * outputs * count for inputs, outputs, count in self.linears.values())

    @property
    def matrices(self) -> int:
        """Embedding and head: 2, or 1 where they are tied."""
        return 1 if self.tied else 2

    @property
    def embedding_parameters(self) -> int:
        """Parameters of embedding and head."""
        return self.matrices * self.vocabulary * self.hidden

    def adapted(self, targets: Sequence[str] = ()) -> list[tuple[int, int, int]]:
        """The linear layers that get an adapter: those of the named kinds, or all."""
        return [size for kind, size in self.linears.items() if kind in targets or not targets]

    def adapter_parameters(self, rank: int, targets: Sequence[str] = ()) -> int:
        """Parameters of LoRA on the linear layers of the named kinds, or on all."""
        return sum(rank * (inputs + outputs) * count for inputs, outputs, count in self.adapted(targets))


def published_name(base: str) -> str:
    """Reduce a name on the Hub to a key of `PUBLISHED`.

    Example:
        "meta-llama/Llama-2-7b-hf" -> "llama-2-7b"; "baichuan-inc/Baichuan2-7B-Base" -> "baichuan2-7b"
    """
    name = base.rpartition("/")[2].lower()
    for ending in ("-hf", "-base", "-v0.1", "-v0.3", "-chat"):
        name = name.removesuffix(ending)
    return {"meta-llama-3.1-8b": "llama-3.1-8b", "qwen-1_8b": "qwen-1.8b"}.get(name, name)


def recipe_shape(recipe: Recipe) -> Shape:
    """Give the shape of a recipe's base with the vocabulary of its tokenizer.

    Raises:
        RecipeError: the base is neither seeded, nor in the table, nor a folder with a `config.json`.
        InputError: the `config.json` cannot be used.
    """
    options = recipe.pretrain
    vocabulary = recipe.tokenizer.size if recipe.tokenizer.mode == "extend" else 0
    if options.base == SEEDED:
        seed = options.model
        config = _llama(seed.hidden, seed.intermediate, seed.layers, seed.heads)
    else:
        config = read_config(options.base)
    return read_shape(config, name=options.base, vocabulary=vocabulary)


def read_config(base: str) -> dict[str, Any]:
    """Find the configuration of a base: a file, a folder that has one, or a name in the table.

    Raises:
        RecipeError: there is none.
        InputError: it is no JSON object.
    """
    path = Path(base) / "config.json" if Path(base).is_dir() else Path(base)
    if path.is_file():
        try:
            config = json.loads(path.read_bytes())
        except ValueError as error:
            msg = f"{path}: not a model's configuration ({error}); give the config.json of a base."
            raise InputError(msg) from error
        if isinstance(config, dict) and "model_type" in config:
            return config
        msg = f"{path}: names no model_type; give the config.json of a base."
        raise InputError(msg)
    known = PUBLISHED.get(published_name(base))
    if known is None:
        msg = (
            f"[pretrain] base = {base!r}: its shape is not known here, and nothing is downloaded for an estimate; put "
            f"its config.json somewhere and add --set pretrain.base=FOLDER. Known: {', '.join(PUBLISHED)}."
        )
        raise RecipeError(msg)
    return known


def read_shape(config: dict[str, Any], *, name: str, vocabulary: int = 0) -> Shape:
    """Build the model on the meta device and measure it.

    Args:
        config: the entries of a `config.json`.
        name: for people.
        vocabulary: pieces after an extension; 0 leaves the base's.

    Raises:
        InputError: transformers cannot build it.
    """
    entries = dict(config)
    packed = entries.pop("packed", "")
    if entries["model_type"] in OWN_CODE:
        packed = OWN_CODE[entries["model_type"]]
        if entries["model_type"] == "qwen":  # which counts both of its matrices
            entries["intermediate_size"] //= 2
        entries["model_type"] = "llama"
    entries["vocab_size"] = vocabulary or entries["vocab_size"]
    entries = {
        key: value for key, value in entries.items() if key not in {"auto_map", "architectures", "transformers_version"}
    }
    try:
        settings = AutoConfig.for_model(entries.pop("model_type"), **entries)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(settings)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"{name}: transformers cannot build this base from its configuration ({error})."
        raise InputError(msg) from error
    return measure_shape(model, name=name, packed=packed)


def measure_shape(model: Any, *, name: str, packed: str = "") -> Shape:
    """Measure a model; its tensors may be on the meta device.

    Args:
        model: a transformers causal language model.
        name: for people.
        packed: name of the one layer that stands for q, k and v, where the family has one.
    """
    head, table = model.get_output_embeddings(), model.get_input_embeddings()
    linears: dict[str, tuple[int, int, int]] = {}
    for path, module in model.named_modules():
        if isinstance(module, nn.Linear) and module is not head:
            kind = path.rpartition(".")[2]
            linears[kind] = (module.in_features, module.out_features, linears.get(kind, (0, 0, 0))[2] + 1)
    config = model.config.get_text_config()
    largest_attention = linears.get("o_proj", linears.get("dense", (config.hidden_size, 0, 0)))[0]
    wide = max(max(inputs, outputs) for inputs, outputs, _ in linears.values())
    if packed:
        q, k, v = (linears.pop(f"{part}_proj") for part in "qkv")
        linears[packed] = (q[0], q[1] + k[1] + v[1], q[2])
    counted = sum(inputs * outputs * count for inputs, outputs, count in linears.values())
    tied = head.weight is table.weight
    embedding = table.weight.numel() * (1 if tied else 2)
    return Shape(
        name=name,
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        attention=largest_attention,
        intermediate=getattr(config, "intermediate_size", None) or wide,
        vocabulary=table.weight.shape[0],
        tied=tied,
        linears=linears,
        others=sum(weight.numel() for weight in model.parameters()) - counted - embedding,
    )
