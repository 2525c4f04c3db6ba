"""Growth and finality as tables of Markdown, readable in a terminal and fit for a page, or JSON."""

import json
import math
from collections.abc import Iterable, Sequence

from simulator.virtual.growth.measuring import DELTA_MS, Size, Trouble, Waits, middle_and_late
from simulator.virtual.growth.meter import KINDS


def size_table(sizes: Sequence[Size]) -> str:
    """Write what a block costs: a column a size."""
    rows = [("a finalized block", *(f"{one.validators} validators" for one in sizes))]
    rows += [
        (f"{kind}, messages", *(f"{one.messages.get(kind, 0):,.0f}" for one in sizes))
        for kind in KINDS
    ]
    rows.append(("all messages", *(f"{one.messages_in_all:,.0f}" for one in sizes)))
    rows += [
        (f"{kind}, kB", *(f"{one.size_bytes.get(kind, 0) / 1000:,.1f}" for one in sizes))
        for kind in KINDS
    ]
    rows += [
        ("all, kB", *(f"{one.bytes_in_all / 1000:,.1f}" for one in sizes)),
        ("sent by a validator, messages", *(_each(one, one.messages_in_all) for one in sizes)),
        ("sent by a validator, kB", *(_each(one, one.bytes_in_all / 1000) for one in sizes)),
        ("CPU of a validator's core, ms", *(f"{one.core_cpu_ms:,.1f}" for one in sizes)),
        ("proposal to final, delta, median", *(_waits(one.finality)[0] for one in sizes)),
        ("proposal to final, delta, p99", *(_waits(one.finality)[1] for one in sizes)),
        ("blocks measured", *(str(one.blocks) for one in sizes)),
    ]
    return _table(row for row in rows if any(cell not in ("0", "0.0") for cell in row[1:]))


def trouble_table(troubles: Iterable[Trouble]) -> str:
    """Write how late finality is: a row a scenario."""
    head = (
        "scenario",
        "proposal to final, median",
        "p99",
        "submit to final, median",
        "p99",
        "payments",
        "open at the end",
    )
    return _table([head, *map(_trouble, troubles)])


def _trouble(one: Trouble) -> tuple[str, ...]:
    paid = str(len(one.payments))
    return (one.scenario, *_waits(one.blocks), *_waits(one.payments), paid, str(one.unpaid))


def _waits(waits: Waits) -> tuple[str, str]:
    middle, late = middle_and_late(waits)
    return f"{middle:.1f}", f"{late:.1f}"


def _each(one: Size, total: float) -> str:
    return f"{total / one.validators:,.1f}"


def _table(rows: Iterable[Sequence[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_json(sizes: Sequence[Size], troubles: Sequence[Trouble], dead_leaders_ms: int) -> str:
    """Write the figures for programs: waits as their number, median and 99th percentile."""
    told = {
        "delta_ms": DELTA_MS,
        "dead_leaders_ms": dead_leaders_ms,
        "sizes": [
            {
                "validators": one.validators,
                "blocks": one.blocks,
                "messages": one.messages,
                "bytes": one.size_bytes,
                "core_cpu_ms": one.core_cpu_ms,
                "proposal_to_final": _summary(one.finality),
            }
            for one in sizes
        ],
        "scenarios": [
            {
                "scenario": one.scenario,
                "seeds": one.seeds,
                "proposal_to_final": _summary(one.blocks),
                "submit_to_final": _summary(one.payments),
                "open": one.unpaid,
            }
            for one in troubles
        ],
    }
    return json.dumps(told, indent=1) + "\n"


def _summary(waits: Waits) -> dict[str, float | None]:
    numbers = [None if math.isnan(one) else round(one, 3) for one in middle_and_late(waits)]
    return {"n": len(waits), "median": numbers[0], "p99": numbers[1]}
