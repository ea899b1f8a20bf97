"""The model that is trained: a base, quantised to NF4, with adapters and trained embeddings.

The road is the same for seven billion parameters and for the sample's two small layers: a base in a folder
or on the Hub, `from_pretrained` with bitsandbytes' NF4 and double quantisation, new vocabulary rows, LoRA on
all linear layers, embedding and head trained as they are. Only where the base comes from differs: a recipe
may ask for one that is initialised from the seed, which is then written to a folder like any other.
"""

import warnings
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM

from siku_manifests.errors import InputError
from siku_manifests.sections import Pretrain, SeedModel
from siku_train.checkpoint import tensor_file_errors
from siku_train.embeddings import NewPieces, extend_vocabulary
from siku_train.loss import use_chunked_loss

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


def load_base(name: str | Path, options: Pretrain) -> Any:
    """Load a base model, its linear layers quantised to NF4 when the method is `qlora`.

    Args:
        name: a folder, or a name on the Hugging Face Hub.
        options: method and dtype.

    Raises:
        InputError: there is no such model.
    """
    dtype = getattr(torch, options.dtype)
    quantization = None
    if options.method == "qlora":
        quantization = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    try:
        model = AutoModelForCausalLM.from_pretrained(
            name,
            quantization_config=quantization,
            dtype=dtype,
            attn_implementation=options.attention,
            device_map={"": 0} if torch.cuda.is_available() else None,
        )
    except OSError as error:
        reason = str(error).strip().split("\n", 1)[0]
        msg = f"[pretrain] base = {str(name)!r}: no model there ({reason}); give a folder or a name on the Hub."
        raise InputError(msg) from error
    model.config.use_cache = False
    return model


def embedding_names(model: Any) -> tuple[str, ...]:
    """Name the modules of embedding and head as the model's family does.

    Example:
        LLaMA -> ("embed_tokens", "lm_head")
    """
    wanted = [model.get_input_embeddings(), model.get_output_embeddings()]
    return tuple(
        name.rpartition(".")[2] for layer in wanted for name, module in model.named_modules() if module is layer
    )


def linear_names(model: Any) -> tuple[str, ...]:
    """Name the linear layers that get an adapter: all of them but the head.

    Example:
        LLaMA -> ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")
    """
    head = model.get_output_embeddings()
    return tuple(
        sorted(
            {
                name.rpartition(".")[2]
                for name, module in model.named_modules()
                if isinstance(module, nn.Linear) and module is not head
            }
        )
    )


def attach_adapters(model: Any, options: Pretrain, *, seed: int) -> PeftModel:
    """Freeze the base, add LoRA to its linear layers, and train embedding and head in float32.

    Args:
        model: from `load_base`, its vocabulary extended.
        options: rank, alpha, dropout.
        seed: decides the adapters' first weights.
    """
    config = LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,
        lora_dropout=options.dropout,
        target_modules=list(linear_names(model)),
        modules_to_save=list(embedding_names(model)),
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(), warnings.catch_warnings():
        # peft asks transformers by a name that transformers has deprecated
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        torch.manual_seed(seed)
        adapted = get_peft_model(model, config)
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            # Adam's second moment of a half-precision parameter underflows
            parameter.data = parameter.data.float()
    return adapted.train()


def trainable_parameters(model: nn.Module) -> int:
    """Count the parameters that training changes."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def build_model(base: str | Path, options: Pretrain, *, pieces: NewPieces, seed: int) -> PeftModel:
    """Load, extend and adapt: everything between a base model and its first training step.

    Args:
        base: a folder or a name on the Hub.
        options: the recipe's section.
        pieces: what the tokenizer adds to the base's.
        seed: from the recipe.
    """
    model = load_base(base, options)
    extend_vocabulary(model, pieces, start=options.new_rows, seed=seed)
    use_chunked_loss(model)
    return attach_adapters(model, options, seed=seed)
