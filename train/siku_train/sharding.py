"""A model in parts: each process holds a part of every weight and puts a layer together when it is needed (FSDP2).

What is trained comes out whole: checkpoints and adapters have the form of a run that was not divided, so a run may
go on with another number of processes, or with none that share. Trainer is told by an attribute that model and
gradients are taken care of, and does no wrapping of its own.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from siku_train.adapters import core_model
from siku_train.launch import world_size


def shard_model(model: Any, device: torch.device) -> None:
    """Divide a model among all processes, layer by layer, in place.

    Args:
        model: on the CPU or on `device`; the same in all processes.
        device: where this process's parts go.
    """
    mesh = init_device_mesh(device.type, (world_size(),))
    for layer in decoder_layers(core_model(model)):
        fully_shard(layer, mesh=mesh)
    # embedding and head are divided again after each forward pass: after a validation, which no backward pass
    # follows, an optimiser would else be given the whole ones, and train copies
    fully_shard(model, mesh=mesh, reshard_after_forward=True)


def decoder_layers(model: Any) -> nn.ModuleList:
    """Find the layers of a causal language model: its first list of as many modules as its configuration says."""
    wanted = model.config.num_hidden_layers
    return next(part for part in model.modules() if isinstance(part, nn.ModuleList) and len(part) == wanted)


def whole(tensor: Tensor) -> Tensor:
    """Put a divided tensor together on the CPU, in all processes at once; any other is given back as it is."""
    return tensor.full_tensor().cpu() if isinstance(tensor, DTensor) else tensor


def whole_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Give an optimiser's state as if nothing were divided; to be called by all processes at once."""
    state: dict[str, Any] = optimizer.state_dict()
    parts = {
        number: {name: whole(value) if isinstance(value, Tensor) else value for name, value in values.items()}
        for number, values in state["state"].items()
    }
    return {**state, "state": parts}


def load_whole_state(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Give an optimiser a state that was saved whole, divided as its parameters are."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    parts = {number: _like(parameters[number], values) for number, values in state["state"].items()}
    optimizer.load_state_dict({**state, "state": parts})


def _like(parameter: Tensor, values: dict[str, Any]) -> dict[str, Any]:
    """Divide those values of one parameter's state that have its shape."""
    if not isinstance(parameter, DTensor):
        return values
    return {
        name: distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)
        if isinstance(value, Tensor) and value.shape == parameter.shape
        else value
        for name, value in values.items()
    }
