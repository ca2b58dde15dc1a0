"""What the command line says to people: on standard error, so that standard output is for programs."""

from rich.console import Console

screen = Console(stderr=True, highlight=False)


def say(line: str) -> None:
    """One step of something longer."""
    screen.print(line, style="dim", markup=False, soft_wrap=True)


def complain(error: Exception) -> None:
    """What went wrong, as it was put for people."""
    screen.print(str(error) or type(error).__name__, style="red", markup=False, soft_wrap=True)
