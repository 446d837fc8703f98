"""Workflows: what may write runs no code of a pull request."""

import json
import re
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / ".github" / "workflows"
NAMES = sorted(path.name for path in FOLDER.glob("*.yml"))
COMMENT = (FOLDER / "leaderboard-comment.yml").read_text()

# GitHub's client as the script calls it, which notes what it is asked to write.
RUN_SCRIPT = """
const input = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const written = [];
const github = {
  rest: {
    pulls: { get: async () => ({ data: { head: { sha: input.sha } } }) },
    issues: {
      listComments: null,
      createComment: async (a) => written.push(['create', a.issue_number, a.body]),
      updateComment: async (a) => written.push(['update', a.comment_id, a.body]),
    },
  },
  paginate: async () => input.comments,
};
const context = {
  repo: { owner: 'o', repo: 'r' }, payload: { workflow_run: { head_sha: 'abc' } },
};
const core = { info: () => {} };
(async () => {
SCRIPT
})().then(() => console.log(JSON.stringify(written)));
"""


@pytest.mark.parametrize("name", NAMES)
def test_workflows_ask_for_little_and_call_no_third_party(name):
    text = (FOLDER / name).read_text()
    used = re.findall(r"uses: (\S+)", text)
    assert used
    assert all(use.startswith("actions/") for use in used)
    assert re.search(r"^permissions:( \{\}|\n  contents: read)\n", text, re.MULTILINE)
    assert "pull_request_target" not in text
    may_write = set(re.findall(r"(\S+): write", text))
    assert may_write == (
        {"pull-requests"} if name == "leaderboard-comment.yml" else set()
    )


def test_what_may_write_checks_nothing_out():
    assert "checkout" not in COMMENT
    assert " run:" not in COMMENT
    # Nothing of the pull request is put into the script's own text.
    script = COMMENT.split("script: |", 1)[1]
    assert "${{" not in script


@pytest.fixture
def commented(tmp_path):
    """What the script writes, having found these files and comments."""
    if shutil.which("node") is None:
        pytest.skip("node isn't installed")
    script = textwrap.dedent(COMMENT.split("script: |\n", 1)[1])

    def run(files, comments=(), sha="abc"):
        found = tmp_path / "found"
        shutil.rmtree(found, ignore_errors=True)
        found.mkdir()
        for name, content in files.items():
            (found / name).write_text(content)
        done = subprocess.run(
            ["node", "-e", RUN_SCRIPT.replace("SCRIPT", script)],
            input=json.dumps({"comments": list(comments), "sha": sha}),
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def files(*, changed=True, number="7"):
    diff = json.dumps({"changed": changed})
    return {"number": number, "comment.md": "### page\n", "diff.json": diff}


def own(body):
    return {"id": 5, "user": {"login": "github-actions[bot]"}, "body": body}


BODY = "<!-- harness diff -->\n### page\n"


def test_a_change_is_commented_once_and_then_updated(commented):
    somebody = {"id": 4, "user": {"login": "a"}, "body": BODY}

    assert commented(files(), [somebody]) == [["create", 7, BODY]]
    before = "<!-- harness diff -->\nearlier"
    assert commented(files(), [somebody, own(before)]) == [["update", 5, BODY]]
    assert commented(files(), [own(BODY)]) == []


def test_without_a_change_there_is_no_comment_but_an_old_one_is_renewed(commented):
    assert commented(files(changed=False)) == []
    before = "<!-- harness diff -->\nearlier"
    assert commented(files(changed=False), [own(before)]) == [["update", 5, BODY]]


@pytest.mark.parametrize(
    "found",
    [{}, files(number="x"), files(number="-1"), {"number": "7"}],
    ids=["nothing", "text", "negative", "no page"],
)
def test_files_that_make_no_sense_are_not_commented(commented, found):
    assert commented(found) == []


def test_another_pull_request_cannot_be_commented(commented):
    assert commented(files(), sha="another") == []
