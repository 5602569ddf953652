#!/bin/sh
# What the images' build does: makes a virtual environment and installs one kind of machine into it.
# Tests run it too, so that an image that builds is one that was tried.
#
#   install.sh producer|worker|worker-gpu FOLDER    install, then check
#   install.sh check KIND FOLDER                    check only
#
# Run it in the repository's root. Versions are those of constraints.txt, with which the tests
# passed. Where packages come from is pip's own configuration, which the build mounts as a secret.
set -eu

usage() {
    echo "usage: install.sh producer|worker|worker-gpu FOLDER | check KIND FOLDER" >&2
    exit 2
}

install() {
    "${PYTHON:-python3}" -m venv --without-pip "$2"
    case $1 in
        producer) set -- "$2" . ;;
        # torch by its exact version, before anything could ask for an open range of it.
        worker | worker-gpu) set -- "$2" "$(grep '^torch==' constraints.txt)" '.[workers,postgres]' ;;
    esac
    venv=$1
    shift
    # The pip outside installs into the environment, which so gets none: nothing is installed in
    # a running container.
    "${PYTHON:-python3}" -m pip --python "$venv/bin/python" install \
        --no-cache-dir --disable-pip-version-check --no-input --quiet \
        --constraint constraints.txt "$@"
}

check() {
    "$2/bin/jobsentinel" --version
    "$2/bin/python" - "$1" <<'PYTHON'
import importlib.util
import runpy
import sys
from pathlib import Path

kind = sys.argv[1]


def refuse(problem: str) -> None:
    sys.exit(f"install.sh: {problem}")


if kind == "producer":
    heavy = ("torch", "numpy", "transformers", "sqlalchemy")
    if found := [name for name in heavy if importlib.util.find_spec(name)]:
        refuse(f"a producer needs no {', '.join(found)}")
    sys.exit()

# Its version is known before it is loaded, which takes some seconds.
torch = runpy.run_path(Path(importlib.util.find_spec("torch").origin).parent / "version.py")
cuda, version = torch["cuda"], torch["__version__"]
advice = "let pip's configuration (the build secret pip_conf) name an index with the other build"
if kind == "worker" and cuda:
    # It works, so it is no reason to refuse the first `docker compose up`.
    print(f"install.sh: torch {version} brings gigabytes for CUDA; {advice}")
if kind == "worker-gpu" and not cuda:
    refuse(f"torch {version} is built without CUDA, so no GPU would be used; {advice}")

from jobsentinel_workers.encoders import loading

weights = loading.packaged_model_path() / loading.WEIGHTS_FILE
if loading.file_sha256(weights) != loading.PACKAGED_MODEL_SHA256:
    refuse(f"{weights} is not the model that was published")
PYTHON
}

case ${1:-} in
    producer | worker | worker-gpu)
        [ $# -eq 2 ] || usage
        install "$1" "$2"
        check "$1" "$2"
        ;;
    check)
        [ $# -eq 3 ] || usage
        check "$2" "$3"
        ;;
    *) usage ;;
esac
