"""The list of test files that go first."""

from longest_files import FOLDER, LONGEST


def test_every_file_is_there():
    assert len(set(LONGEST)) == len(LONGEST)
    assert [name for name in LONGEST if not (FOLDER / name).is_file()] == []
