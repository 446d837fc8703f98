"""Plain training: what every other strategy is measured against."""

from harness import Strategy


class Baseline(Strategy):
    """Train on every sample of every epoch; all hooks are the core's defaults."""

    name = "baseline"
    batch_independent = True
