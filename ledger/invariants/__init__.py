"""Invariants: what holds after every block, whatever the block held (spec §9).

| no | law | after a block | in an audit |
|----|-----|---------------|-------------|
| 1  | accounts together = supply = minted - redeemed by reason | `block` | `walk` |
| 2  | supply = remaining in lots + deficit; 0 <= remaining <= units | `block`, `records` | `walk` |
| 3  | collected = tank + sealed + lost; run >= lot >= packs >= sold | `records` | `relations` |
| 4  | runs and lots name each other one to one | | `relations` |
| 5  | no amount is negative, none is a fraction | the records' types | `records` |
| 6  | splits sum exactly, fees charged = fees paid | `block` (accounts) | `walk` (accounts) |
| 7  | stake + unbonding = their account; slashed = reserve + reporters | `holdings` | `holdings` |
| 8  | escrow = open deals; pool = funded - paid | `holdings` | `holdings` |
| 9  | no sale from bad milk, no mint on a bad device | the rules refuse | `ledger.replay` |
| 10 | one charge a mandate and period, under its caps | `records` | `records` |
| 11 | the price is inside its bounds | `records` | `records` |
| 12 | a replay from genesis gives the same state root | | `ledger.replay` |
| 13 | every lot and pack leads to a tank, if any, and to farms | | `relations` |

`check_block` looks at what a block touched and costs no more than that; `audit` walks every
record. They are written apart from the rules.
"""

from ledger.invariants.block import check_block
from ledger.invariants.walk import Audit, audit

__all__ = ["Audit", "audit", "check_block"]
