"""Where a run's losses and speed go besides `losses.jsonl`: TensorBoard's files, or what transformers knows."""

import logging
from pathlib import Path

from transformers import TrainerCallback
from transformers.integrations import TensorBoardCallback, is_tensorboard_available
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

from siku_manifests.errors import RecipeError
from siku_manifests.sections import Pretrain

TENSORBOARD = "tensorboard"

logger = logging.getLogger(__name__)


def outside_reporters(options: Pretrain) -> list[str]:
    """List what transformers' own `report_to` shall start: everything but TensorBoard.

    Raises:
        RecipeError: transformers knows no such thing.
    """
    for name in options.report_to:
        if name not in INTEGRATION_TO_CALLBACK:
            msg = (
                f"[pretrain] report_to: {name!r} is not known; there are {', '.join(sorted(INTEGRATION_TO_CALLBACK))}."
            )
            raise RecipeError(msg)
    return [name for name in options.report_to if name != TENSORBOARD]


def reporters(options: Pretrain, folder: Path) -> list[TrainerCallback]:
    """Make TensorBoard's callback if it is asked for and installed; its files go to `folder/tensorboard`.

    transformers' own would begin a folder named by host and minute in every process of a run that is resumed.
    """
    if TENSORBOARD not in options.report_to:
        return []
    if not is_tensorboard_available():
        logger.warning("report_to = tensorboard, but it is not installed (pip install 'siku[train]'); training goes on")
        return []
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  an import that fails where it is absent

    return [TensorBoardCallback(SummaryWriter(str(folder / TENSORBOARD)))]
