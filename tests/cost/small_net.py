"""A small network with what real ones have, and its cost worked out by hand."""

import torch
from torch import nn

LEADS, SAMPLES, CLASSES, BATCH = 3, 64, 4, 8


class SmallNet(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv1d(LEADS, width, 7, stride=2, padding=3)
        self.norm = nn.BatchNorm1d(width)
        self.block = nn.Conv1d(width, width, 5, padding=2)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(width, CLASSES)

    def features(self, signals):
        hidden = torch.relu(self.norm(self.stem(signals)))
        return hidden + torch.relu(self.block(hidden))

    def forward(self, signals, lengths=None):
        return self.head(self.dropout(self.features(signals).mean(-1)))


def forward_macs(width: int = 8, samples: int = SAMPLES) -> int:
    """Multiply-adds of one sample, by hand."""
    half = samples // 2
    return half * LEADS * width * 7 + half * width * width * 5 + width * CLASSES


def backward_macs(width: int = 8, samples: int = SAMPLES) -> int:
    """Twice the forward, but for the gradient of the input, which nobody needs."""
    stem = samples // 2 * LEADS * width * 7
    return 2 * forward_macs(width, samples) - stem
