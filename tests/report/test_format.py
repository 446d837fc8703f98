"""Numbers and names as people read them."""

import doctest

import pytest

from harness.report.render import format as wording


def test_the_examples_hold():
    assert doctest.testmod(wording).failed == 0


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 FLOP"),
        (0.5, "0.5 FLOP"),
        (999, "999 FLOP"),
        (1000, "1 kFLOP"),
        (999_600, "1 MFLOP"),
        (1e15, "1 PFLOP"),
        (12_345e18, "12,345 EFLOP"),
    ],
)
def test_prefixes_change_where_the_digits_do(value, shown):
    assert wording.engineering(value, "FLOP") == shown


def test_names_keep_their_underscores_and_lose_their_lines():
    assert wording.escape("se_resnet\n_x_") == r"se_resnet \_x\_"


def test_endless_names_end():
    assert len(wording.plain("x" * 10_000)) < 400
