"""Base models: one that is initialised from the seed, and any other, loaded from a folder or the Hub's cache.

A name on the Hub is pinned to a commit, and code from a repository runs only where a recipe asks for it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM
from transformers.models.falcon import modeling_falcon

from siku_manifests.errors import InputError, RecipeError
from siku_manifests.sections import Pretrain, SeedModel
from siku_train.checkpoint import tensor_file_errors
from siku_train.launch import local_rank

SEEDED = "seed:llama"


def write_seed_base(folder: Path, shape: SeedModel, *, vocabulary: int, seed: int) -> None:
    """Write a LLaMA with random weights, the same bytes for the same arguments.

    Args:
        folder: where `config.json` and `model.safetensors` go.
        shape: its sizes.
        vocabulary: pieces of the base tokenizer.
        seed: decides the weights.
    """
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.positions,
        tie_word_embeddings=False,
        use_cache=False,
    )
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(), tensor_file_errors(folder):
        torch.manual_seed(seed)
        LlamaForCausalLM(config).save_pretrained(folder)


def has_gpu(options: Pretrain) -> bool:
    """Whether a run takes place on a GPU.

    Raises:
        RecipeError: the recipe wants one, and there is none.
    """
    there = torch.cuda.is_available()
    if options.device == "cuda" and not there:
        msg = (
            '[pretrain] device = "cuda", but torch sees no GPU here; run on a machine with one, install a torch that '
            "is built for it, or try a few steps slowly with --set pretrain.device=cpu."
        )
        raise RecipeError(msg)
    return there and options.device != "cpu"


def compute_dtype(options: Pretrain) -> torch.dtype:
    """The number format in which the base computes; `auto` is what the device at hand does best."""
    if options.dtype != "auto":
        found: torch.dtype = getattr(torch, options.dtype)
        return found
    if not has_gpu(options):
        return torch.float32
    # emulated bfloat16 (V100) is several times slower than its float16
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def check_origin(options: Pretrain) -> None:
    """See that a base can be found again, and that no code runs that nobody asked for.

    Raises:
        RecipeError: a name without a commit, or code of a repository without one.
        InputError: a folder that is not there.
    """
    base = options.base
    if base == SEEDED or Path(base).expanduser().is_dir():
        return
    if base.startswith((".", "/", "~")) or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", base):
        msg = f"[pretrain] base = {base!r}: no such folder; give the folder of a model, or a name on the Hub."
        raise InputError(msg)
    if not re.fullmatch(r"[0-9a-f]{40}", options.revision):
        what = "the code of a repository runs" if options.trust_remote_code else "a name on the Hub is used"
        msg = (
            f"[pretrain] base = {base!r}: {what} only at a pinned commit; set revision to its 40 hexadecimal digits "
            f"(git ls-remote https://huggingface.co/{base} HEAD), or give a folder."
        )
        raise RecipeError(msg)


def load_base(name: str | Path, options: Pretrain) -> Any:
    """Load a base model, its linear layers quantised to NF4 when the method is `qlora`.

    Args:
        name: a folder, or a name on the Hugging Face Hub.
        options: method, dtype, device, revision.

    Raises:
        InputError: there is no such model, or its files are damaged.
        RecipeError: it needs code that the recipe does not ask for.
    """
    check_origin(options)
    dtype = compute_dtype(options)
    quantization = None
    if options.method == "qlora":
        quantization = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
            # FSDP shards numbers of one floating-point format only
            bnb_4bit_quant_storage=dtype if options.sharding == "full" else torch.uint8,
        )
    trusted = {"revision": options.revision or None, "trust_remote_code": options.trust_remote_code}
    with _base_errors(name), _plain_linear_layers():
        config = AutoConfig.from_pretrained(name, **trusted)
        model = AutoModelForCausalLM.from_pretrained(
            name,
            config=config,
            quantization_config=quantization,
            dtype=dtype,
            attn_implementation=options.attention,
            # a model that is divided comes to its GPUs layer by layer
            device_map={"": local_rank()} if has_gpu(options) and options.sharding == "none" else None,
            **trusted,
        )
    model.config.use_cache = False
    if options.method == "qlora":
        check_quantised(model)
    return model


@contextmanager
def _plain_linear_layers() -> Iterator[None]:
    """Build Falcon of ordinary linear layers; its own class does the same sum, and bitsandbytes passes it over."""
    own = modeling_falcon.FalconLinear
    modeling_falcon.FalconLinear = torch.nn.Linear
    try:
        yield
    finally:
        modeling_falcon.FalconLinear = own


def check_quantised(model: Any) -> None:
    """See that every linear layer but the head is in NF4.

    Raises:
        RecipeError: bitsandbytes passed one over.
    """
    head = model.get_output_embeddings()
    for name, layer in model.named_modules():
        if isinstance(layer, torch.nn.Linear) and not isinstance(layer, Linear4bit) and layer is not head:
            msg = (
                f'[pretrain] method = "qlora": bitsandbytes leaves {name} of {type(model).__name__} in full precision, '
                f'as a {type(layer).__name__}; use method = "lora".'
            )
            raise RecipeError(msg)


@contextmanager
def _base_errors(name: str | Path) -> Iterator[None]:
    """Turn what transformers says of a base that cannot be loaded into one sentence."""
    what = f"[pretrain] base = {str(name)!r}:"
    try:
        yield
    except (OSError, SafetensorError) as error:
        damaged = isinstance(error, SafetensorError)
        kind = "its weights are damaged" if damaged else "no model there"
        mend = "fetch it again" if damaged else "give a folder or a name on the Hub"
        msg = f"{what} {kind} ({_first_line(error)}); {mend}."
        raise InputError(msg) from error
    except (ValueError, ImportError, KeyError) as error:
        reason = str(error)
        if "trust_remote_code" in reason:
            msg = (
                f"{what} this family's code lies in the model's own repository; read it, then set trust_remote_code = "
                f"true together with revision, or give a base whose code is in transformers (docs/families.md)."
            )
        elif "model type" in reason or "Unrecognized model" in reason:
            msg = f"{what} transformers does not know this kind of model; docs/families.md says which can be used."
        else:
            msg = f"{what} it cannot be loaded ({_first_line(error)})."
        raise RecipeError(msg) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0].rstrip(".")
