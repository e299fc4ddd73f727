"""What a user hands over, looked at before anything is done with it: each error names the argument."""

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

MOST_LETTERS = 120


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


def checked_name(name: object) -> str:
    """Return the name. Raises ValueError for one that is long, or has signs of markup or such as cannot be printed."""
    if not isinstance(name, str) or len(name) > MOST_LETTERS or not name.isprintable() or set("<>") & set(name):
        raise ValueError(f"name: {str(name)[:40]!r} is not allowed; give up to {MOST_LETTERS} letters, without < and >")
    return name.strip()


def checked_budget(budget: object) -> float:
    """Return the share of the time that looks may take. Raises ValueError for what is no number above 0 to 1."""
    if not isinstance(budget, int | float) or not 0 < budget <= 1:
        raise ValueError(f"budget: {budget!r} is not allowed; give a share of the time, above 0 to 1")
    return float(budget)
