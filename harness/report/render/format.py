"""Numbers and names as people read them.

Names come from files and plugins, so each is made harmless for where it's shown.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from harness.report.board.parts import Comparison

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.report.board.parts import FigureInterval, Gain, Holds, Summary

NOT_MEASURED = "-"
SEEDS_ALONE = "‡"
"""Marks an interval that doesn't hold the sampling of test records."""

# An underscore inside a word is no emphasis on GitHub, and names are full of them.
_SYNTAX = re.compile(r"[\\`|<>&*\[\]~#$]|(?<![^\W_])_|_(?![^\W_])")
_ANY_SYNTAX = re.compile(r"[\\`|<>&*\[\]~#$_]")
_ENTITIES = "\\`|<>&"
_LONGEST_LINE = 300


def plain(text: object) -> str:
    """One printable line: no control characters, no line breaks, not endless."""
    line = " ".join(str(text).split())
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return shown if len(shown) <= _LONGEST_LINE else f"{shown[:_LONGEST_LINE]}…"


def escape(text: object) -> str:
    """`plain`, with what markdown, its tables or HTML take for syntax escaped.

    >>> escape("a|b <script>")
    'a&#124;b &#60;script&#62;'
    """
    return _SYNTAX.sub(_escape_one, plain(text))


def escape_html(text: object) -> str:
    """`plain`, as text within an HTML element, where a backslash would be shown.

    >>> escape_html("a_b [c] <d>")
    'a&#95;b &#91;c&#93; &#60;d&#62;'
    """
    return _ANY_SYNTAX.sub(lambda match: f"&#{ord(match[0])};", plain(text))


def _escape_one(match: re.Match[str]) -> str:
    found = match[0]
    return f"&#{ord(found)};" if found in _ENTITIES else f"\\{found}"


def score(summary: Summary | None) -> str:
    """A metric between 0 and 1 over seeds: `0.713 ± 0.012`."""
    if summary is None:
        return NOT_MEASURED
    mean = f"{summary.mean:.3f}"
    return mean if summary.spread is None else f"{mean} ± {summary.spread:.3f}"


def signed(summary: Summary) -> str:
    """A difference of scores over seeds.

    >>> from harness.report.board.parts import Summary
    >>> signed(Summary(mean=-0.0123, spread=0.004, n=3))
    '-0.012 ± 0.004'
    """
    mean = f"{summary.mean:+.3f}"
    return mean if summary.spread is None else f"{mean} ± {summary.spread:.3f}"


def interval(
    part: Gain | FigureInterval, shown: str = ".3f", holds: Holds | None = None
) -> str:
    """A 95 % interval, marked where it holds the spread of seeds alone.

    Parameters
    ----------
    holds
        What it holds, where the part doesn't say so itself.

    >>> from harness.report.board.parts import FigureInterval
    >>> ends = FigureInterval(low=0.5, high=0.625, patients_error=None)
    >>> interval(ends)
    '0.500 to 0.625'
    >>> interval(ends, "+.3f", "seeds")
    '+0.500 to +0.625 ‡'
    """
    if part.low is None:
        return NOT_MEASURED
    said = part.holds if isinstance(part, Comparison) else holds
    mark = f" {SEEDS_ALONE}" if said == "seeds" else ""
    return f"{part.low:{shown}} to {part.high:{shown}}{mark}"


def difference(part: Gain) -> str:
    """The mean of paired differences with its 95 % interval.

    >>> from harness.report.board.parts import Gain, Summary
    >>> difference(Gain(difference=Summary(mean=0.6, n=3), low=0.5, high=0.7))
    '+0.600 (+0.500 to +0.700)'
    """
    if part.difference is None:
        return NOT_MEASURED
    mean = f"{part.difference.mean:+.3f}"
    return mean if part.low is None else f"{mean} ({interval(part, '+.3f')})"


def mean_of(summary: Summary | None, show: Callable[[float], str]) -> str:
    """The mean of a figure over seeds, as `show` has it."""
    return NOT_MEASURED if summary is None else show(summary.mean)


def amount(value: float) -> str:
    """Three significant digits, never an exponent for the everyday range.

    >>> amount(4.0), amount(0.4567), amount(12345.6)
    ('4', '0.457', '12,346')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def ratio(value: float) -> str:
    """A multiple of the baseline.

    >>> ratio(0.4567), ratio(1), ratio(0)
    ('0.46x', '1.00x', '0x')
    """
    return f"{value:.2f}x" if value >= 0.1 else f"{value:.2g}x"


def percent(value: float) -> str:
    """A share as a percentage.

    >>> percent(0.5), percent(0.9876)
    ('50 %', '98.8 %')
    """
    return f"{100 * value:.3g} %"


def engineering(value: float, unit: str) -> str:
    """Three significant digits with a decimal prefix.

    >>> engineering(12_345_000_000, "FLOP"), engineering(999.9, "FLOP")
    ('12.3 GFLOP', '1 kFLOP')
    """
    return _prefixed(value, 1000, ["", "k", "M", "G", "T", "P", "E"], unit)


def memory(value: float) -> str:
    """Bytes with a binary prefix.

    >>> memory(300 * 2**20)
    '300 MiB'
    """
    return _prefixed(value, 1024, ["", "Ki", "Mi", "Gi", "Ti"], "B")


def _prefixed(value: float, step: int, prefixes: list[str], unit: str) -> str:
    rounded = float(f"{value:.3g}")
    power = int(math.log(rounded, step)) if rounded >= 1 else 0
    # The logarithm of an exact power may fall just short of it.
    power += rounded >= float(step) ** (power + 1)
    power = min(power, len(prefixes) - 1)
    return f"{amount(value / step**power)} {prefixes[power]}{unit}"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever reads best.

    >>> duration(12.34), duration(600), duration(7300)
    ('12.3 s', '10 min', '2.03 h')
    """
    for limit, length, unit in ((120, 1, "s"), (7200, 60, "min")):
        if seconds < limit:
            return f"{amount(seconds / length)} {unit}"
    return f"{amount(seconds / 3600)} h"


def milliseconds(seconds: float) -> str:
    """A short time.

    >>> milliseconds(0.00161), milliseconds(1.5)
    ('1.61 ms', '1,500 ms')
    """
    return f"{amount(1000 * seconds)} ms"


def plural(count: int, word: str, ending: str = "s") -> str:
    """A count with its noun.

    >>> plural(1, "seed"), plural(5, "class", "es")
    ('1 seed', '5 classes')
    """
    return f"{count:,} {word}{'' if count == 1 else ending}"


def settings(value: Any) -> str:
    """Nested parameters on one line.

    >>> settings({"epochs": 10, "schedule": {"use": "step", "gamma": 0.98}})
    'epochs 10, schedule step (gamma 0.98)'
    """
    if isinstance(value, dict):
        inner = ", ".join(
            f"{key} {settings(v)}"
            for key, v in sorted(value.items())
            if key != "use" and v not in (None, [])
        )
        use = value.get("use")
        return inner if use is None else f"{use} ({inner})" if inner else str(use)
    if isinstance(value, list):
        return "[" + ", ".join(settings(item) for item in value) + "]"
    return str(value)
