"""A learner and a task together: what an inner loop takes the loss of."""

from dataclasses import dataclass

from torch import Tensor

from metaglot.types.learner import Learner
from metaglot.types.objective import Objective
from metaglot.types.values import FEATURES, VOCABULARY, Batch, HeadSpec, Outputs, Params, TaskInfo, Units

OUTPUTS = "outputs."  # of a learner's outputs that stand in a batch


@dataclass(frozen=True)
class Problem:
    """A learner, an objective and a task: all that an algorithm sees of the world."""

    learner: Learner
    objective: Objective
    task: TaskInfo

    @property
    def head_spec(self) -> HeadSpec:
        """The shape of the task's output layer."""
        return self.objective.head_spec(self.task, self.learner.hidden_size)

    @property
    def over_vocabulary(self) -> bool:
        """Whether the learner's own language-model head scores the task."""
        return self.head_spec.level == VOCABULARY

    @property
    def headless(self) -> bool:
        """Whether the task has no output layer of its own to be made."""
        return self.head_spec.level in (VOCABULARY, FEATURES)

    def outputs(self, params: Params, batch: Batch, *, seed: int | None = None) -> Outputs:
        """Return the learner's outputs with the task's scores as `logits`."""
        seen, language = self._seen(batch), self.over_vocabulary
        if seen and language:
            seen = seen._replace(logits=self.learner.score(params, seen.hidden, batch, seed=seed))
        outputs = seen or self.learner.forward(params, batch, seed=seed, logits=language)
        return outputs._replace(logits=self.objective.logits(params, outputs, batch))

    def units(self, params: Params, batch: Batch, *, seed: int | None = None) -> Units:
        """Return what a head is made of on this batch."""
        outputs = self._seen(batch) or self.learner.forward(params, batch, seed=seed)
        return self.objective.units(outputs, batch, self.head_spec)

    def remembered(self, params: Params, batch: Batch, *, seed: int | None = None) -> Batch:
        """Return the batch with the learner's outputs in it, so that only the head is run from now on."""
        outputs = self.learner.forward(params, batch, seed=seed)
        return {**batch, OUTPUTS + "hidden": outputs.hidden, OUTPUTS + "pooled": outputs.pooled}

    @staticmethod
    def _seen(batch: Batch) -> Outputs | None:
        if OUTPUTS + "pooled" not in batch:
            return None
        return Outputs(batch[OUTPUTS + "hidden"], batch[OUTPUTS + "pooled"], batch["attention_mask"])

    def loss(self, params: Params, batch: Batch, *, seed: int | None = None) -> Tensor:  # nats
        """Return the mean loss of what is judged in a batch."""
        return self.objective.loss(self.logits(params, batch, seed=seed), batch)

    def logits(self, params: Params, batch: Batch, *, seed: int | None = None) -> Tensor:
        """Return the task's scores for a batch."""
        logits = self.outputs(params, batch, seed=seed).logits
        assert logits is not None
        return logits
