"""A recipe becomes a plan: data read and tokenised, tasks made, the model loaded."""

from metaglot.assembly.folder import write_run_files
from metaglot.assembly.labelled import read_set
from metaglot.assembly.plan import Assembled, assemble
from metaglot.assembly.voice import Voice

__all__ = ["Assembled", "Voice", "assemble", "read_set", "write_run_files"]
