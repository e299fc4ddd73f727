"""What follows every normalization of a stack of networks: a learned scale and shift, y = gamma x_hat + beta."""

from collections.abc import Sequence

import torch
from torch import Tensor

from bnviz.nn.descent import Descent
from bnviz.nn.layers import Parameter


class Affine:
    """gamma and beta of one layer of V networks, (V, ...) as x_hat is broadcast; beta None for a scale alone.

    A layer that is not affine keeps gamma and beta as they are, at first 1 and 0: their gradients are masked.
    """

    def __init__(self, affine: Sequence[bool], gammas: Sequence[Parameter], betas: Sequence[Parameter | None]) -> None:
        value = gammas[0].value
        mask = torch.tensor(affine, dtype=value.dtype, device=value.device).view(-1, *[1] * value.dim())
        self.affine = None if all(affine) else mask
        self.gamma = Parameter.stack(list(gammas))
        shifts = [beta for beta in betas if beta is not None]
        self.beta = Parameter.stack(shifts) if shifts else None
        self.delta_gamma = self.delta_beta = torch.empty(0)  # the loss gradients, set by a backward pass

    def applied(self, x_hat: Tensor) -> Tensor:
        """Return gamma x_hat + beta."""
        y = x_hat * self.gamma.value
        return y if self.beta is None else y.add_(self.beta.value)

    def parameters(self) -> list[Parameter]:
        return [self.gamma] if self.beta is None else [self.gamma, self.beta]

    def gradients(self) -> list[Tensor]:
        """Return the loss gradient of each parameter; zero for a layer that does not learn it."""
        found = [self.delta_gamma] if self.beta is None else [self.delta_gamma, self.delta_beta]
        return found if self.affine is None else [gradient * self.affine for gradient in found]

    def update(self, descent: Descent) -> None:
        for parameter, gradient in zip(self.parameters(), self.gradients(), strict=True):
            if self.affine is None:
                parameter.descend(gradient, descent, decays=descent.decays_all)
                continue
            if parameter.velocity is not None:  # of a layer that was affine until now
                parameter.velocity.mul_(self.affine)
            if descent.decays_all and descent.weight_decay:
                gradient = gradient.add(parameter.value * self.affine, alpha=descent.weight_decay)
            parameter.descend(gradient, descent)
