"""Attention scores of states, as they are pooled by AtLSTM."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Score = Literal["relu", "additive"]


class AttentionScore(nn.Linear):
    """One score a state: `relu` is ReLU(w h + b), `additive` is v tanh(W h + b) + c.

    The first is the form of DeepCropMapping's public code; it ties all states whose score is not positive, which the
    second (Bahdanau 2015, arXiv 1409.0473) does not.
    """

    def __init__(self, width: int, kind: Score) -> None:
        super().__init__(width, 1)
        self.inner = nn.Linear(width, width) if kind == "additive" else None

    def forward(self, states: Tensor) -> Tensor:
        """Scores (...) of states (..., width)."""
        if self.inner is None:
            return torch.relu(super().forward(states)[..., 0])
        return super().forward(torch.tanh(self.inner(states)))[..., 0]
