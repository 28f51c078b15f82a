"""Inputs that are read in blocks, because they lie in files or do not fit in memory.

`open_source` finds out what labels and matrix are; a `Source` gives them as `Block` after `Block`,
as often as there are passes, in a fixed amount of memory. A thread reads while the core computes.

What the modules know, from the bottom up: ``file`` reads by position and notices changes;
``rows``, ``labels`` say what parts have in common; ``stored`` (with ``npy``, ``archive``),
``sliceable`` and ``tables`` are the parts; ``batches`` are a source of their own; ``joined`` makes
a source of cells and labels; ``opening`` opens whatever an argument is, ``opened`` decides whether
there is anything to open; ``files`` tells which files are read; ``ahead`` is the thread.
"""

from conflearn.sources.columns import Columns
from conflearn.sources.opened import is_source, open_source
from conflearn.sources.source import Block, Source

__all__ = ["Block", "Columns", "Source", "is_source", "open_source"]
