"""States: what a pass over some rows leaves, for data that are never all in one place.

Each state is updated with one batch of rows after the other; batches may be of any sizes and come
in any order. States that were made with the same arguments are merged in any order; one that has
seen nothing changes nothing. So the answer is that of one call with all rows, to the bit. States
are small: none holds anything of every row. `to_bytes` writes them, for another machine or a file;
`from_bytes` reads them, and takes nothing for granted (no pickle). A state is for one thread at a
time: threads of their own fill states of their own, which are merged.

====================  =========================================================================
pass                  state, and what it leaves
====================  =========================================================================
1, *thresholds*       `ThresholdState`: mean self-confidence of each class
2, *joint*            `JointState`: the confident joint, and how many issues there are
3, *selection*        `SelectionState`: the rows that a filter removes, as many as `Cuts` say
one before these      `SampleState`: rows to fit a calibration to
in any later pass     `Rule`: what is to be said of each row by itself
in any pass           `CheckState`: what shows that labels and matrix are not what they should be
====================  =========================================================================

The third is for the filters that remove so many rows of each class, or so many in all. How many
is known only after the second; ``confident_learning`` and ``predicted_neq_given`` need neither, and
``relative_confidence`` a `Judge` that is fitted after the first.

>>> import conflearn
>>> labels = [0, 0, 0, 1, 1]
>>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
>>> here, there = ThresholdState(2), ThresholdState(2)
>>> here.update(labels[:3], pred_probs[:3])
>>> there.update(labels[3:], pred_probs[3:])
>>> here.merge(ThresholdState.from_bytes(there.to_bytes()))
>>> here.finish()
array([0.63333333, 0.8       ])
"""

from conflearn.states.checks import CheckState
from conflearn.states.joint import JointState
from conflearn.states.judge import Judge
from conflearn.states.looks import Look, look
from conflearn.states.rule import RowResults, Rule
from conflearn.states.sample import SampleState
from conflearn.states.selection import MOST_SELECTED, Cuts, Flagged, SelectionState
from conflearn.states.thresholds import ThresholdState

__all__ = [
    "MOST_SELECTED",
    "CheckState",
    "Cuts",
    "Flagged",
    "JointState",
    "Judge",
    "Look",
    "RowResults",
    "Rule",
    "SampleState",
    "SelectionState",
    "ThresholdState",
    "look",
]
