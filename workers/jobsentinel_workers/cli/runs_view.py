"""How a training run is shown: its place in a line, its bar, and its loss curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from jobsentinel_workers.cli.runs_plot import draw

if TYPE_CHECKING:
    from jobsentinel_workers.cli.runs_look import Look
    from jobsentinel_workers.store.run_losses import LossPoint

PLOT_HEIGHT: Final = 8
_LABEL_WIDTH: Final = 9
_GREATEST_WIDTH: Final = 100
_LEAST_HEIGHT: Final = PLOT_HEIGHT + 5
_STYLES: Final = {"done": "green", "failed": "bold red", "cancelled": "yellow"}


def steps(step: int, total: int | None) -> str:
    """Return how many steps are done, and of how many."""
    return f"{step:,}" if total is None else f"{step:,}/{total:,}"


def duration(seconds: float) -> str:
    """Return a length of time in the unit that people would use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def line(look: Look) -> str:
    """Return where a run stands, in a line."""
    parts = [_doing(look)]
    if look.step:
        parts.append(f"step {steps(look.step, look.total_steps)}")
    if look.loss is not None:
        parts.append(f"loss {look.loss:.4f}")
    if look.eta_s is not None and not look.is_over:
        parts.append(f"{duration(look.eta_s)} left")
    return ", ".join(parts)


def _doing(look: Look) -> str:
    if look.state == "running":
        share = "" if look.fraction is None else f" {look.fraction:.0%}"
        return f"{look.phase or 'preparing'}{share}"
    return look.state


def plot(
    points: Sequence[LossPoint], console: Console, *, total_steps: int | None = None
) -> list[str]:
    """Return the lines of a loss curve with its axes; none for fewer than two points.

    ``total_steps`` keeps room for what is to come.
    """
    if len(points) < 2:
        return []
    width = max(10, min(console.width, _GREATEST_WIDTH) - _LABEL_WIDTH - 2)
    last = max(points[-1].step, total_steps or 0)
    is_utf8 = console.encoding.lower().startswith("utf")
    rows = draw(points, width, PLOT_HEIGHT, last_x=last, braille=is_utf8)
    losses = [point.loss for point in points]
    labels = {0: max(losses), PLOT_HEIGHT - 1: min(losses)}
    side = "│" if is_utf8 else "|"
    drawn = [f"{_label(labels.get(n)):>{_LABEL_WIDTH}} {side}{row}" for n, row in enumerate(rows)]
    return ["loss".rjust(_LABEL_WIDTH), *drawn, _axis(points[0].step, last, width)]


def _label(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _axis(first: int, last: int, width: int) -> str:
    left, right = f"step {first:,}", f"{last:,}"
    return " " * (_LABEL_WIDTH + 2) + left + right.rjust(max(len(right) + 1, width - len(left)))


def live(look: Look, console: Console) -> RenderableType:
    """Return what a terminal shows while a run goes on."""
    head = Table.grid(padding=(0, 1), expand=False)
    bar = ProgressBar(total=1.0, completed=look.fraction or 0.0, width=min(30, console.width // 3))
    head.add_row(bar, Text(line(look), style=_STYLES.get(look.state, "")))
    title = Text(f"{look.title}  {look.run_id}", style="bold", no_wrap=True, overflow="ellipsis")
    shown: list[RenderableType] = [title, head]
    if look.error:
        shown.append(Text(f"the last attempt failed: {look.error}", style="yellow"))
    if console.height >= _LEAST_HEIGHT:
        drawn = plot(look.curve, console, total_steps=look.total_steps)
        shown += [Text(row, no_wrap=True, overflow="crop") for row in drawn]
    return Group(*shown)
