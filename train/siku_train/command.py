"""`siku pretrain`."""

from siku_manifests.command import stage_command
from siku_train.stages import PRETRAIN

pretrain = stage_command("pretrain", name="pretrain", help_text=PRETRAIN.help)
