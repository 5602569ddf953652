"""What somebody who labels in a terminal sees: a posting, what the model says, and the keys.

Text of postings is printed as text only: no character of it can steer the terminal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rich.columns import Columns
from rich.console import Console, RenderableType
from rich.text import Text

from jobsentinel.cli.output import percent, plural, printable
from jobsentinel_workers.cli.label_answers import QUIT, SKIP, UNDO, Typing, keys_for
from jobsentinel_workers.labelling.questions import Question
from jobsentinel_workers.labelling.sitting import Sitting, Tally
from jobsentinel_workers.labelling.tasks import LabellingTask, Prediction

_LEAST_LINES: Final = 5
"""Of the text, however small the terminal is."""
_PAY: Final = re.compile(r"[$€£]\s?\d|\b(?:salary|compensation|pay|wage|USD|EUR|GBP)\b", re.I)
_AROUND_CHARS: Final = 100
_CLASSES_TOLD: Final = 3


@dataclass(slots=True)
class Screen:
    """Shows the current posting of a sitting.

    Attributes:
        blind: whether what the model says is kept from whoever labels.
        page: which part of the text is shown, from 0.
    """

    console: Console
    sitting: Sitting
    blind: bool = False
    page: int = 0

    def show(self, task: LabellingTask, typing: Typing, note: str = "") -> None:
        """Draw everything anew."""
        head = self._head(task)
        foot = self._foot(task, typing, note)
        lines = self._wrapped(task)
        room = max(_LEAST_LINES, self.console.height - self._height([*head, *foot]) - 2)
        pages = max(1, -(-len(lines) // room))
        self.page %= pages
        part = lines[self.page * room : (self.page + 1) * room]
        if self.console.is_terminal:
            self.console.clear()
        for line in [*head, *part]:
            self.console.print(line)
        if pages > 1:
            more = f"-- part {self.page + 1} of {pages}, space shows the next --"
            self.console.print(Text(more, style="dim"))
        for line in foot:
            self.console.print(line)

    def _head(self, task: LabellingTask) -> list[RenderableType]:
        done = len(self.sitting.given)
        tally = self.sitting.tally()
        parts = [
            f"{self.sitting.question.text}  {done + 1} of {len(self.sitting.tasks)}",
            f"labelled {tally.labelled}",
            *([f"skipped {tally.skipped}"] if tally.skipped else []),
            *([] if self.blind else agreement(tally)),
        ]
        shown: list[RenderableType] = [Text(" · ".join(parts), style="reverse"), Text()]
        if self.sitting.question.kind == "salary" and (pay := passage_on_pay(task.text)):
            shown.append(Text(f"on pay: {pay}", style="bold"))
        return shown

    def _wrapped(self, task: LabellingTask) -> list[Text]:
        title = len(task.title)
        text = Text(printable(task.text))
        if task.text.startswith(task.title):
            text.stylize("bold", 0, title)
        return list(text.wrap(self.console, self.console.width))

    def _foot(self, task: LabellingTask, typing: Typing, note: str) -> list[RenderableType]:
        question = self.sitting.question
        shown: list[RenderableType] = [Text(), Text(f"why: {printable(task.reason or '-')}")]
        if not self.blind:
            shown.append(Text(f"model: {printable(told(task.prediction, question))}"))
        keys = keys_for(question)
        numbered = {str(n): key for n, key in enumerate(question.classes, start=1)}
        if keys:
            shown.append(_columns({key: question.told(value) for key, value in keys.items()}))
        else:
            if question.classes:
                shown.append(
                    _columns({key: question.told(value) for key, value in numbered.items()})
                )
            shown.append(Text(f"> {typing.shown}   (Enter takes it)"))
        shown.append(Text(f"{UNDO} undo  {SKIP} skip  space more  {QUIT} quit", style="dim"))
        if problem := typing.fault or note:
            shown.append(Text(printable(problem), style="bold"))
        return shown

    def _height(self, parts: list[RenderableType]) -> int:
        return sum(len(self.console.render_lines(part)) for part in parts)


def _columns(answers: dict[str, str]) -> Columns:
    cells = []
    for key, name in answers.items():
        cell = Text()
        cell.append(f"{key:>2}", style="bold")
        cell.append(f" {printable(name)}")
        cells.append(cell)
    return Columns(cells, padding=(0, 2), column_first=True)


def told(prediction: Prediction | None, question: Question) -> str:
    """Return in words what the model says."""
    if prediction is None:
        return "has not said anything"
    said = question.told(prediction.value)
    if prediction.low is not None and prediction.high is not None:
        said += f" ({question.told(prediction.low)} to {question.told(prediction.high)})"
    elif prediction.probabilities:
        best = sorted(prediction.probabilities.items(), key=lambda pair: -pair[1])[:_CLASSES_TOLD]
        said = ", ".join(f"{question.told(name)} {percent(sure)}" for name, sure in best)
    elif prediction.probability is not None:
        said += f" {percent(prediction.probability)}"
    return f"{said}, says {prediction.model_version}"


def agreement(tally: Tally) -> list[str]:
    """Return how often the model said the same, and how often on random postings."""
    if not tally.compared:
        return []
    said = [f"the model agrees on {tally.agreed} of {tally.compared}"]
    if tally.random_compared:
        said.append(f"of the random ones {tally.random_agreed} of {tally.random_compared}")
    return said


def summary(tally: Tally) -> str:
    """Return in a line what was labelled."""
    minutes = f" in {tally.seconds / 60:.1f} min" if tally.labelled else ""
    parts = [f"{plural(tally.labelled, 'label')} stored{minutes}", *agreement(tally)]
    if tally.skipped:
        parts.insert(1, f"{tally.skipped} skipped")
    return "; ".join(parts)


def passage_on_pay(text: str) -> str | None:
    """Return where a posting speaks of pay, on one line, or None where it does not seem to."""
    found = _PAY.search(text)
    if found is None:
        return None
    start = max(0, found.start() - _AROUND_CHARS)
    passage = " ".join(text[start : found.end() + _AROUND_CHARS].split())
    return printable(passage)
