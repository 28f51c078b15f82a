"""The command line: ``python -m conflearn demo``."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from conflearn import demo
from conflearn.errors import InputError, InputTypeError, MissingDependencyError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit code: 2 for input that cannot be used."""
    parser = ArgumentParser(
        prog="python -m conflearn", description="Find wrong labels in a classification data set."
    )
    commands = parser.add_subparsers(title="commands", metavar="command", required=True)
    demo.add_command(commands)
    options = parser.parse_args(arguments)
    try:
        for paragraph in options.run(options):
            print(paragraph, end="\n\n", flush=True)  # noqa: T201 - what a command line is for
    except (InputError, InputTypeError, MissingDependencyError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - as above
        return 2
    except BrokenPipeError:
        # Whoever reads, such as ``head``, has seen enough; and Python must not flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130  # what a shell expects of a command that Ctrl-C has ended
    return 0


if __name__ == "__main__":
    sys.exit(main())
