"""A meta-learner of one's own: choose a scope, a head, a rule and an estimator, and train it on one's own sets.

python examples/own_algorithm.py FILE.csv [FILE.csv …]     (columns text and label)
"""

import sys

from metaglot.algorithms import GradientBased
from metaglot.data.readers import read_table
from metaglot.data.store import tokenise
from metaglot.families.classification import Classification
from metaglot.inner import Sgd, first_order
from metaglot.models import Lora, Prototypes, load_backbone
from metaglot.tasks import Shape, SupervisedTasks, sources_of
from metaglot.training import Optimisation, initial_state, train

# Two first-order steps on low-rank updates, from prototypes.
ALGORITHM = GradientBased(scope=Lora(rank=4), head=Prototypes(), rule=Sgd(lr=0.05), steps=2, estimator=first_order)


def main(files: list[str], *, model: str = "builtin:tiny", steps: int = 20) -> float:
    backbone = load_backbone(model)
    sources = []
    for file in files:
        examples = tokenise(read_table(file), backbone.tokenizer, name=file, max_length=48)
        sources += sources_of(examples)
    family = Classification(pad_token_id=backbone.tokenizer.pad_token_id)
    tasks = SupervisedTasks(tuple(sources), family, Shape(ways=(2, 4), shots=(1, 4)))
    state = initial_state(ALGORITHM, backbone.learner, tasks.tasks, seed=0)
    loss = float("nan")
    for after, record in train(state, tasks, ALGORITHM, backbone.learner, Optimisation(steps=steps, warmup=5)):
        loss = float(record["loss"])
        print(f"step {after.step}: query loss {loss:.3f}, accuracy {record['accuracy']:.2f}")
    return loss


if __name__ == "__main__":
    main(sys.argv[1:])
