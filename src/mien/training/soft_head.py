"""A linear head that learns from distributions, and may start from another: what it does not learn, it keeps.

The penalty holds the distance from the head it starts from instead of from zero (Evgeniou and Pontil, "Regularized
multi-task learning", 2004), so that few photos change little.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from mien.training.linear import Head, floored

__all__ = ["fit_soft_head"]

MAX_ITERATIONS = 300
FloatArray = NDArray[np.float32]


def fit_soft_head(
    features: FloatArray,
    shares: FloatArray,
    strength: float,
    *,
    weights: NDArray[np.floating] | None = None,
    allowed: NDArray[np.bool_] | None = None,
    prior: Head | None = None,
) -> Head:
    """Multinomial logistic regression on standardised features, folded into one linear layer of logits.

    Minimises the summed cross-entropy with the shares plus ‖W − W₀‖² / (2 · strength), by L-BFGS.

    Args:
        features: (N, D).
        shares: what is to be answered (N, K), each row summing to 1.
        strength: inverse penalty, as scikit-learn's C.
        weights: (N,), how many faces each one counts as; 1 where None.
        allowed: (N, K), classes that may answer each face; all where None. What is not allowed is neither
            learnt nor unlearnt from that face.
        prior: layer (K, D), (K,) towards which the weights are drawn; zero where None.
    """
    mean, scale = features.mean(0), floored(features.std(0))
    x = torch.from_numpy((features - mean) / scale)
    target = torch.from_numpy(shares.astype(np.float32))
    count = torch.ones(len(x)) if weights is None else torch.from_numpy(weights.astype(np.float32))
    barred = None if allowed is None else torch.from_numpy(~allowed)
    start_weight, start_bias = prior or (np.zeros((shares.shape[1], features.shape[1])), np.zeros(shares.shape[1]))
    before = torch.from_numpy((start_weight * scale).astype(np.float32))
    weight = before.clone().requires_grad_()
    bias = torch.from_numpy((start_bias + start_weight @ mean).astype(np.float32)).requires_grad_()
    solver = torch.optim.LBFGS(
        [weight, bias], max_iter=MAX_ITERATIONS, history_size=20, tolerance_grad=1e-6, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        solver.zero_grad()
        logits = x @ weight.T + bias
        logits = logits if barred is None else logits.masked_fill(barred, -1e4)
        misfit = -(target * logits.log_softmax(1)).sum(1) @ count
        whole = (misfit + (weight - before).square().sum() / (2 * strength)) / count.sum()
        whole.backward()
        return whole

    solver.step(loss)
    layer = weight.detach().numpy() / scale
    return layer.astype(np.float32), (bias.detach().numpy() - layer @ mean).astype(np.float32)
