"""A model card in the form of the Hugging Face hub, written into each trained version.

The front matter is YAML as the hub reads it (https://huggingface.co/docs/hub/model-cards); what
follows is for people. Nothing is sent anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from jobsentinel_workers.gate import Verdict

CARD_FILE: Final = "README.md"


def write_card(
    name: str,
    kind: str,
    *,
    date: str,
    metrics: Mapping[str, float],
    lineage: Mapping[str, Any],
    verdict: Verdict,
) -> str:
    """Return the card of a version.

    Args:
        name: of the model.
        kind: what loads it.
        date: of the training, ISO 8601.
        metrics: of its validation.
        lineage: what it was made from.
        verdict: of the gate.
    """
    return "\n".join(
        [
            *_front_matter(name, kind, metrics, lineage),
            f"# {name}",
            "",
            f"A {kind} model for job postings, trained on {date} on its owner's machine.",
            "",
            "## Where it comes from",
            "",
            *(f"- {field}: `{_plain(value)}`" for field, value in lineage.items()),
            "",
            "## How good it is",
            "",
            "On rows that chose its weights, so somewhat flattering:",
            "",
            *_table(metrics),
            "",
            "On rows that neither this model nor the one in service learnt from:",
            "",
            "```text",
            verdict.to_text().rstrip(),
            "```",
            "",
            "## Limits",
            "",
            "It answers for postings like those it was trained on. It shall not decide alone about "
            "people.",
            "",
        ]
    )


def _front_matter(
    name: str, kind: str, metrics: Mapping[str, float], lineage: Mapping[str, Any]
) -> list[str]:
    # JSON strings are YAML strings, whatever a name holds.
    results = [
        line
        for metric, value in sorted(metrics.items())
        for line in (f"          - type: {json.dumps(metric)}", f"            value: {value:.6g}")
    ]
    return [
        "---",
        "library_name: jobsentinel-ml",
        f"tags: [job-postings, {json.dumps(kind)}]",
        f"base_model: {json.dumps(str(lineage.get('base', 'unknown')))}",
        "model-index:",
        f"  - name: {json.dumps(name)}",
        "    results:",
        "      - task:",
        f"          type: {json.dumps(kind)}",
        "        dataset:",
        '          name: "rows of the owner"',
        f"          type: {json.dumps(str(lineage.get('data_sha256', 'unknown')))}",
        f"        metrics:{'' if results else ' []'}",
        *results,
        "---",
        "",
    ]


def _table(metrics: Mapping[str, float]) -> list[str]:
    rows = [f"| {metric} | {value:.4g} |" for metric, value in sorted(metrics.items())]
    return ["| metric | value |", "|---|---|", *rows]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
