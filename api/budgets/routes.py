"""Budgets: an office reads and tightens them at once; to loosen one takes a second person."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.amounts import parse_sen, parse_units
from api.approvals.store import lock_subject
from api.budgets.approving import ask_for_limit
from api.budgets.model import BudgetPurpose, is_tighter
from api.budgets.schemas import (
    BudgetBody,
    BudgetsView,
    ChangedBudgetView,
    budget_view,
)
from api.budgets.store import LOCK, read_budget, write_limit
from api.errors import MalformedRequest, NotFound, Pointer
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.people.callers import actor_of, person_of


async def read_budgets(call: ApiCall) -> BudgetsView:
    """Give the budgets of one's union."""
    union_id, service = person_of(call).union_id, call.service
    async with service.engine.connect() as connection:
        found = [
            await read_budget(connection, union_id, purpose, service.now_ms())
            for purpose in BudgetPurpose
        ]
    return BudgetsView([budget_view(one) for one in found])


async def change_budget(call: ApiCall) -> Reply:
    """Write a tighter limit at once; ask a second person for a looser one."""
    service, actor, purpose = call.service, actor_of(call), _purpose(call)
    limit = None if call.body.limit is None else _amount(purpose, call.body.limit.text)

    async def work(connection: AsyncConnection) -> Reply:
        await lock_subject(connection, actor.union_id, f"{LOCK}:{purpose}")
        at = (connection, actor.union_id, purpose)
        approval_id = None
        before = await read_budget(*at, service.now_ms())
        if is_tighter(before.limit, limit):
            await write_limit(*at, limit)
        else:
            asked = await ask_for_limit(connection, service.desks, actor, purpose, limit)
            approval_id = asked.id
        budget = await read_budget(*at, service.now_ms())
        return Reply(ChangedBudgetView(budget_view(budget), approval_id), 200)

    return await service.answers.once(call.once, work)


def _purpose(call: ApiCall) -> BudgetPurpose:
    try:
        return BudgetPurpose(call.path["purpose"])
    except ValueError:
        raise NotFound("there is no such budget: welcomes, or coupons") from None


def _amount(purpose: BudgetPurpose, text: str) -> int:
    amount = parse_sen(text) if purpose is BudgetPurpose.COUPONS else parse_units(text)
    if amount is None:
        fault = Pointer("/limit", "NOT_AN_AMOUNT")
        raise MalformedRequest("RM have two decimals at most", errors=(fault,))
    return amount


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/budgets",
        operation="listBudgets",
        summary="Tell what a union gives away in any 30 days as welcomes and coupons, and may",
        tag="coupons",
        handler=read_budgets,
        answer=BudgetsView,
    ),
    Route(
        method="PUT",
        path="/api/v1/budgets/{purpose}",
        operation="changeBudget",
        summary="Tighten a budget at once; a looser one waits for a second person",
        tag="coupons",
        handler=change_budget,
        body=BudgetBody,
        answer=ChangedBudgetView,
        idempotency=Idempotency.KEY,
        codes=("NOT_FOUND",),
    ),
)
