"""The model that is trained: a base, quantised to NF4, with adapters and trained embeddings.

The road is the same for seven billion parameters and for the sample's two small layers: a base in a folder
or on the Hub, `from_pretrained` with bitsandbytes' NF4 and double quantisation, new vocabulary rows, LoRA on
all linear layers, embedding and head trained as they are. Only where the base comes from differs: a recipe
may ask for one that is initialised from the seed, which is then written to a folder like any other.
"""

from pathlib import Path
from typing import Any

from siku_manifests.errors import RecipeError
from siku_manifests.sections import Pretrain
from siku_train.adapters import attach_adapters, train_in_float32
from siku_train.base import load_base
from siku_train.embeddings import NewPieces, extend_vocabulary
from siku_train.loss import check_own_logits, use_chunked_loss
from siku_train.methods import check_method
from siku_train.separation import find_way
from siku_train.starts import begin_with_loftq
from siku_train.validation import without_dropout


def build_model(base: str | Path, options: Pretrain, *, pieces: NewPieces, seed: int) -> Any:
    """Load, extend and adapt: everything between a base model and its first training step.

    Args:
        base: a folder or a name on the Hub.
        options: the recipe's section.
        pieces: what the tokenizer adds to the base's.
        seed: from the recipe.

    Returns:
        A peft model, or with the method `full` the base itself.

    Raises:
        InputError: the base is not there.
        RecipeError: options, tokenizer and base do not go together.
    """
    check_method(options)
    if pieces.spelled and options.embeddings == "frozen":
        msg = (
            '[pretrain] embeddings = "frozen" leaves the rows of new pieces as they began; use "trained", or a '
            'vocabulary as it is with [tokenizer] mode = "unchanged".'
        )
        raise RecipeError(msg)
    model = load_base(base, options)
    extend_vocabulary(model, pieces, start=options.new_rows, seed=seed)
    with without_dropout(model):
        use_chunked_loss(model, find_way(model, options))
        check_own_logits(model)
    if options.gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    if options.method == "full":
        return train_in_float32(model.requires_grad_(True))
    adapted = attach_adapters(model, options, seed=seed)
    if options.adapter_start == "loftq":
        begin_with_loftq(adapted, base, options)
    return adapted
