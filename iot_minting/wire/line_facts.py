"""What a node shows of a line, read for whoever judges its windows."""

from typing import Final

from ledger.evidence import LineFacts
from ledger.params import Parameters
from ledger.primitives.codec import decode
from ledger.primitives.errors import CodecFault
from ledger.state.lines import Line, Tip
from ledger.state.records import Device
from node.client.errors import NodeUnavailable
from node.client.line_views import LineView

RECORD_BYTES_MAX: Final = 1024 * 1024
"""Far above any record: they are a node's own words about its state."""


def read_facts(view: LineView) -> LineFacts:
    """Read what a node shows of a line; raise `NodeUnavailable` for records that can't be read."""
    try:
        return LineFacts(
            view.id,
            decode(view.record, Line, RECORD_BYTES_MAX),
            {each.key: decode(each.record, Device, RECORD_BYTES_MAX) for each in view.devices},
            {
                each.key: decode(each.tip, Tip, RECORD_BYTES_MAX)
                for each in view.devices
                if each.tip
            },
            decode(view.rules, Parameters, RECORD_BYTES_MAX),
            view.chain_id,
        )
    except CodecFault as fault:
        raise NodeUnavailable(f"a node of another version answered: {fault}") from fault
