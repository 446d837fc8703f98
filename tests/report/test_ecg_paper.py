import numpy as np
import pytest
from matplotlib.image import imread

from harness.report.ecg_paper import draw_record

STANDARD = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
DOTS_PER_MM = 150 / 25.4


def drawn(tmp_path, leads, seconds, rate=100):
    time = np.arange(round(seconds * rate)) / rate
    signal = np.array([np.sin(2 * np.pi * time) for _ in leads], dtype=np.float32)
    path = tmp_path / "new" / "record.png"
    draw_record(signal, rate, leads, "record 1", path)
    return imread(path)


@pytest.mark.parametrize(
    ("leads", "seconds", "rows"),
    [
        (STANDARD, 10, 4),
        (STANDARD, 15, 4),
        (STANDARD, 5, 12),
        (["I"], 8, 1),
        (["I"], 35, 4),
        (["I", "II", "V2"], 10, 3),
    ],
)
def test_the_paper_has_a_row_for_every_strip(tmp_path, leads, seconds, rows):
    image = drawn(tmp_path, leads, seconds)
    millimetres = 15 + 25 * rows + 10
    assert image.shape[0] == pytest.approx(millimetres * DOTS_PER_MM, abs=2)


def test_ten_seconds_are_250_mm_wide(tmp_path):
    image = drawn(tmp_path, STANDARD, 10)
    margins = 10 + 10 + 10
    assert image.shape[1] == pytest.approx((250 + margins) * DOTS_PER_MM, abs=2)


def test_there_is_ink_and_a_pink_grid(tmp_path):
    image = drawn(tmp_path, ["I"], 5)[..., :3]
    dark = (image < 0.3).all(axis=2).mean()
    pink = (image[..., 0] - image[..., 1] > 0.05).mean()
    assert 0.001 < dark < 0.2
    assert 0.1 < pink < 0.9
