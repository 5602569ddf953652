"""``python -m deploy.checking``: prints each problem in a line; exit 1 if there is one.

``python -m deploy.checking render FOLDER`` writes each overlay's manifests there, as YAML.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import yaml
from deploy.checking.overlays import DEPLOY, rendered
from deploy.checking.rules import rule_problems
from deploy.checking.schemas import KUBERNETES_VERSIONS, schema_problems


def main() -> int:
    """Check, or render."""
    if sys.argv[1:2] == ["render"]:
        return _write(Path(sys.argv[2]))
    overlays = rendered()
    problems = [*_manifest_problems(overlays), *_dockerfile_problems()]
    for problem in problems:
        print(problem, file=sys.stderr)
    count = sum(map(len, overlays.values()))
    versions = ", ".join(KUBERNETES_VERSIONS)
    print(f"deploy: {count} manifests for Kubernetes {versions}, {len(problems)} problems")
    return int(bool(problems))


def _manifest_problems(overlays: dict[str, list[dict[str, object]]]) -> Iterator[str]:
    checked: list[dict[str, object]] = []
    for name, manifests in overlays.items():
        new = [each for each in manifests if each not in checked]  # overlays share most of them
        checked += new
        yield from (f"{name}: {problem}" for problem in schema_problems(new))
        yield from (f"{name}: {problem}" for problem in rule_problems(manifests))


def _dockerfile_problems() -> list[str]:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    files = sorted(map(str, (DEPLOY / "images").glob("*Dockerfile")))
    found = subprocess.run([hadolint, *files], capture_output=True, text=True, check=False)
    return (found.stdout + found.stderr).splitlines()


def _write(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    for name, manifests in rendered().items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(manifests), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
