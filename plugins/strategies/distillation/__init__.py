"""Distillation: a network on few leads learns what one on all leads makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import ConfigError, Strategy, equal_budget, hookimpl

from .params import PRESETS, DistillationParams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from harness import Batch, Cell, Outputs, Run

    from .stages import Stage

TEACHER = "teacher"
EQUAL_FLOPS = "baseline at equal FLOPs"
HALF = 0.5
ON_ITS_OWN = {
    "teacher": "self",
    "teacher_leads": None,
    "teacher_model": None,
    "teacher_model_params": {},
}


class Distillation(Strategy):
    """Teach a network on few leads what one on all leads sees in the same records.

    The teacher T is trained first, plainly, on the same split with the same seed, and
    then frozen. In every step it is shown what the student S is shown, through its own
    leads: the same crops, the same mixes. At each step t of the output of a stage j,
    the channels c are made a distribution, and the student's is drawn to the teacher's:

        P = softmax_c(T_j[:, t] / tau),   Q = softmax_c(S_j[:, t] / tau)
        KL_j = mean_t sum_c P log (P / Q)              for the last n stages j
        KD = weight sum_j w_j tau^2 KL_j + logit_weight theta^2 KL_answer
        L = L_label + m(e) KD,  m(e) = 1 / (1 + exp(-(e - ramp_middle) / ramp_width))

    in epoch e, from 0, with tau = `temperature` and theta = `logit_temperature`.
    KL_answer is that of the softened answers (Hinton et al. 2015, equation 1 and what
    follows it), P and Q being those of the classes.

    Students of fewer leads learned from 12-lead networks in Han et al. 2023. The code
    that the stages' KL is published in sums over t, so that the window's length decides
    what a teacher weighs: its 0.05 at 7,500 samples is 5.86 on means, the default here.
    As it was: the preset `faithful`.

    Stages are what models list as `features`, paired from the deepest. Where channels
    differ, the student's go through a 1x1 convolution that is trained with it; where
    steps differ, the teacher's are interpolated.

    Anything to be drawn to might help: controls are a teacher that is shown another
    record of the batch (of a batch of one there is none), one that never was trained,
    and one on the student's own leads.
    """

    name = "distillation"
    reference = (
        "Han et al. 2023, Physiol. Meas. 44(5) 054003; Hinton et al. 2015, arXiv "
        "1503.02531"
    )
    presets = PRESETS
    Params = DistillationParams

    @property
    def batch_independent(self) -> bool:  # type: ignore[override]
        """Whether a record is taught by itself, whatever else is in its batch."""
        return self.params.teacher != "shuffled"

    @hookimpl
    def requires(self, cell: Cell) -> Mapping[str, Cell]:
        """The teacher; none where nothing is taught.

        Raises
        ------
        ConfigError
            If training ends before the teacher has half of its weight.
        """
        if not self.params.teaches:
            return {}
        epochs = cell.budget.epochs
        reached = self.params.ramp_at(epochs - 1)
        if reached < HALF:
            raise ConfigError(
                f"in {epochs} epochs the teacher comes to {reached:.2g} of its weight; "
                f"set ramp_middle, which is {self.params.ramp_middle:g}, to an earlier "
                "epoch, or ramp = false"
            )
        return {TEACHER: self._teacher_of(cell)}

    def _teacher_of(self, cell: Cell) -> Cell:
        params = self.params
        if params.teacher == "self":
            return cell.with_strategy("baseline")
        trained = "untrained" if params.teacher == "untrained" else "baseline"
        teacher = cell.with_strategy(trained).with_options(leads=params.teacher_leads)
        if params.teacher_model is not None:
            return teacher.with_model(
                params.teacher_model, **params.teacher_model_params
            )
        if params.teacher_model_params and cell.model is not None:
            own = {**cell.model.params, **params.teacher_model_params}
            return teacher.with_model(cell.model.name, **own)
        return teacher

    @hookimpl
    def controls(self, cell: Cell) -> Mapping[str, Cell]:
        """No teacher, three that know nothing more of the record, and plain training
        that computes as much as student and teacher did.
        """
        if self.params.teacher != "trained":
            return {}
        untaught = cell.without(self.name)
        taught = {
            "shuffled teacher": cell.changing(self.name, teacher="shuffled"),
            "untrained teacher": cell.changing(self.name, teacher="untrained"),
            "self-distillation": cell.changing(self.name, **ON_ITS_OWN),
            EQUAL_FLOPS: equal_budget(cell)[EQUAL_FLOPS],
        }
        if not self.params.teaches:
            # A sweep that goes through zero has the same controls all along.
            taught = dict.fromkeys(taught, untaught)
        return {"no distillation": untaught, **taught}

    @hookimpl
    def setup(self, run: Run) -> None:
        """Pair the stages, with adapters where they need them."""
        from .stages import paired_stages

        self._stages: list[Stage] = []
        if self.params.teaches:
            self._stages = paired_stages(run, TEACHER, self.params)

    @hookimpl
    def extra_losses(self, run: Run, batch: Batch, outputs: Outputs) -> Tensor | None:
        """m(e) times what the teacher teaches of each record: shape (batch,)."""
        if not self.params.teaches:
            return None
        lesson = self._lesson(run, batch)
        taught = outputs.logits.new_zeros(len(batch))
        for stage in self._stages:
            kl = self._stage_divergence(run, batch, outputs, lesson, stage)
            taught = taught + self.params.weight * stage.weight * kl
        if self.params.logit_weight:
            kl = self._answer_divergence(run, outputs, lesson)
            taught = taught + self.params.logit_weight * kl
        ramp = self.params.ramp_at(run.epoch)
        run.log(distillation_ramp=ramp)
        run.log_mean(distillation_loss=ramp * taught)
        return ramp * taught

    def _lesson(self, run: Run, batch: Batch) -> Outputs:
        """What the teacher makes of each record, or of another one if shuffled."""
        from .divergence import derangement

        if self.params.teacher == "shuffled":
            batch = batch.select(derangement(run.rng("shuffled teacher"), len(batch)))
        names = [stage.taught for stage in self._stages]
        return run.required(TEACHER).outputs(batch, names)

    def _stage_divergence(
        self, run: Run, batch: Batch, outputs: Outputs, lesson: Outputs, stage: Stage
    ) -> Tensor:
        """tau^2 KL_j of each record: shape (batch,)."""
        from .divergence import of_stage, over_time

        params = self.params
        by_step = of_stage(
            lesson.features[stage.taught],
            stage.of_student(outputs),
            params.temperature,
            params.standardise,
        )
        mask = batch.step_mask(by_step.shape[1])
        run.log_mean(**{f"kl_{stage.name}": over_time(by_step, mask, "mean")})
        return params.temperature**2 * over_time(by_step, mask, params.over_time)

    def _answer_divergence(self, run: Run, outputs: Outputs, lesson: Outputs) -> Tensor:
        """theta^2 KL_answer of each record: shape (batch,)."""
        from .divergence import of_answers

        theta = self.params.logit_temperature
        kl = of_answers(lesson, outputs, theta, run.task == "multi-label")
        run.log_mean(kl_answers=kl)
        return theta**2 * kl
