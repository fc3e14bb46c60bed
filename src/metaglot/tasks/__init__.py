"""Distributions over tasks: labelled sets, tasks made from raw text, mixtures."""

from metaglot.tasks.clusters import SentenceClustering, WordClustering, cluster_sentences, cluster_words
from metaglot.tasks.documents import document_sources
from metaglot.tasks.domain_lm import DomainText, Passages
from metaglot.tasks.domains import domain_source
from metaglot.tasks.joining import Joining, joining_of
from metaglot.tasks.masked import MaskedText
from metaglot.tasks.mixture import Bound, MixtureOf
from metaglot.tasks.pairs import Closeness, SentencePairs
from metaglot.tasks.plain import HeldOut, PlainText
from metaglot.tasks.shape import Shape
from metaglot.tasks.smlmt import MaskedWords
from metaglot.tasks.sources import Selection, Source, source_by_code, sources_of, split_classes, split_sets
from metaglot.tasks.supervised import SupervisedTasks, draw_episode
from metaglot.tasks.targets import Targets, targets_by
from metaglot.tasks.words import Clusters, Curriculum, LogFrequency, Uniform

__all__ = [
    "Bound",
    "Closeness",
    "Clusters",
    "Curriculum",
    "DomainText",
    "HeldOut",
    "Joining",
    "LogFrequency",
    "MaskedText",
    "MaskedWords",
    "MixtureOf",
    "Passages",
    "PlainText",
    "Selection",
    "SentenceClustering",
    "SentencePairs",
    "Shape",
    "Source",
    "SupervisedTasks",
    "Targets",
    "Uniform",
    "WordClustering",
    "cluster_sentences",
    "cluster_words",
    "document_sources",
    "domain_source",
    "draw_episode",
    "joining_of",
    "source_by_code",
    "sources_of",
    "split_classes",
    "split_sets",
    "targets_by",
]
