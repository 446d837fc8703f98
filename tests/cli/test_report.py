def test_a_report_is_the_same_byte_for_byte(harness, tiny_run, tmp_path):
    for suite in (tiny_run.suite, "tiny"):
        out = tmp_path / "again"
        ended = harness("report", suite, "--runs", tiny_run.runs, "--leaderboard", out)

        assert ended.code == 0
        assert "macro-F1" in ended.out
        assert ended.out.endswith(f"leaderboard: {out / 'tiny.md'}\n")
        for name in ("tiny.md", "tiny.json"):
            first = (tiny_run.leaderboard / name).read_bytes()
            assert (out / name).read_bytes() == first


def test_quiet_prints_the_file_only(harness, tiny_run, tmp_path):
    ended = harness(
        "report", "tiny", "-q", "--runs", tiny_run.runs, "--leaderboard", tmp_path
    )

    assert ended.out == f"leaderboard: {tmp_path / 'tiny.md'}\n"


def test_an_unknown_suite_is_told_with_the_nearest(harness, tiny_run):
    ended = harness("report", "tinyy", "--runs", tiny_run.runs)

    assert ended.code == 2
    assert "did you mean 'tiny'?" in ended.err


def test_rows_can_be_had_for_other_tools(harness, tiny_run, tmp_path):
    out = tmp_path / "untouched"
    where = ("--runs", tiny_run.runs, "--leaderboard", out)
    for form, begins in (
        ("csv", "suite,dataset,model,rank,strategy,"),
        ("json", "[\n  {\n"),
        ("latex", "\\begin{tabular}"),
    ):
        ended = harness("report", "tiny", "--format", form, *where)
        assert ended.code == 0
        assert ended.out.startswith(begins)
        for strategy in ("majority", "baseline", "dbpd"):
            assert strategy in ended.out
    assert not out.exists()
