"""A random mask and a new start beside a ticket, from the suite to its files."""

import json
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from lottery_runs import lottery
from safetensors.torch import load_file, save_file
from suites_to_run import run

from harness.plan.plan import make_plan
from harness.suite.resolve import read_suite

SUITE = """
name = "tickets"
seeds = [0]

[budget]
epochs = 2
batch_size = 16
optimizer = { use = "adamw", lr = 1e-2 }

[[dataset]]
use = "synthetic"
records = 60
duration = 2.0

[[model]]
use = "cnn1d"
width = 4

[[strategy]]
use = "lottery-ticket"
label = "ticket"
rounds = 2
rate = 0.5
controls = true

[[strategy]]
use = ["lottery-ticket", "dbpd"]
label = "composed"
lottery-ticket.rounds = 1
dbpd.confidence = 0.4
controls = ["random mask"]
"""
ROUNDS = 2


class Tickets:
    """A suite of tickets and their controls, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.suite = folder / "tickets.toml"
        self.runs = folder / "runs"

    @property
    def cells(self):
        plan = make_plan(*read_suite(self.suite), self.runs)
        return {p.cell.labels["strategy"]: p.cell for p in plan.cells}

    def file(self, label, name):
        return self.runs / self.cells[label].folder / name

    def state(self, label, number):
        return load_file(
            self.file(label, f"snapshots/ticket-round={number}.safetensors")
        )

    def masks(self, label, number):
        """True where a prunable weight isn't 0."""
        state = self.state(label, number)
        return {n: state[n] != 0 for n in self.remaining(label)[0]}

    def remaining(self, label):
        """Weights of each layer by round, as the history has them."""
        lines = self.file(label, "history.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        return [row["remaining"] for row in rows if "remaining" in row]


@pytest.fixture(scope="module")
def tickets(tmp_path_factory):
    found = Tickets(tmp_path_factory.mktemp("tickets"))
    found.suite.write_text(SUITE)
    run("run", str(found.suite), "-q", cwd=found.folder)
    return found


def equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def count(masks):
    return {name: int(mask.sum()) for name, mask in masks.items()}


def test_controls_require_the_ticket_that_the_suite_trains(tickets):
    cells = tickets.cells
    assert set(cells) >= {"ticket", "ticket: random mask", "ticket: random re-init"}
    for name in ("random mask", "random re-init"):
        required = cells[f"ticket: {name}"].requires
        assert {role: cell.id for role, cell in required.items()} == {
            "ticket": cells["ticket"].id
        }
    composed = cells["composed: random mask"]
    assert composed.requires["ticket"].id == cells["composed"].id
    assert [choice.name for choice in composed.strategies] == ["lottery-ticket", "dbpd"]
    assert composed.strategies[1] == cells["composed"].strategies[1]


@pytest.mark.parametrize("label", ["ticket", "composed"])
def test_a_random_mask_keeps_as_many_weights_of_each_layer(tickets, label):
    """Frankle & Carbin 2019, section 1: what a random sparse network can do."""
    control = f"{label}: random mask"
    rounds = len(tickets.remaining(label))
    assert tickets.remaining(control) == tickets.remaining(label)
    for number in range(rounds):
        own, other = (tickets.masks(which, number) for which in (control, label))
        assert count(own) == count(other) == tickets.remaining(label)[number]
        assert number == 0 or not equal(own, other)


def test_a_random_mask_s_rounds_are_nested_and_start_where_the_ticket_did(tickets):
    control = "ticket: random mask"
    assert equal(tickets.state(control, 0), tickets.state("ticket", 0))
    masks = [tickets.masks(control, number) for number in range(ROUNDS + 1)]
    for before, after in pairwise(masks):
        assert not any((after[name] & ~before[name]).any() for name in after)


def test_a_new_start_has_the_ticket_s_masks_and_other_weights(tickets):
    """Frankle & Carbin 2019, section 2: random reinitialisation of a ticket."""
    control = "ticket: random re-init"
    for number in range(ROUNDS + 1):
        own, ticket = (tickets.masks(which, number) for which in (control, "ticket"))
        assert equal(own, ticket)
        assert not equal(
            tickets.state(control, number), tickets.state("ticket", number)
        )


def test_a_ticket_s_masks_that_its_weights_don_t_show_are_refused(tickets, tmp_path):
    copy = Tickets(tmp_path / "copy")
    shutil.copytree(tickets.folder, copy.folder)
    file = copy.file("ticket", "snapshots/ticket-round=1.safetensors")
    state = load_file(file)
    place = tuple(state["head.weight"].nonzero()[0])
    state["head.weight"][place] = 0.0
    save_file(state, file)
    shutil.rmtree(copy.file("ticket: random re-init", "."))
    said = run("run", str(copy.suite), "-q", cwd=copy.folder, expect=1)
    assert "its masks can't be told from its weights" in " ".join(said.split())


# --- what the hooks answer -----------------------------------------------------------


def params_of(cell):
    """Of lottery-ticket in a cell as the hooks make them."""
    (choice,) = [c for c in cell.strategies if c.name == "lottery-ticket"]
    return choice.params


def test_a_control_has_no_controls_and_a_ticket_requires_nothing(tickets):
    cell = tickets.cells["ticket"]
    assert not lottery(rounds=2).requires(cell)
    for control in (lottery(mask="random"), lottery(reinit=True)):
        assert not control.controls(cell)
        assert set(control.requires(cell)) == {"ticket"}


def test_a_ticket_that_was_given_is_not_required_again(tickets):
    cells = tickets.cells
    cell = cells["ticket: random mask"].replace(given={"ticket": cells["composed"]})
    assert not lottery(mask="random").requires(cell)


def test_what_a_control_changes_is_all_that_it_changes(tickets):
    cell = tickets.cells["ticket"]
    own = params_of(cell)
    controls = lottery(rounds=2, rate=0.5).controls(cell)
    assert params_of(controls["random mask"]) == {**own, "mask": "random"}
    assert params_of(controls["random re-init"]) == {**own, "reinit": True}
    for name in ("random mask", "random re-init"):
        control = controls[name]
        again = lottery(**params_of(control)).requires(control)["ticket"]
        assert params_of(again) == own
