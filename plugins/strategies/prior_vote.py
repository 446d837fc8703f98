"""How the CinC 2017 network decides on a record: its steps vote."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from harness import CellError, Field, Preset, Strategy, hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from harness import Batch, Outputs, Run

SMOOTHING = 500.0
# What lifts a winner over the largest value: seen in float32, and nowhere else.
LEAD = 1 + 2.0**-10

FAITHFUL = Preset(
    params={"padding_votes": True, "probabilities": "votes"},
    about="as in the published code: padding votes, shares of votes for probabilities",
    footnote="the vote as published: steps of padding vote, too, so that predictions "
    "depend on the longest record of the batch; shares of votes are no calibrated "
    "probabilities (beware of AUROC and log loss)",
)


class PriorVote(Strategy):
    """Decide by a vote of the steps, each against how common its class is.

    For networks with a decision per step, composed with any way to train them
    (`use = ["baseline", "prior-vote"]`). Per step, the softmax over classes is divided
    by the smoothed prior pi_c = (n_c + 500) / (N + C), where n_c of N training records
    are of class c and C is the number of classes. The largest quotient has the step's
    vote, and the class with most votes is the record's; of equally many, the one whose
    quotients have the larger sum. Smoothing isn't normalised, and needn't be: a factor
    that all classes share changes no vote.

    Only steps that hold signal vote. In the published code those vote too that pad a
    record to the longest of its batch: `padding_votes = true`.

    The vote is a class, and what stands for probabilities is a choice. By default it is
    the mean softmax that the network has without a vote, the winner's raised over the
    largest where it isn't that: so AUROC and log loss compare with those of other
    strategies, and a plateau schedule, which follows the validation's log loss, or dbpd
    have something to go by. Shares of votes (`probabilities = "votes"`) are coarse and
    uncalibrated: records in which a class has no vote tie in its AUROC (such a pair
    counts one half), and a true class without a vote costs 15.9 nats of log loss, -ln
    of float32's resolution.

    The prior is counted in the training split of the data at hand; where weights are
    evaluated on another set, that is the other set's.
    """

    name = "prior-vote"
    version = 1
    decision_only = True
    reference = (
        "Hannun et al. 2019, doi 10.1038/s41591-018-0268-3: the evaluation on CinC "
        "2017 in the code published with it"
    )
    presets: ClassVar[Mapping[str, Preset]] = {"faithful": FAITHFUL}

    class Params(Strategy.Params):
        """What a vote is divided by, who has one, and what is told of it."""

        prior: Literal["smoothed", "none"] = Field(
            "smoothed", description="what the softmax of each step is divided by"
        )
        smoothing: float = Field(
            SMOOTHING, gt=0, description="records added to the count of each class"
        )
        padding_votes: bool = Field(
            False,
            description="let steps vote that hold padding only, as the published code "
            "does; predictions then depend on the batch",
        )
        probabilities: Literal["votes", "softmax"] = Field(
            "softmax",
            description="the mean softmax, the winner's raised over the largest, or "
            "shares of votes",
        )

        @model_validator(mode="after")
        def _smoothing_has_a_use(self) -> Self:
            if self.prior == "none" and self.smoothing != SMOOTHING:
                raise ValueError('smoothing needs prior = "smoothed"')
            return self

    @property
    def batch_independent(self) -> bool:  # type: ignore[override]
        """Padding depends on the longest record of a batch."""
        return not self.params.padding_votes

    @hookimpl
    def setup(self, run: Run) -> None:
        """Refuse a task in which records don't have one class each."""
        if run.task != "single-label":
            raise CellError(
                "prior-vote gives a record the one class that most steps vote for; "
                f"{run.cell.dataset.name} is {run.task} here"
            )

    @hookimpl
    def extra_losses(self, run: Run, batch: Batch, outputs: Outputs) -> None:
        """Add nothing, but refuse a network without steps before it is trained."""
        check_steps(outputs.logits)

    @hookimpl
    def predict(self, run: Run, batch: Batch, outputs: Outputs) -> Tensor:
        """The vote, as the largest of each row; shape (batch, classes).

        A step's vote is argmax_c p(c | step) / pi_c, the record's class their mode.
        """
        check_steps(outputs.logits)
        softmax, signal = outputs.logits.softmax(1), outputs.step_mask
        quotients = softmax
        if self.params.prior == "smoothed":
            counts = run.train.labels.bincount(minlength=len(run.classes))
            prior = smoothed_prior(counts, self.params.smoothing)
            quotients = softmax / prior.to(softmax.device)[:, None]
        votes, winner = elect(quotients, None if self.params.padding_votes else signal)
        told = votes if self.params.probabilities == "votes" else total(softmax, signal)
        return led_by(winner, told)


def check_steps(logits: Tensor) -> None:
    """Refuse logits that are one decision a record.

    Raises
    ------
    CellError
        If they have no axis of steps.
    """
    if logits.ndim != 3:
        raise CellError(
            "prior-vote needs a network with a decision per step, whose logits have "
            f"shape (batch, classes, steps), not {tuple(logits.shape)}; of resnet1d, "
            'take head = "steps"'
        )


def smoothed_prior(counts: Tensor, smoothing: float) -> Tensor:
    """(n_c + smoothing) / (N + classes), shape (classes,); its sum isn't 1.

    Parameters
    ----------
    counts
        Training records of each class, shape (classes,).
    """
    return (counts + smoothing) / (counts.sum() + len(counts))


def elect(quotients: Tensor, voters: Tensor | None) -> tuple[Tensor, Tensor]:
    """Votes of each class, int64, shape (batch, classes), and who wins, shape (batch,).

    Parameters
    ----------
    quotients
        At least 0, shape (batch, classes, steps): each step votes for its largest.
        Of classes with equally many votes, the one with the larger sum wins.
    voters
        bool, shape (batch, steps): the steps that have a vote; None for all.
    """
    from torch.nn.functional import one_hot

    ballots = one_hot(quotients.argmax(1), quotients.shape[1]).transpose(1, 2)
    votes = total(ballots, voters)
    ahead = votes == votes.amax(1, keepdim=True)
    winner = total(quotients, voters).masked_fill(~ahead, -1.0).argmax(1)
    return votes, winner


def total(values: Tensor, steps: Tensor | None) -> Tensor:
    """The sum over those steps, (batch, classes, steps) to (batch, classes)."""
    return (values if steps is None else values * steps[:, None]).sum(2)


def led_by(winner: Tensor, values: Tensor) -> Tensor:
    """Values, shape (batch, classes), as shares of 1; the winner's the largest."""
    from torch import where
    from torch.nn.functional import one_hot

    behind = (values.argmax(1) != winner)[:, None]
    to_raise = behind & one_hot(winner, values.shape[1]).bool()
    raised = where(to_raise, LEAD * values.amax(1, keepdim=True), values)
    return raised / raised.sum(1, keepdim=True)
