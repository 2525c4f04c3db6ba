"""Byzantine mocks, one file a behaviour: each a mask over an honest core (`mask`).

Twins and coalitions need no mask: they are honest cores that share a key, in different parts of
the network. A stale disk makes a twin of one's own past. `scenarios` casts them.
"""

from typing import Final

from simulator.byzantine.body_to_few import BodyToFew
from simulator.byzantine.bogus_fetch import BogusFetch
from simulator.byzantine.conflicter import Conflicter
from simulator.byzantine.equivocating_leader import EquivocatingLeader
from simulator.byzantine.false_draw import FalseDraw
from simulator.byzantine.false_report import FalseReport
from simulator.byzantine.flood import Flood
from simulator.byzantine.forged_certificates import ForgedCertificates
from simulator.byzantine.garbage import Garbage
from simulator.byzantine.impersonator import Impersonator
from simulator.byzantine.invalid_block import InvalidBlock
from simulator.byzantine.invalid_signatures import InvalidSignatures
from simulator.byzantine.junk_justification import JunkJustification
from simulator.byzantine.lure import Lure
from simulator.byzantine.mask import Mask
from simulator.byzantine.mute import Mute
from simulator.byzantine.nuller import Nuller
from simulator.byzantine.nullify_only import NullifyOnly
from simulator.byzantine.outdated import Outdated
from simulator.byzantine.reconfigurer import Reconfigurer
from simulator.byzantine.replayed_history import ReplayedHistory
from simulator.byzantine.slow_leader import SlowLeader
from simulator.byzantine.unjustified_skip import UnjustifiedSkip
from simulator.byzantine.usurper import Usurper
from simulator.byzantine.withheld_body import WithheldBody

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
