"""A recipe becomes a plan: data read and tokenised, tasks made, the model loaded."""

from metaglot.assembly.folder import write_run_files
from metaglot.assembly.labelled import read_set
from metaglot.assembly.plan import Assembled, assemble
from metaglot.assembly.progress import Progress

__all__ = ["Assembled", "Progress", "assemble", "read_set", "write_run_files"]
