"""What settled payments make of attempts, written in the settling transaction."""

from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from api.attempts.model import PaymentAttempt, outcome_on_chain
from api.attempts.store import note_attempts, standings
from api.events.outbox import NewEvent
from api.payments.settlement import MetPayment


class AttemptWitness:
    """Takes note of payments that became final. `index_of` makes an account's blind index."""

    def __init__(self, index_of: Callable[[bytes], bytes]) -> None:
        self._index_of = index_of

    async def witness(
        self, connection: AsyncConnection, met: Sequence[MetPayment], _now_ms: int
    ) -> list[NewEvent]:
        """Write what became of attempts, of those too that a wallet took to a node itself."""
        found = await standings(
            connection, [(one.tx_hash, self._index_of(one.payer)) for one in met]
        )
        attempts = [
            PaymentAttempt(
                one.merchant_id,
                one.tx_hash,
                None if one.after is None else one.after.id,
                found[one.tx_hash].subject,
                outcome_on_chain(one.outcome),
            )
            for one in met
        ]
        await note_attempts(connection, attempts)
        return []
