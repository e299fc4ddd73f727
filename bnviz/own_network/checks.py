"""What a user hands over, looked at before anything is done with it: each error names the argument."""

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter


def checked_model(model: object) -> nn.Module:
    """Return the model. Raises ValueError for what is no module, has no parameters, or none yet, or takes no hooks."""
    if not isinstance(model, nn.Module):
        raise ValueError(f"model: give a torch.nn.Module, got {type(model).__name__}")
    if isinstance(model, torch.jit.ScriptModule):
        raise ValueError("model: a scripted module takes no hooks; give the module that it was made from")
    if not any(True for _ in model.parameters()):
        raise ValueError("model: it has no parameters, so there is nothing to train")
    held = (*model.parameters(), *model.buffers())
    if any(isinstance(p, UninitializedParameter | UninitializedBuffer) for p in held):
        raise ValueError("model: it has lazy layers without parameters yet; put one batch through it first")
    return model


def checked_loss(loss: object) -> Tensor:
    """Return the loss. Raises ValueError for what is no tensor of one number."""
    if not isinstance(loss, Tensor):
        raise ValueError(f"loss: it must be a scalar tensor, got {type(loss).__name__}")
    if loss.numel() != 1:
        raise ValueError(f"loss: it must be a scalar, got shape {tuple(loss.shape)}; take its mean")
    return loss
