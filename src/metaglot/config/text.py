"""Raw text: where it comes from, and which part of it is kept."""

from typing import Any, Literal

from pydantic import Field, model_validator

from metaglot.config.strict import MOST, Strict


class CorpusSettings(Strict):
    """A file or folder of raw text."""

    path: str  # relative to text.root
    name: str = ""  # the file's name if empty
    columns: dict[str, str] = Field(default={})
    encoding: str | None = None  # of text files that are not UTF-8, such as cp1252
    languages: tuple[str, ...] = Field(default=(), strict=False)  # keep these only; all if empty
    domains: tuple[str, ...] = Field(default=(), strict=False)  # keep these only; all if empty
    without_domains: tuple[str, ...] = Field(default=(), strict=False)

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value


class TextSettings(Strict):
    """Raw text, cleaned, cut into sentences and packed into blocks."""

    root: str = ""  # may hold $METAGLOT_DATA
    corpora: tuple[CorpusSettings, ...] = Field(min_length=1, strict=False)
    duplicates: Literal["keep", "exact", "near"] = "exact"
    min_chars: int = Field(default=40, ge=0, le=MOST)  # of a paragraph
    max_chars: int = Field(default=20_000, ge=1, le=MOST)
    min_words: int = Field(default=5, ge=1, le=MOST)  # of a sentence
    length: int = Field(default=128, ge=8, le=65536)  # tokens of a block
    held_out: float = Field(default=0.02, ge=0, lt=1)  # share of the documents kept for perplexity
