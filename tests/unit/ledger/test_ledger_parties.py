"""Histories: whoever had part in a transaction finds it, whether it names them or not."""

from ledger.primitives.keys import address_of
from ledger.state import Overlay
from ledger.state.tables import ACCOUNTS, MODULE_ACCOUNTS
from ledger.store import MemoryStore
from ledger.store.schema import named_addresses
from ledger.transition import Execution
from ledger.types.mandate import ChargeMandate
from ledger.types.market import AcceptOffer, ConfirmDelivery, RuleDispute
from ledger.types.milk import ResolveChallenge
from ledger.types.staking import Bond, SubmitEvidence
from ledger.types.window import MintWindow
from tests.support.ledger.dairy import Chain, Dairy, bill
from tests.support.ledger.milking import Milking
from tests.support.ledger.story import Story


class Told(Story):
    """Remembers of each transaction who had part in it, and whose account it changed."""

    def __init__(self):
        self.parties, self.changed = [], []
        super().__init__()

    def blocks(self, transactions, proposer="owner-0"):
        if len(transactions) == 1:
            (transaction,) = transactions
            trial = Overlay(self.state)
            execution = Execution(trial, self.dairy.context(self.height + 1, self.time_ms))
            execution.include(transaction)
            self.changed.append({
                key[1:] for key, raw in trial.changes.items()
                if key[:1] == ACCOUNTS.prefix and raw != self.state.get(key)
            } - set(MODULE_ACCOUNTS.values()))  # fmt: skip
            (parties,) = execution.finish().parties
            self.parties.append((transaction, set(parties)))
        return super().blocks(transactions, proposer)


T = Told()


def of(kind):
    return [parties for each, parties in T.parties if type(each.intent.body) is kind]


def people(*names):
    return {T.address(name) for name in names}


def test_every_account_that_a_transaction_changed_has_it_in_its_history():
    assert len(T.changed) == len(T.parties) > 20
    for (transaction, parties), changed in zip(T.parties, T.changed, strict=True):
        assert changed <= parties, type(transaction.intent.body).__name__
        assert not parties & set(MODULE_ACCOUNTS.values())


def test_those_whom_no_transaction_names_are_parties_too():
    assert of(ChargeMandate) == [people("bob", "alice")]
    assert of(AcceptOffer) == [people("alice", "bob")] * 4
    assert of(ConfirmDelivery) == [people("alice", "bob")]
    assert of(RuleDispute) == [people("carol", "alice", "bob")]
    # Who signed for a lot in doubt is bound by it, and free again.
    signers = people(*(f"attestor-{number}" for number in range(4)))
    assert of(ResolveChallenge) == [people("carol", "alice", "mmu") | signers]
    assert of(SubmitEvidence) == [people("carol", "owner-1")]
    assert of(Bond) == [people("alice", "owner-0")]
    minted = next(each for each in T.parties if isinstance(each[0].intent.body, MintWindow))
    assert minted[1] == people("mmu", "farm-0", "farm-1", "farm-2")
    assert T.address("farm-0") not in named_addresses(minted[0])


def test_a_key_that_is_put_and_removed_within_a_transaction_leaves_no_party():
    state = Overlay(T.state)
    savepoint, name = state.savepoint(), ACCOUNTS.prefix + T.address("stranger")
    state.put(name, b"x")
    state.put(name, None)
    assert {key for key, _ in state.touched(savepoint)} <= {name}
    state.rollback(savepoint)
    assert list(state.touched(savepoint)) == []


def test_the_store_lists_them_and_what_a_meter_brought():
    chain = Chain(Dairy(), MemoryStore())
    batch, dairy = Milking(chain.dairy).next([bill(40)]), chain.dairy
    (farm, meter) = address_of(dairy.farm_keys[0].public), dairy.meter_keys[0].public
    made = []
    for body in (*batch.collections, *batch.collections, batch.mint):
        made.append(dairy.next(chain.store, body, dairy.mmu))
        chain.block(made[-1])
    collected, _, minted = [each.id for each in made]
    assert [each.txid for each in chain.store.collections(meter)] == [collected]
    assert [each.txid for each in chain.store.history(farm)] == [minted, collected]
