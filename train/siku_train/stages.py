"""The stage of this room; light, so that a finished run is recognised before torch is imported."""

from siku_manifests.stage import Phase, Stage

PRETRAIN = Stage(
    name="pretrain",
    room="siku_train",
    help="Train adapters, embeddings and head of a base model on packed windows of the corpus (QLoRA).",
    parents=("tokenizer", "tokens"),
    sections=("seed", "pretrain"),
    free=(
        "pretrain.keep_checkpoints",
        "pretrain.loader_workers",
        "pretrain.max_loss_leap",
        "pretrain.processes",
        "pretrain.report_to",
        "pretrain.save_every",
        "pretrain.sharding",
    ),
    source_fields=("name", "weight", "share"),
    portable=False,
    uses=("siku_tokenize",),
    libraries=("accelerate", "bitsandbytes", "numpy", "peft", "torch", "transformers"),
    phases=(Phase("train", "siku_train.build:plan", "siku_train.build:train", resumable=True),),
    finish="siku_train.build:finish",
)
