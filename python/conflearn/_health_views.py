"""The health of a data set for people to look at: as text, as HTML, as a chart."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from conflearn._coerce import as_count
from conflearn.errors import MissingDependencyError, OptionError

if TYPE_CHECKING:
    from conflearn._tables import Table
    from conflearn.health import DatasetHealth

__all__ = ["as_chart", "as_html", "as_text"]

_IN_TEXT = 3
_IN_HTML = 10
#: Cells of heat maps with no more classes have room for a number.
_WITH_NUMBERS = 12
_CELL, _LEAST_SIDE = 26, 170  # pixels
#: From no example to the most: light enough for numbers to be read on it.
_COLORS = ["#ffffff", "#f16913"]


# --- Text ----------------------------------------------------------------------------------------


def as_text(health: "DatasetHealth") -> str:
    """Say it in a few lines, however many classes there are."""
    lines = [
        f"DatasetHealth of {health.n_examples:,} labels in {health.n_classes:,} classes",
        f"  {_overall(health)}",
    ]
    worst = [
        f"{row.class_name} ({row.label_issues:,}, {row.label_noise:.1%})"
        for row in _with_issues(health)[:_IN_TEXT]
    ]
    if worst:
        lines.append(f"  worst classes (wrong labels): {', '.join(worst)}")
    pairs = [
        f"{pair.name_a} and {pair.name_b} ({pair.num_examples:,})"
        for pair in health.overlapping_classes(_IN_TEXT)
    ]
    if pairs:
        lines.append(f"  most overlapping classes (examples): {', '.join(pairs)}")
    return "\n".join(lines)


def _overall(health: "DatasetHealth") -> str:
    return (
        f"health score: {health.health_score:.2f} (estimated number of wrong labels: "
        f"{health.num_issues:,}, {health.issue_share:.1%})"
    )


def _with_issues(health: "DatasetHealth") -> "Table":
    classes = health.classes
    wrong: Table = classes[classes.label_noise > 0]
    return wrong


# --- HTML ----------------------------------------------------------------------------------------


def as_html(health: "DatasetHealth") -> str:
    """Say it in two tables. Names are whatever the caller has, so they are escaped."""
    classes = health.classes[:_IN_HTML]
    pairs = health.overlapping_classes(_IN_HTML)
    opening = (
        f"<p><b>DatasetHealth</b> of {health.n_examples:,} labels in {health.n_classes:,} classes"
        f"<br>{escape(_overall(health))}</p>"
    )
    parts = [
        opening,
        _html_table(
            f"Classes by label quality{_of(len(classes), health.n_classes)}",
            [
                "class",
                "label issues",
                "inverse label issues",
                "label noise",
                "inverse label noise",
                "label quality",
            ],
            (
                [
                    row.class_name,
                    f"{row.label_issues:,}",
                    f"{row.inverse_label_issues:,}",
                    f"{row.label_noise:.1%}",
                    f"{row.inverse_label_noise:.1%}",
                    f"{row.label_quality:.3f}",
                ]
                for row in classes
            ),
        ),
    ]
    if len(pairs):
        parts.append(
            _html_table(
                "Most overlapping classes",
                ["class", "and class", "examples", "share of all"],
                (
                    [
                        pair.name_a,
                        pair.name_b,
                        f"{pair.num_examples:,}",
                        f"{pair.joint_probability:.2%}",
                    ]
                    for pair in pairs
                ),
            )
        )
    return f"<div>{''.join(parts)}</div>"


def _of(n_shown: int, n_classes: int) -> str:
    return f", the worst {n_shown}" if n_shown < n_classes else ""


def _html_table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows
    )
    style = "text-align: left; font-weight: bold"
    return (
        f'<table><caption style="{style}">{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


# --- Chart ---------------------------------------------------------------------------------------


def as_chart(health: "DatasetHealth", n_classes: int) -> Any:
    """Draw the heat map of the joint beside the ranking of the classes."""
    n_shown = as_count(n_classes, "n_classes")
    if n_shown < 2:  # noqa: PLR2004 - as few as can be confused
        raise OptionError(f"n_classes={n_shown} must be at least 2, to have classes to compare")
    try:
        alt = import_module("altair")
    except ImportError as error:
        raise MissingDependencyError(
            'the chart needs altair: pip install "conflearn[plot]"'
        ) from error
    title = f"Health score {health.health_score:.2f}"
    about = (
        f"{health.num_issues:,} of {health.n_examples:,} labels are estimated to be wrong, in "
        f"{health.n_classes:,} classes"
    )
    return (
        alt.hconcat(_heat_map(alt, health, n_shown), _ranking(alt, health, n_shown), spacing=30)
        .resolve_scale(color="independent")
        .properties(title=alt.TitleParams(title, subtitle=about, anchor="start", offset=16))
    )


def _heat_map(alt: Any, health: "DatasetHealth", n_shown: int) -> Any:
    shown, joint = _most_overlapping(health, n_shown), health._joint  # noqa: SLF001 - its own view
    names = _spelled_names(health, shown)
    cells: list[dict[str, Any]] = [
        {
            "given": names[row],
            "true": names[column],
            "examples": count,
            "probability": count / joint.total,
            "right": row == column,
        }
        for row, column, count in joint.among(shown)
    ]
    most = max((cell["examples"] for cell in cells if not cell["right"]), default=0)
    base = alt.Chart(alt.Data(values=cells)).encode(
        x=alt.X("true:N", sort=names, title="true class, estimated").axis(labelAngle=-45),
        y=alt.Y("given:N", sort=names, title="given class"),
        tooltip=[
            alt.Tooltip("given:N"),
            alt.Tooltip("true:N"),
            alt.Tooltip("examples:Q", format=",.4~g"),
            alt.Tooltip("probability:Q", format=".3%", title="joint probability"),
        ],
    )
    wrong = (
        base.transform_filter("!datum.right")
        .mark_rect()
        .encode(
            color=alt.Color("examples:Q", title="examples")
            .scale(range=_COLORS, domain=[0, max(most, 1)], interpolate="rgb")
            .legend(format="~s", tickMinStep=1)
        )
    )
    right = base.transform_filter("datum.right").mark_rect(color="#d9d9d9")
    layers = [wrong, right]
    if len(names) <= _WITH_NUMBERS:
        layers.append(
            base.transform_filter("datum.examples >= 0.5")
            .mark_text(fontSize=10)
            .encode(text=alt.Text("examples:Q", format=".3~s"))
        )
    if len(names) < health.n_classes:
        title = f"Joint of the {len(names)} most overlapping classes"
    else:
        title = "Joint of given and true labels"
    return alt.layer(*layers).properties(width=_side(names), height=_side(names), title=title)


def _ranking(alt: Any, health: "DatasetHealth", n_shown: int) -> Any:
    worst = health.classes[:n_shown]
    names = [str(row.class_name) for row in worst]
    bars = [
        {
            "class": name,
            "quality": float(row.label_quality),
            "issues": int(row.label_issues),
            "inverse": int(row.inverse_label_issues),
        }
        for name, row in zip(names, worst, strict=True)
    ]
    title = "Classes by label quality"
    if len(worst) < health.n_classes:
        title = f"The {len(worst)} classes of least label quality"
    return (
        alt.Chart(alt.Data(values=bars), title=title)
        .mark_bar(color="#5b8fb9")
        .encode(
            x=alt.X("quality:Q", title="label quality").scale(domain=[0, 1]),
            y=alt.Y("class:N", sort=names, title=None),
            tooltip=[
                alt.Tooltip("class:N"),
                alt.Tooltip("quality:Q", format=".4f", title="label quality"),
                alt.Tooltip("issues:Q", format=",", title="label issues"),
                alt.Tooltip("inverse:Q", format=",", title="inverse label issues"),
            ],
        )
        .properties(width=260, height=_side(names))
    )


def _side(names: Sequence[str]) -> int:
    return max(_CELL * len(names), _LEAST_SIDE)


def _most_overlapping(health: "DatasetHealth", n_shown: int) -> "np.ndarray[Any, Any]":
    """Choose classes pair by pair, the most overlapping first; fill up with the worst."""
    if health.n_classes <= n_shown:
        return np.arange(health.n_classes)
    pairs = health.overlapping_classes(n_shown * n_shown)
    in_order = np.concatenate(
        [np.column_stack([pairs.class_a, pairs.class_b]).ravel(), health.classes.class_index]
    )
    _, first = np.unique(in_order, return_index=True)
    return np.sort(in_order[np.sort(first)[:n_shown]])


def _spelled_names(health: "DatasetHealth", classes: "np.ndarray[Any, Any]") -> list[str]:
    return [str(name) for name in health._names(classes)]  # noqa: SLF001 - a view of its own
