"""Our own rules about an overlay, which no schema states: safe pods, closed network, no loose ends.

Pods follow Kubernetes' restricted standard
(https://kubernetes.io/docs/concepts/security/pod-security-standards/) and are stricter by a
read-only root, no token, limits, and an image of one version.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from deploy.checking.kustomize import Manifest, nodes_of

WORKLOADS: Final = frozenset({"Deployment", "StatefulSet"})
_POD: Final = {
    "automountServiceAccountToken": False,
    "enableServiceLinks": False,
    "securityContext.runAsNonRoot": True,
    "securityContext.seccompProfile.type": "RuntimeDefault",
}
_CONTAINER: Final = {
    "securityContext.allowPrivilegeEscalation": False,
    "securityContext.privileged": False,
    "securityContext.readOnlyRootFilesystem": True,
    "securityContext.capabilities": {"drop": ["ALL"]},
}
_REQUIRED: Final = ("resources.limits.memory", "resources.limits.cpu", "resources.requests.memory")


def rule_problems(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Yield each rule that an overlay breaks, with the manifest that breaks it."""
    for manifest in manifests:
        if manifest["kind"] in WORKLOADS:
            name = f"{manifest['kind']}/{manifest['metadata']['name']}"
            yield from (f"{name}: {problem}" for problem in _pod_problems(manifest))
        if manifest["kind"] == "NetworkPolicy":
            yield from _egress_problems(manifest)
    yield from _missing_denial(manifests)
    yield from _loose_ends(manifests)
    yield from _selectors_without_pods(manifests)


def pod_of(workload: Manifest) -> dict[str, Any]:
    """Return the pod's spec of a Deployment or StatefulSet."""
    spec: dict[str, Any] = workload["spec"]["template"]["spec"]
    return spec


def at(node: Any, path: str) -> Any:
    """Return what stands at a path of names joined by dots, or None."""
    for name in path.split("."):
        node = node.get(name) if isinstance(node, dict) else None
    return node


def _pod_problems(workload: Manifest) -> Iterator[str]:
    pod = pod_of(workload)
    yield from _unlike(pod, _POD)
    if not (at(pod, "securityContext.runAsUser") or 0) >= 10_000:
        yield "securityContext.runAsUser: must be above 10000, where no host has a user"
    for container in pod["containers"]:
        name = container["name"]
        yield from (f"{name}: {problem}" for problem in _unlike(container, _CONTAINER))
        for path in _REQUIRED:
            if at(container, path) is None:
                yield f"{name}: {path}: is missing"
        tag = container["image"].rpartition("/")[2]
        if "@sha256:" not in tag and (":" not in tag or tag.endswith(":latest")):
            yield f"{name}: image: {container['image']} is of no version"


def _unlike(node: Any, wanted: dict[str, Any]) -> Iterator[str]:
    for path, value in wanted.items():
        if at(node, path) != value:
            yield f"{path}: must be {value}, is {at(node, path)}"


def _egress_problems(policy: Manifest) -> Iterator[str]:
    """A rule for a port alone, or for every address, would let data go anywhere."""
    for rule in policy["spec"].get("egress", ()):
        peers = rule.get("to") or [{}]
        wide = any(at(peer, "ipBlock.cidr") in ("0.0.0.0/0", "::/0") for peer in peers)
        if wide or not all(peers) or not rule.get("ports"):
            yield f"NetworkPolicy/{policy['metadata']['name']}: egress to anywhere"


def _missing_denial(manifests: Sequence[Manifest]) -> Iterator[str]:
    deny = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    if not any(m["kind"] == "NetworkPolicy" and m["spec"] == deny for m in manifests):
        yield "NetworkPolicy: none denies all that is not allowed"


def _loose_ends(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Yield names that are used and that nothing has."""
    there = {(m["kind"], m["metadata"]["name"]) for m in manifests}
    there |= {("Secret", m["spec"]["target"]["name"]) for m in _of(manifests, "ExternalSecret")}
    keys = _secret_keys(manifests)
    for manifest in manifests:
        user = f"{manifest['kind']}/{manifest['metadata']['name']}"
        for kind, name in _uses(manifest):
            if (kind, name) not in there:
                yield f"{user}: there is no {kind} {name}"
        for node in nodes_of(manifest):
            key = at(node, "secretKeyRef.key")
            if key is not None and key not in keys:
                yield f"{user}: no secret has {key}"


def _uses(manifest: Manifest) -> Iterator[tuple[str, str]]:
    for node in nodes_of(manifest):
        for path, kind in (
            ("configMapRef.name", "ConfigMap"),
            ("configMap.name", "ConfigMap"),
            ("secretKeyRef.name", "Secret"),
            ("claimName", "PersistentVolumeClaim"),
            ("priorityClassName", "PriorityClass"),
            ("serviceAccountName", "ServiceAccount"),
            ("scaleTargetRef.name", "Deployment"),
        ):
            if (name := at(node, path)) is not None:
                yield kind, name


def _secret_keys(manifests: Sequence[Manifest]) -> set[str]:
    plain = {key for m in _of(manifests, "Secret") for key in m["data"]}
    external = _of(manifests, "ExternalSecret")
    return plain | {each["secretKey"] for m in external for each in m["spec"]["data"]}


def _of(manifests: Sequence[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def _selectors_without_pods(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Yield what selects pods (a ServiceMonitor: services) by labels that none bears."""
    pods = [
        m["spec"]["template"]["metadata"]["labels"] for m in manifests if m["kind"] in WORKLOADS
    ]
    services = [m["metadata"].get("labels", {}) for m in _of(manifests, "Service")]
    for kind, path, labels in (
        ("Service", "spec.selector", pods),
        ("PodDisruptionBudget", "spec.selector.matchLabels", pods),
        ("NetworkPolicy", "spec.podSelector.matchLabels", pods),
        ("ServiceMonitor", "spec.selector.matchLabels", services),
    ):
        for manifest in _of(manifests, kind):
            selector = at(manifest, path) or {}
            if not any(selector.items() <= each.items() for each in labels):
                yield f"{kind}/{manifest['metadata']['name']}: selects nothing: {selector}"
