"""A ranking as people read it: what stands where, what each stage said, and why."""

from __future__ import annotations

from collections.abc import Mapping

from jobsentinel.cli.output import plural, print_table
from jobsentinel.contract.results import RankedPosting, RerankResult

_COLUMNS = (">#", "~~posting", ">score", ">embed.", ">words", ">cross", "~~why")
_TITLE_CHARS = 60
_NOTHING_INDEXED = "nothing is indexed yet: `jobsentinel index FILE`, or give --candidates"


def print_ranking(result: RerankResult, titles: Mapping[str, str]) -> None:
    """Print the table; ``titles`` are those of candidates that came with the request, by id."""
    print_table(_COLUMNS, [_row(item, titles) for item in result.ranked])


def ranking_summary(result: RerankResult, where: str | None) -> str:
    """Return in one line what was ranked and how long the stages took."""
    times = [f"{name} {ms:.0f} ms" for name, ms in result.timings_ms.items() if ms >= 1]
    text = f"{plural(len(result.ranked), 'posting')} ranked out of {result.candidates:,}"
    if result.duplicates:
        text += f", {_copies(result.duplicates)} left out"
    if not result.candidates:
        text += "; " + ("no indexed posting matches the filter" if where else _NOTHING_INDEXED)
    text = f"{text} ({', '.join(times)})" if times else text
    return f"{text}; {result.note}" if result.note else text


def _row(item: RankedPosting, titles: Mapping[str, str]) -> list[object]:
    return [
        item.rank,
        _posting(item, titles),
        f"{item.score:.3f}",
        f"{item.bi_encoder_score:.2f}\n#{item.bi_encoder_rank}",
        None if item.lexical_score is None else f"{item.lexical_score:.1f}\n#{item.lexical_rank}",
        f"{item.cross_encoder_score:.2f}\n#{item.cross_encoder_rank}",
        item.reason,
    ]


def _posting(item: RankedPosting, titles: Mapping[str, str]) -> str:
    """Return title, company and place, and the id, each in a line of its own."""
    title = item.title or titles.get(item.id, "")
    where = " · ".join(filter(None, (item.company, item.location)))
    lines = [title[:_TITLE_CHARS], where, item.id]
    if item.duplicates:
        lines.append(f"+ {_copies(len(item.duplicates))}")
    return "\n".join(filter(None, (" ".join(line.split()) for line in lines)))


def _copies(count: int) -> str:
    return "1 copy" if count == 1 else f"{count:,} copies"
