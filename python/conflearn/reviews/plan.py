"""Audit plans: which rows a person should look at, so that much is known of the others."""

import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from conflearn._coerce import as_bool, as_count, as_labels, as_share
from conflearn._names import Kind, Score
from conflearn._runs import Path as AnyPath
from conflearn._tables import Table, as_table
from conflearn._warn import warn_caller
from conflearn.analysis import Analysis, analyze
from conflearn.errors import InputError, OptionError, ReviewWarning
from conflearn.reviews.plan_file import SavedPlan
from conflearn.reviews.result import AuditResult
from conflearn.reviews.review_list import write_list
from conflearn.reviews.strata import (
    cut_strata,
    draw_cells,
    draw_more,
    first_allocation,
    interleaved,
    next_allocation,
)
from conflearn.reviews.verdicts import Said, read_verdicts

__all__ = ["AuditPlan", "audit"]

Ints = npt.NDArray[np.int64]

#: Fewer tell too little.
_FEWEST_REVIEWS = 10
#: Beyond it, approximations of intervals mean nothing.
_MOST_CONFIDENCE = 0.999999


class AuditPlan:
    """Which rows to review, and what they stand for. `audit` makes it.

    Reviewers can stop at any time, though not because of what they have seen: rows come in an order
    in which any beginning holds about as large a part of each stretch of the ranking. A plan that
    `more` made keeps the verdicts that `more` was given.

    Attributes
    ----------
    rows : ndarray of shape (n,), int64
        The rows to review, in order: no row twice.
    given_labels : list of n
        Their given labels, by name if `classes` were told.
    suggested_labels : list of n
        What these should be by the model; "" where it has no other label to suggest.
    n_examples : int
        N.
    rank_by : str
        The score that ranks the rows.
    seed : int
        From which the rows were drawn.
    """

    def __init__(
        self,
        analysis: Analysis,
        given: Ints,
        seed: int,
        edges: Ints,
        cells: Ints,
        rounds: Sequence[Ints],
        kept: Said | None = None,
    ) -> None:
        self._analysis, self._given = analysis, given
        #: Where strata end in the ranking, and the cells of the first round.
        self._edges, self._cells = edges, cells
        self.seed = seed
        self.rank_by = analysis.rank_by
        #: Rows by score, the worst first; of equals, the lower row.
        self._order = np.argsort(analysis.scores[analysis.rank_by], kind="stable")
        #: Positions in the ranking, round after round, each in the order of review.
        self._rounds = list(rounds)
        #: What was said before the last round was drawn.
        self._kept = (kept or Said.nothing(0)).padded(len(self._positions))

    @property
    def n_examples(self) -> int:
        """N."""
        return len(self._given)

    @property
    def rows(self) -> Ints:
        """The rows to review, in order."""
        rows: Ints = self._order[self._positions]
        return rows

    @property
    def given_labels(self) -> list[object]:
        """Their given labels."""
        return [self._name(self._given[row]) for row in self.rows]

    @property
    def suggested_labels(self) -> list[object]:
        """Their suggested labels, or ""."""
        suggested = self._analysis.suggested_labels
        return [
            "" if suggested[row] == self._given[row] else self._name(suggested[row])
            for row in self.rows
        ]

    def result(self, verdicts: Any = (), *, confidence: float = 0.95) -> AuditResult:
        """Say what follows from reviews.

        Parameters
        ----------
        verdicts : path, mapping, table, or list of these
            The file that `to_csv` wrote, filled in; a mapping from row to "right", "wrong" or
            "skip"; or a table (record array, data frame, dict of columns) with ``row`` and
            ``verdict``, ``right_label`` or both: where a right label stands alone, it says whether
            the given one is right. Rows that are left out, or have no verdict, count as not
            reviewed yet. A list, or tuple, of these is joined: it may hold a row twice if both say
            the same, or one of them skips it. What the plan keeps is known already; of a row that
            has a verdict here, too, this one counts.
        confidence : float, default 0.95
            How often intervals are to hold; above 0, and at most 0.999999.

        Returns
        -------
        AuditResult

        Raises
        ------
        InputError
            If a verdict is none of these, or of a row that was not drawn, or contradicts its right
            label, or another verdict; or if nothing has been reviewed. Or if of some round that
            `more` added there are verdicts, but none at all of one before it: which rows were
            added hangs on what the first had shown, so they alone say little of the others.

        Warns
        -----
        ReviewWarning
            If nobody has looked at the rows that `more` added last.
        """
        level = _as_level(confidence, "confidence")
        said = self._read(verdicts)
        if not said.is_known.any():
            raise InputError(
                "verdicts say of no row whether its label is right or wrong; review at least one"
            )
        self._check_rounds(said)
        return AuditResult(
            self._order,
            self._analysis.scores[self.rank_by],
            self._edges,
            self._cells,
            self._positions,
            said,
            n_first=len(self._rounds[0]),
            seed=self.seed,
            confidence=level,
        )

    def more(self, n_reviews: int, verdicts: Any) -> "AuditPlan":
        """Add rows where they shrink the interval for the number of errors most.

        Parameters
        ----------
        n_reviews : int
            How many rows to add; fewer if there are no more.
        verdicts
            What is known of the rows so far, as in `result`.

        Returns
        -------
        AuditPlan
            With the same rows, and after them the new ones. It keeps the verdicts.
        """
        n_more = as_count(n_reviews, "n_reviews")
        said = self._read(verdicts)
        positions = self._positions
        drawn = self._count(positions)
        wrong, known = (self._count(positions[which]) for which in (said.is_wrong, said.is_known))
        total = next_allocation(np.diff(self._edges), drawn, wrong, known, n_more)
        rng = np.random.default_rng([self.seed, len(self._rounds)])
        new = []
        for start, end, n in zip(self._edges, self._edges[1:], total - drawn, strict=False):
            new.append(draw_more(start, end, positions, n, rng))
        added = interleaved(np.concatenate(new), self._edges, rng)
        return AuditPlan(
            self._analysis,
            self._given,
            self.seed,
            self._edges,
            self._cells,
            [*self._rounds, added] if len(added) else self._rounds,
            said,
        )

    def to_records(self) -> Table:
        """Tabulate the rows to review.

        Returns
        -------
        recarray of shape (n,)
            Fields ``round``, ``row``, ``given``, ``suggested``, ``score``, and to be filled in:
            ``verdict`` and ``right_label``. Verdicts that the plan keeps are filled in.
        """
        rows = self.rows
        return as_table(
            round=np.repeat(np.arange(1, len(self._rounds) + 1), [len(r) for r in self._rounds]),
            row=rows,
            given=_objects(self.given_labels),
            suggested=_objects(self.suggested_labels),
            score=self._analysis.scores[self.rank_by][rows],
            verdict=_objects(self._kept.words),
            right_label=self._kept.right_labels,
        )

    def to_csv(self, path: AnyPath, *, overwrite: bool = False) -> None:
        """Write the same table as a file, for a spreadsheet.

        The person fills in ``verdict`` (right, wrong or skip) or ``right_label``, or both.

        Parameters
        ----------
        path : path
            Where to write it.
        overwrite : bool, default False
            Whether verdicts that stand in a file of this name may be lost. A list that nobody has
            filled in is replaced in any case.

        Raises
        ------
        OptionError
            If a file of this name holds verdicts that are not in the table, or is no such list; or
            if it cannot be written.
        """
        write_list(Path(path), self.to_records(), overwrite=as_bool(overwrite, "overwrite"))

    def save(self, path: AnyPath) -> None:
        """Write the plan, to go on with it later: `AuditPlan.load` reads it.

        Verdicts that it keeps are written, too; ``plan.more(0, verdicts)`` keeps some without
        drawing more rows.
        """
        numbers = {name: number for number, name in enumerate(self._classes)}
        labels = [
            None if label == "" else numbers.get(label, label) for label in self._kept.right_labels
        ]
        SavedPlan(
            n_examples=self.n_examples,
            labels=_digest(self._given),
            rank_by=self.rank_by,
            seed=self.seed,
            edges=self._edges.tolist(),
            cells=self._cells.tolist(),
            rounds=[positions.tolist() for positions in self._rounds],
            rows=self.rows.tolist(),
            verdicts=[
                (row, word, label)
                for row, word, label in zip(
                    self.rows.tolist(), self._kept.words, labels, strict=True
                )
                if word
            ],
        ).write(Path(path))

    @classmethod
    def load(
        cls,
        path: AnyPath,
        labels: object,
        pred_probs: object,
        *,
        kind: Kind = "probabilities",
        temperature: float = 1.0,
        class_bias: object = None,
        classes: Sequence[object] | None = None,
        n_threads: int | None = None,
    ) -> "AuditPlan":
        """Read a plan that was saved.

        Parameters
        ----------
        path : path
            What `save` wrote.
        labels, pred_probs, kind, temperature, class_bias, classes, n_threads
            Those that `audit` had. The file knows the rest.

        Returns
        -------
        AuditPlan

        Raises
        ------
        InputError
            If it is no plan, of another version, damaged, or was made for other labels, or for
            probabilities that rank the rows otherwise.
        """
        saved = SavedPlan.read(Path(path))
        analysis, given = _ranked(
            labels,
            pred_probs,
            saved.rank_by,
            kind=kind,
            temperature=temperature,
            class_bias=class_bias,
            classes=classes,
            n_threads=n_threads,
        )

        def refuse(why: str) -> InputError:
            return InputError(
                f"the plan in {path} was made for other data: {why}; pass the labels, pred_probs "
                "and options that audit had"
            )

        if saved.n_examples != len(given):
            raise refuse(f"for {saved.n_examples:,} examples, but labels has {len(given):,}")
        if saved.labels != _digest(given):
            raise refuse("some labels are not those that it was made for")
        edges, cells, *rounds = map(np.array, (saved.edges, saved.cells, *saved.rounds))
        plan = cls(analysis, given, saved.seed, edges, cells, rounds)
        if saved.rows != plan.rows.tolist():
            raise refuse("pred_probs rank the rows in another order")
        try:
            labels_said = [
                plan._classes[label] if isinstance(label, int) else label
                for _, _, label in saved.verdicts
            ]
            plan._kept = plan._read(
                {
                    "row": [row for row, _, _ in saved.verdicts],
                    "verdict": [word for _, word, _ in saved.verdicts],
                    "right_label": labels_said,
                }
            )
        except (InputError, IndexError) as error:
            raise refuse("its verdicts name other classes") from error
        return plan

    @property
    def _classes(self) -> Sequence[object]:
        classes = self._analysis.classes
        return range(self._analysis.n_classes) if classes is None else classes

    def _read(self, verdicts: Any) -> Said:
        """Read verdicts, and join them with those that are kept."""
        said = read_verdicts(verdicts, self.rows, self.given_labels, self._classes)
        return self._kept.updated(said)

    def _check_rounds(self, said: Said) -> None:
        """Refuse verdicts of a round that go without those that it was drawn by."""
        is_said = said.is_known | said.is_skipped
        rounds = np.repeat(np.arange(len(self._rounds)), list(map(len, self._rounds)))
        n_said = np.bincount(rounds[is_said], minlength=len(self._rounds))
        last = int(np.flatnonzero(n_said)[-1]) + 1
        if not n_said[:last].all():
            raise InputError(
                f"verdicts say nothing of round {np.argmin(n_said[:last]) + 1}, but something of "
                f"round {last}, whose rows were chosen by what the rounds before had shown; pass "
                "all verdicts, as a list of files if they are in several"
            )
        if last < len(n_said):
            warn_caller(
                f"verdicts say nothing of round {last + 1}, so that what follows rests on the "
                "rounds before it; fill in the list of more().to_csv and pass that",
                ReviewWarning,
            )

    @property
    def _positions(self) -> Ints:
        return np.concatenate(self._rounds)

    def _count(self, positions: Ints) -> Ints:
        """Count positions by stratum."""
        return np.histogram(positions, self._edges)[0].astype(np.int64)

    def _name(self, label: int) -> object:
        classes = self._analysis.classes
        return int(label) if classes is None else classes[label]

    def __repr__(self) -> str:
        sizes = ", ".join(
            f"{n:,} of {size:,}"
            for n, size in zip(self._count(self._positions), np.diff(self._edges), strict=True)
        )
        n_kept = sum(map(bool, self._kept.words))
        kept = f"; {n_kept:,} have a verdict" if n_kept else ""
        return (
            f"AuditPlan of {len(self.rows):,} reviews of {self.n_examples:,} labels{kept}\n"
            f"  the worst first by {self.rank_by}: {sizes}"
        )


def audit(
    labels: object,
    pred_probs: object,
    *,
    n_reviews: int = 100,
    seed: int | None = None,
    rank_by: Score = "self_confidence",
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
) -> AuditPlan:
    """Draw rows for a person to review, from which much follows about the others.

    How many labels are wrong is not known from probabilities alone: estimates from them are off by
    a third, often by more, and no interval around them holds. A hundred reviews change that.

    Parameters
    ----------
    labels, pred_probs, kind, temperature, class_bias, classes, n_threads
        As in `conflearn.analyze`.
    n_reviews : int, default 100
        How many rows to draw, at least 10.
    seed : int, optional
        The same seed draws the same rows.
    rank_by : str
        The score that ranks the rows: rows are drawn from stretches of the ranking, more of them
        where labels look bad.

    Returns
    -------
    AuditPlan
        With ``rows``, ``to_csv()``, ``result(verdicts)`` and ``more()``.

    Raises
    ------
    InputError, OptionError
        As in `conflearn.analyze`; or if `n_reviews` is below 10.

    Examples
    --------
    >>> import numpy as np, conflearn
    >>> rng = np.random.default_rng(0)
    >>> true_labels = rng.integers(0, 3, 3000)
    >>> pred_probs = 0.2 * rng.dirichlet([1, 1, 1], 3000) + 0.8 * np.eye(3)[true_labels]
    >>> labels = np.where(rng.random(3000) < 0.1, (true_labels + 1) % 3, true_labels)
    >>> plan = conflearn.audit(labels, pred_probs, n_reviews=60, seed=0)
    >>> is_wrong = labels != true_labels  # what a person would find out
    >>> verdicts = {row: "wrong" if is_wrong[row] else "right" for row in plan.rows}
    >>> result = plan.result(verdicts)
    >>> low, high = result.num_errors_interval
    >>> bool(low <= is_wrong.sum() <= high)
    True
    """
    n = as_count(n_reviews, "n_reviews")
    if n < _FEWEST_REVIEWS:
        raise OptionError(
            f"n_reviews={n} is too few to say anything; review at least {_FEWEST_REVIEWS} rows"
        )
    number = secrets.randbits(32) if seed is None else as_count(seed, "seed")
    analysis, given = _ranked(
        labels,
        pred_probs,
        rank_by,
        kind=kind,
        temperature=temperature,
        class_bias=class_bias,
        classes=classes,
        n_threads=n_threads,
    )
    edges = cut_strata(len(given), analysis.num_issues, n)
    counts = first_allocation(edges, analysis.num_issues, n)
    rng = np.random.default_rng(number)
    positions, cells = draw_cells(edges, counts.tolist(), rng)
    first = interleaved(positions, edges, rng)
    return AuditPlan(analysis, given, number, edges, cells, [first])


def _ranked(
    labels: object, pred_probs: object, rank_by: Score, **options: Any
) -> tuple[Analysis, Ints]:
    """Analyze, and tell the given labels as numbers."""
    analysis = analyze(labels, pred_probs, rank_by=rank_by, **options)
    given = as_labels(
        labels,
        analysis.n_classes,
        n_examples=analysis.n_examples,
        classes=analysis.classes,
    )
    return analysis, np.ascontiguousarray(given, dtype=np.int64)


def _digest(labels: Ints) -> str:
    return hashlib.blake2b(labels.tobytes(), digest_size=16).hexdigest()


def _objects(values: Sequence[object]) -> npt.NDArray[np.object_]:
    """Make an array of any values, of one dimension even where they are sequences."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _as_level(value: Any, name: str) -> float:
    level = as_share(value, name)
    if not 0 < level < 1:
        raise OptionError(f"{name}={value} must lie between 0 and 1; 0.95 is common")
    if level > _MOST_CONFIDENCE:
        raise OptionError(
            f"{name}={value} is more than intervals can promise; ask for {_MOST_CONFIDENCE} at most"
        )
    return level
