"""Single questions to a worker, beside the runs: plain functions that import torch when a worker calls them."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Row = tuple[float, ...]
Rows = tuple[Row, ...]


def batchnorm_gradients(x: Rows, gamma: Row, beta: Row, dout: Rows, eps: float) -> tuple[Array, Array, Array]:
    """Return what autograd says of PyTorch's own batchnorm in train mode: dL/dx (N, D), dL/dgamma and dL/dbeta (D,).

    x, dout (N, D); gamma, beta (D,), in double precision; as tuples, which a page may keep the answer by.
    """
    import torch

    leaves = [torch.tensor(array, dtype=torch.float64, requires_grad=True) for array in (x, gamma, beta)]
    y = torch.nn.functional.batch_norm(leaves[0], None, None, leaves[1], leaves[2], training=True, eps=eps)
    dx, dgamma, dbeta = (g.numpy() for g in torch.autograd.grad(y, leaves, torch.as_tensor(dout, dtype=torch.float64)))
    return dx, dgamma, dbeta
