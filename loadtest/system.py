"""The running whole under load: finality, transfers, payments, a burst, envelopes.

One network, made for it and thrown away. Every load runs in rounds; the first is the warm-up. The
CPU of an operation is the median round's, by who spent it: validators, their RPC processes, the
payments service, the database, and the generator itself.
"""

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from loadtest.http_client import Client
from loadtest.ingest import IngestLoad, make_meters
from loadtest.network import RunningNetwork, running, spent_us
from loadtest.payments import PaymentLoad, Till
from loadtest.report import Figure, Report, figure, look_at_machine
from loadtest.statistics import median, percentile
from loadtest.transfers import RoundFigures, TransferLoad, presign
from loadtest.wallets import LoadWallet, open_wallets, read_seed

Cpu = dict[str, float]
LADDER: Final = (1, 10, 50, 100, 200, 400)
"""Clients in a closed loop, for the plot of throughput against latency."""
FLOOD_WALLETS: Final = 400
"""Wallets of one flood; the next one's are others, so that nothing left over is in the way."""
FLOOD_EACH: Final = 40
"""Transfers a wallet in one flood: below the nonces that a pool lets run ahead."""
FLOOD_REST_S: Final = 4.0
"""After a flood: what is under way comes to its end."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything."""

    rounds: int = 5
    round_s: float = 6.0
    terminals: int = 200
    burst: int = 5_000
    meters: int = 32
    envelopes: int = 150
    light_s: float = 20.0

    @property
    def accounts(self) -> int:
        """Count the accounts that this takes."""
        flooded = FLOOD_WALLETS * (self.rounds + 1)
        return self.burst + self.terminals + max(*LADDER, self.terminals) + flooded


QUICK: Final = Plan(rounds=2, round_s=3.0, burst=500, envelopes=40, light_s=6.0)


class _Status(msgspec.Struct):
    height: int
    finality_p50_ms: float
    finality_p95_ms: float
    finality_p99_ms: float


class System:
    """One measured network and the wallets that spend on it."""

    def __init__(self, network: RunningNetwork, plan: Plan, report: Report) -> None:
        self._network, self._plan, self._report = network, plan, report
        wallets = open_wallets(read_seed(network.folder), network.chain, plan.accounts)
        self._burst, rest = wallets[: plan.burst], wallets[plan.burst :]
        self._shoppers, self._payers = rest[: plan.terminals], rest[plan.terminals :]

    def add(self, *figures: Figure) -> None:
        """Keep figures."""
        self._report.figures += figures

    async def measure(self, parts: tuple[str, ...]) -> None:
        """Run what was asked for, light loads first."""
        async with TransferLoad(self._network) as load:
            if "transfers" in parts:
                await self._light(load)
                await self._paced(load)
                await self._ladder(load)
                await self._closed(load)
                await self._flood(load)
        if "payments" in parts:
            await self._payments()
        if "burst" in parts:
            await self._all_at_once()

    async def _light(self, load: TransferLoad) -> None:
        """Few transfers: how long agreement itself takes, as the validators measure it."""
        await load.paced(presign(self._payers[:4], int(self._plan.light_s / 0.4)), 0.4)
        seen = [await self._status(url) for url in self._network.nodes]
        goals = {"p50": "<= 40 ms", "p99": "<= 120 ms"}
        for name in ("p50", "p95", "p99"):
            self.add(
                figure(
                    f"proposal to final, light load, {name}",
                    "ms",
                    [getattr(one, f"finality_{name}_ms") for one in seen],
                    goal=goals.get(name, ""),
                    note="samples are the validators",
                )
            )

    async def _status(self, url: str) -> _Status:
        client = Client(url, {"Accept": "application/msgpack"})
        _, body = await client.ask("GET", "/v1/status")
        client.close()
        return msgspec.msgpack.decode(body, type=_Status)

    async def _paced(self, load: TransferLoad) -> None:
        """Terminals that pay once a second."""
        wallets = self._payers[: self._plan.terminals]
        times = max(2, int(self._plan.round_s))
        rounds = [
            await self._transfers(lambda: load.paced(presign(wallets, times), 1.0))
            for _ in range(self._plan.rounds)
        ]
        self._latencies("submit to final, 200 terminals at 1/s", rounds, "<= 150 ms", "<= 300 ms")

    async def _ladder(self, load: TransferLoad) -> None:
        """Throughput against latency, for the plot."""
        points = self._report.series.setdefault("ladder", [])
        for clients in LADDER:
            outcome, _ = await self._closed_round(load, self._payers[:clients], 3.0)
            ordered = sorted(outcome.latencies_ms)
            points.append(
                {
                    "clients": clients,
                    "per_s": round(outcome.per_s, 1),
                    "p50_ms": round(percentile(ordered, 50), 1),
                    "p95_ms": round(percentile(ordered, 95), 1),
                }
            )

    async def _closed(self, load: TransferLoad) -> None:
        """Clients without think time."""
        wallets = self._payers[: self._plan.terminals]
        await self._closed_round(load, wallets, 2.0)
        rounds = [
            await self._closed_round(load, wallets, self._plan.round_s)
            for _ in range(self._plan.rounds)
        ]
        name = "finalized transfers, 200 clients without think time"
        self._rates(name, rounds, ">= 1,500/s")
        self._latencies("submit to final, 200 clients without think time", rounds, "", "")

    async def _closed_round(
        self, load: TransferLoad, wallets: list[LoadWallet], seconds: float
    ) -> tuple[RoundFigures, Cpu]:
        each = max(20, int(3_000 * seconds / len(wallets)))
        # What is left over was signed for numbers that come next: it is signed again then.
        starts = [wallet.nonce for wallet in wallets]
        queues = presign(wallets, each)
        result = await self._transfers(lambda: load.closed(queues, seconds))
        for wallet, start, queue in zip(wallets, starts, queues, strict=True):
            wallet.nonce = start + each - len(queue)
        return result

    async def _flood(self, load: TransferLoad) -> None:
        """Batches of 200: HTTP costs little, the chain is the limit."""
        wallets = self._payers[-FLOOD_WALLETS * (self._plan.rounds + 1) :]
        starts = range(0, len(wallets), FLOOD_WALLETS)
        rounds = [
            await self._flood_round(load, wallets[start : start + FLOOD_WALLETS])
            for start in starts
        ]
        self._rates("finalized transfers, in batches of 200", rounds[1:], "3,000/s")

    async def _flood_round(
        self, load: TransferLoad, wallets: list[LoadWallet]
    ) -> tuple[RoundFigures, Cpu]:
        queues = presign(wallets, FLOOD_EACH)
        result = await self._transfers(lambda: load.flood(queues, self._plan.round_s))
        await asyncio.sleep(FLOOD_REST_S)
        return result

    async def _transfers(self, load: "Callable[[], object]") -> tuple[RoundFigures, Cpu]:
        before = self._network.cpu_s()
        outcome = await load()  # type: ignore[misc]  # a coroutine function of ours
        assert isinstance(outcome, RoundFigures)
        return outcome, spent_us(before, self._network.cpu_s(), outcome.final)

    async def _payments(self) -> None:
        """Tills and phones over the public interface."""
        load, plan = PaymentLoad(self._network), self._plan
        await load.closed(self._shoppers, 3.0)
        paced = [
            await self._tills(lambda: load.paced(self._shoppers, 1.0, max(2, int(plan.round_s))))
            for _ in range(plan.rounds)
        ]
        self._latencies("payment to valid, 200 terminals at 1/s", paced, "", "")
        closed = [
            await self._tills(lambda: load.closed(self._shoppers, plan.round_s))
            for _ in range(plan.rounds)
        ]
        self._rates("payments end to end, 200 terminals without think time", closed, ">= 1,000/s")
        name = "payment to valid, 200 terminals without think time"
        self._latencies(name, closed, "", "<= 400 ms")

    async def _all_at_once(self) -> None:
        """Everybody pays in one instant."""
        count = len(self._burst)
        till, cpu = await self._tills(lambda: PaymentLoad(self._network).burst(self._burst))
        name = f"{count:,} payments at once"
        lost = f"{count - till.valid} not valid {till.refused or ''}".strip()
        ordered = sorted(till.latencies_ms) or [0.0]
        for share, goal in ((50, ""), (95, "<= 3 s"), (99, "<= 4 s")):
            value = percentile(ordered, share)
            one = figure(f"{name}, p{share}", "ms", [value], cpu_us=cpu, goal=goal, note=lost)
            self.add(one)
        self.add(figure(f"{name}, not found valid", "", [count - till.valid], goal="0", note=lost))

    async def _tills(self, load: "Callable[[], object]") -> tuple[Till, Cpu]:
        before = self._network.cpu_s()
        till = await load()  # type: ignore[misc]  # a coroutine function of ours
        assert isinstance(till, Till)
        return till, spent_us(before, self._network.cpu_s(), till.valid)

    def ingest(self) -> None:
        """Envelopes over MQTT, until they are receipted."""
        seed = read_seed(self._network.folder)
        load, rounds = IngestLoad(self._network.broker_port), []
        for boot in range(1, self._plan.rounds + 2):
            meters = make_meters(
                seed, self._network.chain, self._plan.meters, self._plan.envelopes, boot
            )
            before = self._network.cpu_s()
            got = load.run(meters)
            rounds.append((got, spent_us(before, self._network.cpu_s(), got.settled)))
        load.close()
        rates = [got.per_s for got, _ in rounds[1:]]
        missing = sum(got.envelopes - got.settled for got, _ in rounds)
        self.add(
            figure(
                "envelopes of 10 samples ingested",
                "/s",
                rates,
                cpu_us=_middle([cpu for _, cpu in rounds[1:]]),
                goal=">= 2,000/s",
                note=f"{missing} without a receipt",
            )
        )

    def _rates(
        self,
        name: str,
        rounds: "list[tuple[RoundFigures, Cpu]] | list[tuple[Till, Cpu]]",
        goal: str,
    ) -> None:
        faults: dict[str, int] = {}
        for outcome, _ in rounds:
            for why, count in outcome.refused.items():
                faults[why] = faults.get(why, 0) + count
        self.add(
            figure(
                name,
                "/s",
                [outcome.per_s for outcome, _ in rounds],
                cpu_us=_middle([cpu for _, cpu in rounds]),
                goal=goal,
                note=f"refused {faults}" if faults else "",
            )
        )

    def _latencies(
        self,
        name: str,
        rounds: "list[tuple[RoundFigures, Cpu]] | list[tuple[Till, Cpu]]",
        goal_p50: str,
        goal_p95: str,
    ) -> None:
        """Give p50 and p95, each by round: their spread is that between rounds."""
        cpu = _middle([one for _, one in rounds])
        for share, goal in ((50, goal_p50), (95, goal_p95)):
            values = [
                percentile(sorted(outcome.latencies_ms), share)
                for outcome, _ in rounds
                if outcome.latencies_ms
            ]
            if values:
                self.add(figure(f"{name}, p{share}", "ms", values, cpu_us=cpu, goal=goal))


def _middle(readings: list[Cpu]) -> Cpu:
    """Take the median round of each spender, small change left out."""
    who = sorted({name for reading in readings for name in reading})
    middle = {name: median(reading.get(name, 0.0) for reading in readings) for name in who}
    return {name: cost for name, cost in middle.items() if cost >= 10}


def run(parts: tuple[str, ...], plan: Plan, folder: Path | None = None) -> Report:
    """Measure on a network of its own, in a folder that is removed unless it is given."""
    report = Report("system", look_at_machine(), [])
    with (
        tempfile.TemporaryDirectory(prefix="billcoin-bench-") as spare,
        running(folder or Path(spare) / "net", plan.accounts) as network,
    ):
        system = System(network, plan, report)
        asyncio.run(system.measure(parts))
        if "ingest" in parts:
            system.ingest()
    return report
