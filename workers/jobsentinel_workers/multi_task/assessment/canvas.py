"""What every plot has in common: size, colours, and how it becomes a PNG.

Colours are those of Okabe and Ito (2008), which colour-blind readers tell apart; shape or line
style says the same again. No window system is needed and no global state is touched.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"
DOTS_PER_INCH = 144


@dataclass(frozen=True, slots=True)
class Plot:
    """An image of one task.

    Attributes:
        name: of the file, without its ending.
        title: what is shown.
        alt: what is to be seen, in words.
        png: the image.
        is_wide: whether its text is readable at the full width of a page only.
    """

    name: str
    title: str
    alt: str
    png: bytes
    is_wide: bool = False


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches that renders to pixels."""
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def tidy(axes: Axes) -> None:
    """Take away the frame that says nothing, and put a light grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def to_png(figure: Figure) -> bytes:
    """Return the figure as the bytes of a PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
