"""Which executor a command chose, and whether its options speak of that one."""

from __future__ import annotations

from typing import Any

from harness.errors import ConfigError


def check_choice(
    workers: int | None,
    *,
    executor: str,
    per_device: int | None,
    device: str,
    profile: str | None,
    dry_run: bool,
    wait: bool,
    **_: Any,
) -> None:
    """Refuse options that would be ignored.

    Raises
    ------
    ConfigError
        With every option that says nothing about this executor.
    """
    if executor == "slurm":
        given = {
            "--workers": workers is not None,
            "--per-device": per_device is not None,
            "--device": device != "auto",
        }
        why = "is about this machine; [execution.slurm] or --profile is about jobs"
    else:
        given = {
            "--profile": profile is not None,
            "--dry-run": dry_run,
            "--no-wait": not wait,
        }
        why = "is about jobs: it needs --executor slurm"
    problems = [f"{name} {why}" for name, is_given in given.items() if is_given]
    if dry_run and executor != "slurm":
        problems.append("`harness plan` shows what would run on this machine")
    if problems:
        raise ConfigError(problems)
