"""Goals name a metric and a score on its better side; each other one is refused with the way out."""

import pytest

from metaglot.cli.shared.goals import parse_goal
from metaglot.config import parse_recipe
from metaglot.config.goal import GoalSettings, goal_of
from metaglot.data.yamltext import parse_yaml
from metaglot.errors import MetaglotError
from metaglot.metric import ACCURACY, ACCURACY_AND_LOSS, CLASSIFICATION, LOSS, error_metric

MAE = error_metric("mae", "MAE", "stars")
DATA = "data: {train: [a.csv], validation: [b.csv]}\n"


def test_a_goal_of_accuracy_and_one_of_a_loss():
    assert goal_of(GoalSettings(at_least=0.9), ACCURACY_AND_LOSS) == (ACCURACY, 0.9)
    assert goal_of(GoalSettings(metric="loss", at_most=0.5), ACCURACY_AND_LOSS) == (LOSS, 0.5)
    assert goal_of(GoalSettings(metric="mae", at_most=0.5), (MAE,)) == (MAE, 0.5)


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        ("{at_least: 0}", r"goal\.at_least: 0 is the worst accuracy there is.*got 0"),
        ("{at_least: 75}", r"goal\.at_least: .*between 0 and 1.*got 75"),
        ("{at_most: 0.5}", r"goal\.at_most: a higher accuracy is better: give at_least"),
        ("{metric: loss, at_least: 0.5}", r"goal\.at_least: .*a lower loss is better: give at_most"),
        ("{metric: loss, at_most: -1}", r"goal\.at_most: .*between 0 and …"),
        ("{metric: loss, at_least: 0.5, at_most: 1}", r"give at_most"),
        ("{metric: mae, at_least: 0.5, at_most: 1}", r"give either at_least or"),
        ("{metric: accuracy}", r"give either at_least or"),
    ],
)
def test_goals_of_a_recipe_that_cannot_be(goal, said):
    with pytest.raises(MetaglotError, match=said):
        parse_recipe(parse_yaml(f"{DATA}goal: {goal}", "r.yaml"))


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        (GoalSettings(metric="f1", at_least=0.5), "judged by accuracy, loss, and 'f1' is none"),
        (GoalSettings(metric="mae", at_least=0.5), "judged by accuracy, loss"),
    ],
)
def test_goals_that_the_tasks_cannot_tell(goal, said):
    with pytest.raises(MetaglotError, match=said):
        goal_of(goal, ACCURACY_AND_LOSS)
    with pytest.raises(MetaglotError, match=r"goal\.at_least: a lower MAE is better: give at_most; got 0\.5"):
        goal_of(GoalSettings(metric="mae", at_least=0.5), (MAE,))


def test_a_goal_on_the_command_line():
    assert [parse_goal(text, (ACCURACY,)) for text in ("0.9", "accuracy=0.9", " accuracy = .9 ", "1")] == [
        0.9,
        0.9,
        0.9,
        1,
    ]
    assert parse_goal("mae=0.7", (ACCURACY, MAE)) == 0.7
    assert parse_goal("0", (MAE,)) == 0, "no error at all is the best there is"
    for text in ("0", "1.01", "nan", "inf", "x", "accuracy=", "accuracy=2"):
        with pytest.raises(MetaglotError, match=r"--goal .*: expected accuracy above 0 and at most 1"):
            parse_goal(text, CLASSIFICATION)
    with pytest.raises(MetaglotError, match=r"unknown metric 'f1'; use accuracy, macro_f1, ece, as in accuracy=0\.9"):
        parse_goal("f1=0.9", CLASSIFICATION)
    with pytest.raises(MetaglotError, match=r"expected MAE at least 0, e.g"):
        parse_goal("-1", (MAE,))
