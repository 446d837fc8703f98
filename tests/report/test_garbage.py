"""Garbage is looked for seldom within a report, and as before after it."""

import gc

from harness.report.write import seldom_collected


def test_it_is_looked_for_as_before_afterwards():
    before = gc.get_threshold()
    with seldom_collected():
        assert gc.get_threshold()[0] > before[0]
    assert gc.get_threshold() == before
