"""Byzantine mocks, one file a behaviour: each a mask over an honest core (`mask`).

Twins and coalitions need no mask: they are honest cores that share a key, in different parts of the
network. A validator that starts from a stale disk is the twin of its own past. `scenarios`
assigns these roles.
"""

from typing import Final

from simulator.virtual.byzantine.body_to_few import BodyToFew
from simulator.virtual.byzantine.bogus_fetch import BogusFetch
from simulator.virtual.byzantine.conflicter import Conflicter
from simulator.virtual.byzantine.equivocating_leader import EquivocatingLeader
from simulator.virtual.byzantine.false_draw import FalseDraw
from simulator.virtual.byzantine.false_report import FalseReport
from simulator.virtual.byzantine.flood import Flood
from simulator.virtual.byzantine.forged_certificates import ForgedCertificates
from simulator.virtual.byzantine.garbage import Garbage
from simulator.virtual.byzantine.impersonator import Impersonator
from simulator.virtual.byzantine.invalid_block import InvalidBlock
from simulator.virtual.byzantine.invalid_signatures import InvalidSignatures
from simulator.virtual.byzantine.junk_justification import JunkJustification
from simulator.virtual.byzantine.late_stamp import LateStamp
from simulator.virtual.byzantine.lure import Lure
from simulator.virtual.byzantine.mask import Mask
from simulator.virtual.byzantine.mute import Mute
from simulator.virtual.byzantine.nuller import Nuller
from simulator.virtual.byzantine.nullify_only import NullifyOnly
from simulator.virtual.byzantine.outdated import Outdated
from simulator.virtual.byzantine.reconfigurer import Reconfigurer
from simulator.virtual.byzantine.replayed_history import ReplayedHistory
from simulator.virtual.byzantine.slow_leader import SlowLeader
from simulator.virtual.byzantine.unjustified_skip import UnjustifiedSkip
from simulator.virtual.byzantine.usurper import Usurper
from simulator.virtual.byzantine.withheld_body import WithheldBody

MASKS: Final[dict[str, type[Mask]]] = {
    "body-to-few": BodyToFew,
    "bogus-fetch": BogusFetch,
    "conflicter": Conflicter,
    "equivocating-leader": EquivocatingLeader,
    "false-draw": FalseDraw,
    "false-report": FalseReport,
    "flood": Flood,
    "forged-certificates": ForgedCertificates,
    "garbage": Garbage,
    "impersonator": Impersonator,
    "invalid-block": InvalidBlock,
    "invalid-signatures": InvalidSignatures,
    "junk-justification": JunkJustification,
    "late-stamp": LateStamp,
    "lure": Lure,
    "mute": Mute,
    "nuller": Nuller,
    "nullify-only": NullifyOnly,
    "outdated": Outdated,
    "reconfigurer": Reconfigurer,
    "replayed-history": ReplayedHistory,
    "slow-leader": SlowLeader,
    "unjustified-skip": UnjustifiedSkip,
    "usurper": Usurper,
    "withheld-body": WithheldBody,
}
"""Every mask by its name."""

__all__ = ["MASKS", "Mask"]
