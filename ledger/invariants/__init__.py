"""Invariants: what holds after every block, whatever the block held (spec §9).

| no | law | after a block | in an audit |
|----|-----|---------------|-------------|
| 1  | accounts together = supply = minted - redeemed by reason | `block` | `walk`, `lots` |
| 2  | supply = remaining in lots + deficit; 0 <= remaining <= units | `block`, `records` | `walk` |
| 3  | brought = tank + sealed + lost; run >= lot >= packs >= sold | `records` | `lots`, `origins` |
| 4  | runs and lots name each other one to one, readings once | `moves` | `lots`, `origins` |
| 5  | no amount is negative, none is a fraction, no record is strange | `records` | `records` |
| 6  | splits sum exactly, fees charged = fees paid | `block`, `records` | `walk` |
| 7  | stake + unbonding = its account; slashed = what was paid | `holdings`, `records` | `stake` |
| 8  | escrow = open deals; pool = funded - paid | `holdings` | `holdings`, `trade` |
| 9  | no sale from bad milk, no mint on a bad device | the rules refuse | `ledger.replay` |
| 10 | one charge a mandate and period, under its caps | `records`, `moves` | `trade` |
| 11 | the price is inside its bounds, of feeders who spoke once | `records` | `trade` |
| 12 | a replay from genesis gives the same state root | | `ledger.replay` |
| 13 | every lot and pack leads to a tank, if any, and to farms | `moves` | `lots`, `origins` |
| 15 | proofs are their lots, tanks and windows | `records`, `moves` | `windows` |

`check_block` looks at what a block touched and costs no more than that; `audit` walks every record,
and asks `records` and `holdings` too. Two laws have no number, and only the audit checks them:
every holder of a counted role stands in its list (`licences`), and no record is of a block to come
(`place`). All of it is written apart from the rules. What agrees with itself and is yet untrue
(units that moved from one account to another) only a replay can find.
"""

from ledger.invariants.block import check_block
from ledger.invariants.place import Place
from ledger.invariants.walk import Audit, audit

__all__ = ["Audit", "Place", "audit", "check_block"]
