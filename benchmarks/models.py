"""Models of benchmarks."""

from metaglot.adaptation import Model, load_model


def load(name: str) -> Model:
    """Return a model, which is no adaptation, by its name or folder."""
    model = load_model(name)
    assert isinstance(model, Model)
    return model
