"""The recurrent network of the LSTM methods, with optional attention over the last hidden states."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vadose.producer.methods.attention import AttentionScore, Score
from vadose.producer.training.drawing import dropout_factors as dropout_factors
from vadose.producer.training.drawing import seeded as seeded

# Log variances of the standardised target outside this range have no meaning.
LOG_VARIANCE = (-8.0, 4.0)
# Scores stay within this of zero, where their exponential is exact enough; before the first day they are -infinity.
HIGHEST_SCORE = 30.0
NEVER = -float("inf")
# Raised when the same settings make another network, so that old checkpoints and models are not taken for new ones.
FORMAT = 2

Keep = tuple[Tensor | None, Tensor | None]


@dataclass(frozen=True)
class Shape:
    """Size of the network; `attention` is the number of hidden states that are pooled by their `score`, 0 for none."""

    daily: int
    static: int
    hidden: int
    layers: int = 1
    attention: int = 0
    score: Score = "relu"


@dataclass(frozen=True)
class State:
    """What the network carries from one stretch of days to the next."""

    hidden: Tensor
    cell: Tensor
    scores: Tensor
    outputs: Tensor


class RecurrentNetwork(nn.Module):
    """Linear, ReLU, LSTM, then a Gaussian head on the last state, with attention also on the pooled last states.

    The attention score of the state `l` days back is that of `AttentionScore` plus a learned bias of the lag `l`. The
    head reads the present state beside the pooled one (our choice: the pooled state alone answers rain too slowly). It
    is linear and the weights sum to one, so that pooling what it makes of each state equals what it makes of the
    pooled state.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.inputs = nn.Linear(shape.daily + shape.static, shape.hidden)
        self.lstm = nn.LSTM(shape.hidden, shape.hidden, shape.layers)
        self.head = nn.Linear(shape.hidden, 2)
        if shape.attention:
            self.score = AttentionScore(shape.hidden, shape.score)
            self.context = nn.Linear(shape.hidden, 2, bias=False)
            self.lag_bias = nn.Parameter(-torch.arange(shape.attention, dtype=torch.float32).flip(0))
        with torch.no_grad():
            for name, parameter in self.lstm.named_parameters():
                if name.startswith("bias_ih"):
                    parameter[shape.hidden : 2 * shape.hidden] = 1.0

    def start(self, batch: int) -> State:
        """The state before the first day."""
        shape = self.shape
        zero = torch.zeros(shape.layers, batch, shape.hidden)
        past = max(shape.attention - 1, 0)
        return State(zero, zero, torch.full((past, batch), NEVER), torch.zeros(past, batch, 2))

    def forward(
        self, daily: Tensor, static: Tensor, state: State, *, keep: Keep = (None, None), reduced: bool = False
    ) -> tuple[Tensor, State]:
        """Mean and log variance of the standardised target, (time, cell, 2), and the state after the last day.

        Parameters
        ----------
        daily, static
            Channels (time, cell, channel) and (cell, channel).
        state
            From `start`, or from the stretch of days before.
        keep
            Dropout factors of what enters the LSTM and of its states, each (time, cell, hidden) or nothing.
        reduced
            Run the LSTM itself in bfloat16.
        """
        hidden, state = self._run(daily, static, state, keep=keep, reduced=reduced)
        return self._finish(hidden, state)[:2]

    def attention(self, daily: Tensor, static: Tensor, state: State) -> Tensor:
        """Attention weights (time, cell, lag), the present day last; they sum to one."""
        hidden, state = self._run(daily, static, state, keep=(None, None), reduced=False)
        return self._finish(hidden, state, with_weights=True)[2]

    def _run(self, daily: Tensor, static: Tensor, state: State, *, keep: Keep, reduced: bool) -> tuple[Tensor, State]:
        count = self.shape.daily
        seen = functional.linear(daily, self.inputs.weight[:, :count])
        seen = torch.relu(seen + functional.linear(static, self.inputs.weight[:, count:], self.inputs.bias))
        if keep[0] is not None:
            seen = seen * keep[0]
        with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
            hidden, (h, c) = self.lstm(seen, (state.hidden, state.cell))
        hidden = hidden.float()
        if keep[1] is not None:
            hidden = hidden * keep[1]
        return hidden, State(h, c, state.scores, state.outputs)

    def _finish(self, hidden: Tensor, state: State, *, with_weights: bool = False) -> tuple[Tensor, State, Tensor]:
        present = self.head(hidden)
        lags = self.shape.attention
        if not lags:
            return clamped(present), state, present.new_ones((*present.shape[:2], 1))
        scores = torch.cat([state.scores, self.score(hidden).clamp(-HIGHEST_SCORE, HIGHEST_SCORE)])
        outputs = torch.cat([state.outputs, self.context(hidden)])
        strength, size = scores.exp(), hidden.shape[0]
        factors = self.lag_bias.exp()
        # Softmax over a sliding window, written as sums over the lags of shifted series.
        shares = [factors[k] * strength[k : k + size] for k in range(lags)]
        total = torch.stack(shares).sum(dim=0)
        pooled = sum(
            (shares[k][..., None] * outputs[k : k + size] for k in range(1, lags)),
            shares[0][..., None] * outputs[:size],
        )
        pooled = pooled / total[..., None]
        weights = torch.stack([share / total for share in shares], dim=-1) if with_weights else total
        past = lags - 1
        carried = State(state.hidden, state.cell, scores[scores.shape[0] - past :], outputs[outputs.shape[0] - past :])
        return clamped(present + pooled), carried, weights


def clamped(outputs: Tensor) -> Tensor:
    """Mean and log variance (..., 2), the latter within its range."""
    mean, log_variance = outputs.unbind(dim=-1)
    return torch.stack([mean, log_variance.clamp(*LOG_VARIANCE)], dim=-1)


def beta_nll(outputs: Tensor, target: Tensor, counts: Tensor, beta: float = 0.5) -> Tensor:
    """Gaussian negative log likelihood weighted by variance to the power beta, mean over where `counts` (Seitzer 2022).

    `outputs` is (time, cell, 2), `target` and `counts` (time, cell).
    """
    mean, log_variance = outputs.unbind(dim=-1)
    variance = log_variance.exp()
    loss = 0.5 * ((target - mean) ** 2 / variance + log_variance) * variance.detach() ** beta
    return (loss * counts).sum() / counts.sum().clamp(min=1.0)


def initialised(shape: Shape, seed: int) -> RecurrentNetwork:
    """A network whose first weights depend only on the seed."""
    with seeded(seed):
        return RecurrentNetwork(shape)
