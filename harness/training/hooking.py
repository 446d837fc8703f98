"""The hooks of one run: the core's defaults with the cell's strategies over them."""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from harness.hooks import PROJECT, PlanHooks, TrainingHooks
from harness.plugin import Strategy
from harness.training.defaults import Defaults


def plugin_manager(strategies: Sequence[Strategy]) -> pluggy.PluginManager:
    """The core's defaults, with the cell's strategies over them in their order.

    Of composed strategies the first named is asked first, and wraps the others.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(PlanHooks)
    manager.add_hookspecs(TrainingHooks)
    manager.register(Defaults(), name="defaults")
    # pluggy asks whoever was registered last first.
    for strategy in reversed(strategies):
        manager.register(strategy, name=strategy.name)
    manager.check_pending()
    return manager
