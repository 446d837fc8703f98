import numpy as np
import pytest
from scipy.signal import butter, find_peaks, sosfiltfilt

SUPERCLASSES = ["NORM", "MI", "STTC", "CD", "HYP"]


@pytest.fixture(scope="module")
def synthetic(plugin):
    return plugin("datasets/synthetic/__init__.py", "Synthetic")


@pytest.fixture(scope="module")
def easy(synthetic, tmp_path_factory):
    """300 records of full-size findings with little noise at 250 Hz, few written."""
    params = synthetic.Params(records=300, difficulty=0.0, recorded_rate=250.0)
    return synthetic(params, root=tmp_path_factory.mktemp("easy"))


@pytest.fixture(scope="module")
def rhythms(synthetic, tmp_path_factory):
    """The same with AF as a label."""
    params = synthetic.Params(
        records=300, difficulty=0.0, recorded_rate=250.0, task="multi-label"
    )
    return synthetic(params, root=tmp_path_factory.mktemp("rhythms"))


def written(dataset, row):
    dataset.generate(row)
    return dataset.read(row)


def some(dataset, count, *labels):
    """Signals of the first records of these labels, written and read back."""
    records = dataset.records()
    rows = records[[set(found) == set(labels) for found in records["labels"]]]
    return [written(dataset, row) for _, row in rows[:count].iterrows()]


def r_peaks(signal):
    """Sample numbers of the QRS complexes: the largest slopes over all leads."""
    energy = (np.gradient(signal, axis=1) ** 2).sum(0)
    energy = np.convolve(energy, np.ones(25) / 25, mode="same")
    peaks, _ = find_peaks(energy, height=0.3 * np.quantile(energy, 0.99), distance=62)
    return peaks


def mean_beat(signal):
    """Shape (12, 0.8 s): the median over beats, 0.3 s before to 0.5 s after them."""
    flat = sosfiltfilt(butter(2, 0.5, "highpass", fs=250, output="sos"), signal)
    peaks = [p for p in r_peaks(flat) if 75 <= p < flat.shape[1] - 125]
    beats = np.median([flat[:, p - 75 : p + 125] for p in peaks], axis=0)
    # The PR segment is the zero line.
    return beats - beats[:, 50:60].mean(1, keepdims=True)


def test_limb_leads_follow_from_two(synthetic, tmp_path):
    dataset = synthetic(synthetic.Params(records=3, difficulty=1.0), root=tmp_path)
    for _, row in dataset.records().iterrows():
        one, two, three, avr, avl, avf = written(dataset, row)[:6] * 1000
        np.testing.assert_allclose(one + three, two, atol=1e-3)
        for augmented, exact in [
            (avr, -(one + two) / 2),
            (avl, one - two / 2),
            (avf, two - one / 2),
        ]:
            np.testing.assert_allclose(augmented, exact, atol=0.501)


def test_a_record_is_a_function_of_seed_and_number(synthetic, tmp_path):
    def signals(folder, **params):
        dataset = synthetic(synthetic.Params(**params), root=tmp_path / folder)
        return written(dataset, dataset.records().iloc[7])

    first = signals("a", records=8)
    assert np.array_equal(first, signals("b", records=50))
    assert not np.array_equal(first, signals("c", records=8, seed=1))


def test_the_index_does_not_depend_on_how_many_records_follow(synthetic):
    few, many = (synthetic(synthetic.Params(records=n)).records() for n in (40, 90))
    assert few.equals(many[:40])


def test_files_of_other_parameters_do_not_collide(synthetic):
    default = synthetic().records()["files"].iloc[0]
    for change in ({"difficulty": 0.1}, {"seed": 1}, {"duration": 5.0}):
        other = synthetic(synthetic.Params(**change)).records()["files"].iloc[0]
        assert set(default).isdisjoint(other)


@pytest.mark.parametrize(("rate", "seconds"), [(100.0, 10.0), (500.0, 3.0)])
def test_rate_and_length_are_as_declared(synthetic, tmp_path, rate, seconds):
    params = synthetic.Params(records=1, recorded_rate=rate, duration=seconds)
    dataset = synthetic(params, root=tmp_path)
    signal = written(dataset, dataset.records().iloc[0])
    assert signal.shape == (12, rate * seconds)
    assert (dataset.sampling_rate, dataset.seconds) == (rate, seconds)


def test_the_population(synthetic):
    records = synthetic().records()
    assert records.index.is_unique
    assert len(records) == 1500
    shares = records["labels"].explode().value_counts(normalize=True)
    assert set(shares.index) == set(SUPERCLASSES)
    assert shares.idxmax() == "NORM"
    assert shares.min() > 0.1
    assert 1.4 < 1500 / records["patient"].nunique() < 1.8
    same = records.groupby("patient")[["labels", "age", "sex"]].nunique()
    assert (same == 1).all(axis=None)
    assert records["age"].between(18, 95).all()
    assert set(records["sex"]) == {0.0, 1.0}


def test_multi_label_records_have_rhythm_and_morphology(rhythms):
    records = rhythms.records()
    assert rhythms.classes == (*SUPERCLASSES, "AF")
    assert any(len(set(labels) - {"AF"}) > 1 for labels in records["labels"])
    assert any({"MI", "AF"} <= set(labels) for labels in records["labels"])
    for labels in records["labels"]:
        assert set(labels) <= set(rhythms.classes)
        assert ("NORM" in labels) == (not set(labels) & {"MI", "STTC", "CD", "HYP"})


def test_label_noise_changes_labels_of_patients_and_no_signal(synthetic, tmp_path):
    clean = synthetic(root=tmp_path / "clean")
    noisy = synthetic(synthetic.Params(label_noise=0.3), root=tmp_path / "noisy")
    before, after = clean.records(), noisy.records()
    changed = before["labels"] != after["labels"]
    assert 0.25 < changed.groupby(before["patient"]).first().mean() < 0.35
    row = changed.idxmax()
    assert np.array_equal(
        written(clean, before.loc[row]), written(noisy, after.loc[row])
    )
    assert "30%" in noisy.label_rule


def test_af_is_irregular_and_has_no_p_wave(rhythms):
    def spread(signal):
        intervals = np.diff(r_peaks(signal))
        return intervals.std() / intervals.mean()

    def p_wave(signal):
        beat = mean_beat(signal)[rhythms.leads.index("II")]
        return beat[25:50].max() - beat[10:20].mean()

    af, sinus = some(rhythms, 12, "NORM", "AF"), some(rhythms, 12, "NORM")
    assert np.median([spread(s) for s in af]) > 0.12
    assert np.median([spread(s) for s in sinus]) < 0.06
    assert np.median([p_wave(s) for s in sinus]) > 0.08
    assert np.median([p_wave(s) for s in af]) < 0.05


@pytest.fixture(scope="module")
def beats(easy):
    """Mean beats of some records of each superclass."""
    return {
        name: [mean_beat(signal) for signal in some(easy, 14, name)]
        for name in SUPERCLASSES
    }


def median_of(beats, measure):
    return {
        name: np.median([measure(b) for b in found]) for name, found in beats.items()
    }


def test_mi_raises_st_somewhere_and_sttc_lowers_it_laterally(easy, beats):
    st = slice(100, 110)  # 0.10-0.14 s after the R peak
    highest = median_of(beats, lambda beat: beat[:, st].mean(1).max())
    assert highest["MI"] > 1.5 * highest["NORM"]
    lateral = [easy.leads.index(name) for name in ("V5", "V6", "I")]
    level = median_of(beats, lambda beat: beat[lateral, st].mean())
    assert level["STTC"] < level["NORM"] - 0.05


def test_sttc_inverts_t(easy, beats):
    v5 = easy.leads.index("V5")
    t_wave = median_of(beats, lambda beat: beat[v5, 130:165].mean())
    assert t_wave["NORM"] > 0.1
    assert t_wave["STTC"] < 0


def test_cd_widens_qrs(beats):
    def width(beat):
        slope = np.abs(np.gradient(beat[:, 50:110], axis=1)).sum(0)
        fast = np.flatnonzero(slope > 0.2 * slope.max())
        return (fast[-1] - fast[0]) / 250

    widths = median_of(beats, width)
    others = [widths[name] for name in ("NORM", "STTC", "HYP")]
    assert widths["CD"] > max(others) + 0.02


def test_hyp_has_high_voltage(easy, beats):
    v1, v5 = easy.leads.index("V1"), easy.leads.index("V5")
    # Sokolow-Lyon: S in V1 plus R in V5.
    voltage = median_of(beats, lambda beat: beat[v5].max() - beat[v1].min())
    assert voltage["HYP"] > 1.3 * voltage["NORM"]


def test_difficulty_raises_noise(synthetic, tmp_path):
    def roughness(difficulty):
        params = synthetic.Params(records=1, difficulty=difficulty)
        dataset = synthetic(params, root=tmp_path)
        signal = written(dataset, dataset.records().iloc[0])
        return np.median(np.abs(np.diff(signal, axis=1)))

    assert roughness(0.0) < roughness(0.5) < roughness(1.0)
