"""A lease that one process of the fleet holds at a time, and that ends with its holder.

It keeps work in the background from being done twice. Nothing is lost when two processes do hold it
for a moment, as after a long pause of the first: what they do must bear being done twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobsentinel.ledger import Ledger


@dataclass(frozen=True, slots=True)
class FleetLease:
    """The lease of one role, as this process sees it.

    Attributes:
        ledger: of the fleet.
        role: one that `ledger.lua` names.
        owner: this process.
        lease_s: the same in all processes that ask for the role.

    Raises:
        QueueUnavailable: from any method, when Redis cannot be reached or refuses to write.
    """

    ledger: Ledger
    role: str
    owner: str
    lease_s: float

    def hold(self) -> bool:
        """Take the lease or renew it; return whether this process holds it now."""
        return self.ledger.hold(self.role, self.owner, lease_s=self.lease_s)

    def release(self) -> None:
        """Let others have it, if it is this process's."""
        self.ledger.let_go(self.role, self.owner)
