import time

import pytest
import torch

from harness.cost.clock import Clock
from harness.cost.machine import EnergyMeter, peak_rss_bytes

CPU = torch.device("cpu")


def test_inner_time_is_not_in_the_outer():
    clock = Clock(CPU)
    start = time.perf_counter()
    with clock.measure("training"):
        with clock.measure("evaluation"):
            time.sleep(0.02)
        with clock.measure("checkpoint"):
            pass
    whole = time.perf_counter() - start
    seconds = clock.seconds()
    assert set(seconds) == {"training", "evaluation", "checkpoint"}
    assert seconds["evaluation"] >= 0.02
    assert sum(seconds.values()) <= whole


def test_a_running_measurement_is_included_so_far():
    clock = Clock(CPU)
    with clock.measure("training"):
        first = clock.seconds()["training"]
        assert clock.seconds()["training"] > first


def test_attempts_add_up():
    clock = Clock(CPU)
    with clock.measure("training"):
        pass
    clock.load_state_dict({"training": 100.0, "evaluation": 5.0})
    with clock.measure("training"):
        pass
    assert clock.seconds()["training"] > 100
    assert clock.state_dict()["evaluation"] == 5


def test_a_measurement_ends_when_its_body_raises():
    clock = Clock(CPU)
    with pytest.raises(ValueError, match="stop"), clock.measure("training"):
        raise ValueError("stop")
    first = clock.seconds()
    assert clock.seconds() == first


def test_the_meters_own_time_is_kept_apart(meter, net, batch):
    meter.clock = Clock(CPU)
    with meter.clock.measure("training"), meter.step("train"):
        net(batch[0])
    assert meter.clock.seconds()["metering"] > 0


def test_energy_of_a_cpu_is_not_measured():
    energy = EnergyMeter([CPU])
    energy.start()
    assert energy.stop() is None


def test_the_resident_set_is_at_least_this_interpreter():
    assert peak_rss_bytes() > 10_000_000
