"""What the public functions do over a source, whose rows are never all in memory.

A call is a `conflearn.stream.run.Run`: one pass after the other over the blocks of a
`conflearn.sources.Source`, each of which fills a state of `conflearn.states`, or columns.

``run`` is what all passes share, with ``progress`` and ``checkpoint``; ``outputs`` has the results,
in memory or in files, with ``result_columns`` and ``hidden``; ``search`` flags rows, by
``selection`` where a filter takes so many of each class, and ``order`` sorts what is too much for
memory. The others say what the function of the same name does: ``issues``, ``analysis``,
``quality``, ``joint``, ``thresholds``; of tags, ``tag_issues`` with ``tag_search``.
"""
