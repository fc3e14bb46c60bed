"""A small encoder–decoder of random weights (T5, two layers each) over a byte-level BPE of its own text."""

from collections.abc import Callable, Sequence
from pathlib import Path

from metaglot.adaptation import Model, load_model
from metaglot.adaptation.encoder import Encoder
from metaglot.data.vocabulary import train_tokenizer
from metaglot.models import Runtime
from metaglot.models.scratch import make_backbone

LAYERS = 2
Pairs = Sequence[tuple[str, str]]  # sources and targets


def small_t5(folder: Path, pairs: Callable[[], Pairs], *, width: int, vocabulary: int) -> Encoder:
    """Return the network of a folder, which is made where it is not there; the tokenizer is learnt from the pairs."""
    if not folder.exists():
        texts = [part for pair in pairs() for part in pair]
        tokenizer = train_tokenizer(texts, kind="bpe", size=vocabulary, lowercase=False)
        shape = {"d_model": width, "d_kv": width // 4, "d_ff": 4 * width, "num_heads": 4}
        layers = {"num_layers": LAYERS, "num_decoder_layers": LAYERS}
        make_backbone("t5", {**shape, **layers}, tokenizer, folder, seed=0)
    model = load_model(str(folder), Runtime(device="cpu", writes=True))
    assert isinstance(model, Model)
    return model.encoder
