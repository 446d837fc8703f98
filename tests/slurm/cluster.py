"""A SLURM of two nodes on this machine, for as long as tests need it.

Everything lies in one folder, listens on the loopback interface only and takes its
ports from the free ones, so that several can run side by side.
"""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

NODES = ("node1", "node2")
CPUS_A_NODE = 2
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")

CONFIGURATION = """
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort={controller_port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmdLogFile={folder}/slurmd.%n.log
SlurmdSpoolDir={folder}/spool.%n
StateSaveLocation={folder}/state
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=500
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,\
batch_sched_delay=0,defer
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
JobRequeue=1
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=15
MinJobAge=300
InactiveLimit=0
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} "
    "CPUs={cpus} RealMemory=8000 State=UNKNOWN\n"
)
PARTITIONS = """
PartitionName=main Nodes={nodes} Default=YES PriorityTier=10 PreemptMode=REQUEUE \
GraceTime=15 MaxTime=300 State=UP
PartitionName=urgent Nodes={nodes} PriorityTier=100 PreemptMode=OFF MaxTime=300 \
State=UP
"""


def program(name: str) -> str | None:
    """Where a program is: daemons lie outside an ordinary user's path."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def missing_programs() -> list[str]:
    """What is needed and not installed."""
    return [name for name in PROGRAMS if program(name) is None]


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def wait_for(what: str, happened: Callable[[], object], seconds: float = 60) -> None:
    """Return once it has happened; fail with `what` if it hasn't in time."""
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.1)


class Cluster:
    """The daemons, in the foreground as children, so that their ends can be awaited."""

    def __init__(self) -> None:
        # The socket's path may have 108 characters: pytest's folders are too deep.
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf")}
        self._daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Return when both nodes are idle."""
        self.folder.chmod(0o755)
        (self.folder / "state").mkdir()
        self._start_munge()
        self._write_configuration()
        configuration = self.environment["SLURM_CONF"]
        self._start("slurmctld", "-D", "-c", "-f", configuration)
        for name in NODES:
            (self.folder / f"spool.{name}").mkdir()
            self._start("slurmd", "-D", "-N", name, "-f", configuration)
        wait_for("all nodes are idle", self._is_idle)

    def stop(self) -> None:
        """End all jobs and daemons, and wait for them."""
        if (self.folder / "slurm.conf").exists():
            user = ("--user", getpass.getuser())
            # What is at work would else be given time to end by itself.
            self.command("scancel", "--signal=KILL", *user, check=False)
            self.command("scancel", *user, check=False)
            end = time.monotonic() + 20
            while self.queue() and time.monotonic() < end:
                time.sleep(0.1)
        for daemon in reversed(self._daemons):
            daemon.terminate()
            try:
                daemon.wait(5)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *words: str, check: bool = True) -> str:
        """What a client of SLURM prints."""
        done = subprocess.run(
            words,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{words}: {done.stderr}")
        return done.stdout.strip()

    def queue(self) -> dict[str, str]:
        """The state of every job that is waiting or at work, by id."""
        text = self.command("squeue", "-h", "-r", "-o", "%i %T", check=False)
        return dict(line.split() for line in text.splitlines())

    def job(self, number: str) -> Mapping[str, str]:
        """What `scontrol show job` says of a job."""
        text = self.command("scontrol", "-o", "show", "job", number)
        pairs = (word.partition("=") for word in text.split())
        return {key: value for key, _, value in pairs}

    def start_again(self, number: str) -> None:
        """Let a job that was put back start: SLURM would have it wait two minutes."""

        def has_started() -> bool:
            job = self.job(number)
            now = datetime.now()
            waits = job["EligibleTime"] > f"{now:%Y-%m-%dT%H:%M:%S}"
            # In the second in which a node ended a job, it refuses to start it again.
            ended = datetime.fromisoformat(job["SubmitTime"])
            if waits and now - ended > timedelta(seconds=2.5):
                words = ("scontrol", "update", f"JobId={number}", "StartTime=now")
                self.command(*words, check=False)
            return job["JobState"] == "RUNNING"

        try:
            wait_for(f"job {number} starts again", has_started)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.story(number)}") from None

    def story(self, number: str) -> str:
        """What the cluster knows, for whoever reads that a test failed."""
        log = (self.folder / "slurmctld.log").read_text().splitlines()
        nodes = self.command("sinfo", "-N", "-o", "%N %t %C", check=False)
        return "\n".join([str(self.job(number)), nodes, *log[-30:]])

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        self._start(
            "munged",
            "--foreground",
            "--force",
            f"--key-file={key}",
            f"--socket={self.folder}/munge.socket",
            f"--pid-file={self.folder}/munged.pid",
            f"--log-file={self.folder}/munged.log",
            f"--seed-file={self.folder}/munged.seed",
            "--num-threads=2",
        )
        wait_for("munge listens", (self.folder / "munge.socket").exists)

    def _write_configuration(self) -> None:
        host = socket.gethostname().split(".")[0]
        text = CONFIGURATION.format(
            host=host,
            user=getpass.getuser(),
            folder=self.folder,
            controller_port=free_port(),
        )
        for name in NODES:
            text += NODE.format(
                name=name, host=host, port=free_port(), cpus=CPUS_A_NODE
            )
        text += PARTITIONS.format(nodes=",".join(NODES))
        (self.folder / "slurm.conf").write_text(text)

    def _start(self, name: str, *arguments: str) -> None:
        path = program(name)
        assert path
        with (self.folder / f"{name}.out").open("ab") as log:
            daemon = subprocess.Popen(
                [path, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for pytest, which then stops them in order.
                start_new_session=True,
            )
        self._daemons.append(daemon)

    def _is_idle(self) -> bool:
        text = self.command("sinfo", "-h", "-N", "-p", "main", "-o", "%t", check=False)
        return text.split() == ["idle"] * len(NODES)
