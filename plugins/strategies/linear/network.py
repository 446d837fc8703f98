"""One linear layer."""

from __future__ import annotations

from torch import Tensor, nn


class LinearClassifier(nn.Module):
    """Logits as a weighted sum of all samples of all leads."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.classifier = nn.Linear(inputs, outputs)
        # Zero is the one start at which no lead or sample is preferred by chance.
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, signals: Tensor) -> Tensor:
        """Signals of shape (batch, leads, samples) to logits (batch, outputs)."""
        logits: Tensor = self.classifier(signals.flatten(1))
        return logits
