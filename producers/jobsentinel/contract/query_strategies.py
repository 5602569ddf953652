"""The names of query strategies: those built in, and those that installed packages add.

Nothing is loaded here: a package is asked for its names only, and only when somebody wants a name
that is not built in, or all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Final

STRATEGY_GROUP: Final = "jobsentinel.query_strategies"

BUILT_IN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "uncertainty": "the likeliest class is least likely",
        "margin": "the two likeliest classes are closest",
        "entropy": "the probabilities are most spread out",
        "diversity": "nearest to the centres of clusters",
        "hybrid": "70 % uncertainty, 30 % diversity",
        "random": "drawn evenly",
        "vote-entropy": "the members of a committee vote for different classes",
        "committee-kl": "the members' probabilities differ from their mean",
        "gradient-length": "a label is expected to move the model most",
        "badge": "gradients that are long and unlike each other",
        "k-center": "farthest from everything labelled or picked",
        "margin-k-center": "of the closest margins, those farthest apart",
        "typiclust": "typical of clusters without labels, for a cold start",
        "contrastive": "predicted otherwise than the nearest labelled",
        "committee-variance": "the members of a committee predict different values",
        "gsx": "for a value: farthest embeddings",
        "gsy": "for a value: farthest predictions",
        "igs": "for a value: farthest in embedding and prediction",
    }
)
"""What each looks at, in a few words."""


def installed_strategies() -> dict[str, EntryPoint]:
    """Return the strategies of installed packages by name; built-in names cannot be taken over."""
    found = sorted(entry_points(group=STRATEGY_GROUP), key=lambda entry: entry.value)
    return {entry.name: entry for entry in found if entry.name not in BUILT_IN}


def strategy_names() -> tuple[str, ...]:
    """Return all names, the built-in ones first."""
    return (*BUILT_IN, *sorted(installed_strategies()))


def is_strategy(name: str) -> bool:
    """Return whether a strategy of that name is there."""
    return name in BUILT_IN or name in installed_strategies()
