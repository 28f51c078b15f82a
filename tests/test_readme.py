"""What is written for people is true: the examples of documents and docstrings run.

A ``python`` block of a document runs after those before it, and prints the ``text`` block that
follows it, if one does. It is skipped where a package that it imports is not installed.
"""

import contextlib
import doctest
import importlib
import importlib.metadata
import importlib.util
import io
import pkgutil
import pydoc
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import conflearn

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLE = re.compile(
    r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL
)
IMPORT = re.compile(r"^(?:from|import) (\w+)", re.MULTILINE)
NAME = re.compile(r"`conflearn\.([\w.]*\w)[`(]")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")

by_name = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


class Example(NamedTuple):
    """Lines of a document that are Python, and what they print if it says so."""

    line: int
    code: str
    output: str | None

    def can_run(self) -> bool:
        return all(importlib.util.find_spec(package) for package in IMPORT.findall(self.code))

    def run(self, document: Path, names: dict[str, Any]) -> str:
        """What it prints; an error points to its line in the document."""
        code = compile("\n" * self.line + self.code, document, "exec")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, names)
        return printed.getvalue()


def examples(document: Path) -> Iterator[Example]:
    text = document.read_text(encoding="utf-8")
    for found in EXAMPLE.finditer(text):
        yield Example(text.count("\n", 0, found.start(1)), found[1], found[2])


@by_name
def test_the_examples_of_a_document_run(document: Path) -> None:
    names: dict[str, Any] = {"__name__": document.stem}
    for example in examples(document):
        if example.can_run():
            printed = example.run(document, names)
            if example.output is not None:
                assert printed == example.output, f"{document.name}, line {example.line}"


@by_name
def test_the_links_of_a_document_lead_somewhere(document: Path) -> None:
    for target in LINK.findall(document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target


SOURCES = sorted(Path(conflearn.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("source", [*DOCUMENTS, *SOURCES], ids=lambda path: path.name)
def test_names_that_are_spoken_of_exist(source: Path) -> None:
    for name in NAME.findall(source.read_text(encoding="utf-8")):
        value: Any = conflearn
        for part in name.split("."):
            if not hasattr(value, part):  # a module that nothing has imported
                importlib.import_module(f"{value.__name__}.{part}")
            value = getattr(value, part)


def test_the_readme_has_examples() -> None:
    assert sum(example.output is not None for example in examples(ROOT / "README.md")) > 1


MODULES = ["conflearn"] + [
    module.name
    for module in pkgutil.walk_packages(conflearn.__path__, "conflearn.")
    if module.name != "conflearn._core"
]


#: What the examples of some modules cannot do without.
NEEDED = {"conflearn.dask": "dask", "conflearn.ray": "ray"}


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_the_docstrings_run(name: str) -> None:
    if name in NEEDED:
        pytest.importorskip(NEEDED[name])
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_every_function_has_an_example() -> None:
    functions = [name for name in conflearn.__all__ if name[0].islower() and name != "n_threads"]
    assert [name for name in functions if ">>>" not in getattr(conflearn, name).__doc__] == []


def test_help_needs_no_installed_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert not hasattr(conflearn, "__version__")
    assert "find_label_issues" in pydoc.render_doc(conflearn)
