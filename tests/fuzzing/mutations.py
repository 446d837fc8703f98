"""Damage to files, as disks, editors, spreadsheets and people with bad intent do it."""

import copy
import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = os.environ.get("HARNESS_FUZZ_EXAMPLES")
"""How many examples a target gets in the long form; the short one never varies."""

SECONDS = 240 if EXAMPLES is None else 6000

HOSTILE_TEXTS = (
    "",
    " ",
    "../../outside",
    "/etc/passwd",
    "~nobody-of-that-name/x",
    "a/b\\c",
    "<script>alert(1)</script>",
    "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "| a | b |\n|---|---|",
    "[link](javascript:alert(1))",
    "[red]markup[/red]",
    "\0",
    "a\r\nb",
    "\u202eabc\u2066",
    "\ufeffx",
    "\U0001f9ea" * 40,
    "é\u0301",
    "x" * 5000,
    "nan",
    "{'NORM': __import__('os').system('true')}",
)

EXTREME_NUMBERS = (
    "0",
    "-1",
    "1",
    "-0.0",
    "1e400",
    "-1e400",
    "nan",
    "inf",
    "1000000000000",
    "9223372036854775808",
    "9" * 30,
    "9" * 5000,
    "0.0000000001",
    "1_000",
    "0x10",
    "١٢",
    "2147483647",
    "-32768",
)

EXTREME_VALUES = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**53 + 1,
    2**63,
    10**40,
    10**4000,
    1e308,
    -1e308,
    1e-320,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    {"": {}},
    *HOSTILE_TEXTS,
)


def outcome(errors, function, *arguments):
    """What a call returns, and an empty text; or None, and the message it ends in."""
    try:
        return function(*arguments), ""
    except errors as error:
        return None, str(error) or "no message"


def fuzzed(examples):
    """How often a target is tried: few and always the same, or as many as are asked
    for.
    """
    return settings(
        max_examples=int(EXAMPLES or examples),
        derandomize=EXAMPLES is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@st.composite
def mutated_bytes(draw, raw, up_to=4):
    """A file with some bytes flipped, replaced, inserted, doubled or cut off."""
    content = bytearray(raw)
    for _ in range(draw(st.integers(1, up_to))):
        if not content:
            break
        at = draw(st.integers(0, len(content) - 1))
        match draw(st.sampled_from(["flip", "set", "insert", "cut", "tail", "double"])):
            case "flip":
                content[at] ^= 1 << draw(st.integers(0, 7))
            case "set":
                run = draw(st.sampled_from([1, 1, 2, 4, 8, 64]))
                value = draw(st.sampled_from([0, 255, 128, 127, 32, 10]))
                size = len(content[at : at + run])
                content[at : at + run] = bytes([value]) * size
            case "insert":
                content[at:at] = draw(st.binary(min_size=1, max_size=16))
            case "cut":
                del content[at : at + draw(st.sampled_from([1, 2, 8, 1000]))]
            case "tail":
                del content[at:]
            case "double":
                content[at:at] = content[at : at + draw(st.sampled_from([1, 8, 100]))]
    return bytes(content)


@st.composite
def mutated_lines(draw, text, separator=None, up_to=3):
    """A text file with lines and fields changed, as an editor would leave it, as bytes.

    Parameters
    ----------
    separator
        Of fields; None for white space.
    """
    lines = text.splitlines()
    for _ in range(draw(st.integers(1, up_to))):
        if not lines:
            break
        at = draw(st.integers(0, len(lines) - 1))
        other = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["double", "remove", "swap", "fields", "fields"])):
            case "double":
                lines.insert(other, lines[at])
            case "remove":
                del lines[at]
            case "swap":
                lines[at], lines[other] = lines[other], lines[at]
            case "fields":
                lines[at] = draw(_mutated_fields(lines[at], separator))
    return draw(_encoded("\n".join(lines) + "\n"))


@st.composite
def _mutated_fields(draw, line, separator):
    fields = line.split(separator)
    if not fields:
        return draw(st.sampled_from(HOSTILE_TEXTS))
    at = draw(st.integers(0, len(fields) - 1))
    other = draw(st.integers(0, len(fields) - 1))
    match draw(st.sampled_from(["number", "text", "swap", "drop", "double", "typed"])):
        case "number":
            fields[at] = draw(st.sampled_from(EXTREME_NUMBERS))
        case "text":
            fields[at] = draw(st.sampled_from(HOSTILE_TEXTS))
        case "swap":
            fields[at], fields[other] = fields[other], fields[at]
        case "drop":
            del fields[at]
        case "double":
            fields.insert(other, fields[at])
        case "typed":
            fields[at] = draw(mistyped(fields[at]))
    return (separator or " ").join(fields)


@st.composite
def mistyped(draw, word):
    """A word with one character replaced, added, removed or in the other case."""
    at = draw(st.integers(0, len(word)))
    character = draw(st.sampled_from("0123456789-+.,:;/\\'\"()[]{}x eEµ\t\0"))
    match draw(st.sampled_from(["insert", "replace", "remove", "case"])):
        case "insert":
            return word[:at] + character + word[at:]
        case "replace":
            return word[:at] + character + word[at + 1 :]
        case "remove":
            return word[:at] + word[at + 1 :]
    return word.swapcase()


@st.composite
def _encoded(draw, text):
    match draw(st.sampled_from(["utf-8"] * 6 + ["crlf", "bom", "latin-1", "utf-16"])):
        case "crlf":
            return text.replace("\n", "\r\n").encode()
        case "bom":
            return text.encode("utf-8-sig")
        case "latin-1":
            return text.encode("latin-1", errors="replace")
        case "utf-16":
            return text.encode("utf-16")
    return text.encode()


@st.composite
def mutated_value(draw, value, up_to=3):
    """Plain data with values replaced, removed, renamed or moved somewhere else."""
    changed = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, up_to))):
        places = list(_places(changed))
        if not places:
            break
        holder, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(["replace", "replace", "remove", "rename", "move"])):
            case "replace":
                holder[key] = copy.deepcopy(draw(st.sampled_from(EXTREME_VALUES)))
            case "remove":
                del holder[key]
            case "rename" if isinstance(holder, dict):
                holder[draw(st.sampled_from(HOSTILE_TEXTS))] = holder.pop(key)
            case "move":
                other, place = draw(st.sampled_from(places))
                if place in other if isinstance(other, dict) else place < len(other):
                    holder[key] = copy.deepcopy(other[place])
    return changed


def _places(value):
    """Every (container, key) of plain data."""
    keys = value if isinstance(value, dict) else range(len(value))
    for key in list(keys):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def put_no_file(path, kind):
    """Something else under a file's name; opening it waits, never ends or fails."""
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
