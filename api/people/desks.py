"""The desks, put together: everything behind the routes of people, tills, tenants and approvals."""

from collections.abc import Callable, Mapping

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from starlette.requests import Request

from api.access.principals import Person, Terminal
from api.access.roles import Role
from api.approvals.desk import ApprovalDesk, Carrier
from api.approvals.model import Approval, ApprovalKind
from api.config import ApiConfig
from api.errors import Unauthorized
from api.people.access_tokens import AccessTokens
from api.people.activation import ActivationDesk
from api.people.forgetting import forget_what_is_over
from api.people.hashing import SlowHasher
from api.people.logins import LoginDesk
from api.people.means import Means
from api.people.office import OfficeDesk
from api.people.own import OwnDesk
from api.people.rebinding import RebindDesk
from api.people.recovery import RecoveryDesk
from api.people.standing import PersonReader
from api.people.tokens import PersonClaims, TokenRefused
from api.people.wallets import WalletDesk
from api.tenants.desk import TenantDesk
from api.tenants.help import HelpDesk
from api.terminals.cashiers import CashierDesk
from api.terminals.desk import TerminalDesk
from api.terminals.standing import TerminalReader
from api.vault.data_keys import Vault


class Desks:
    """One of each."""

    def __init__(
        self,
        engine: AsyncEngine,
        config: ApiConfig,
        now_ms: Callable[[], int],
        steady_s: Callable[[], float],
        chain_id: Callable[[], bytes],
    ) -> None:
        secrets = config.secrets
        self.means = means = Means(
            engine=engine,
            vault=Vault(secrets, now_ms),
            hasher=SlowHasher(secrets.pin),
            tokens=AccessTokens(secrets, config.public_url, now_ms),
            session_key=secrets.session,
            host=config.public_host,
            public_url=config.public_url,
            prefix=config.prefix,
            now_ms=now_ms,
            steady_s=steady_s,
            chain_id=chain_id,
        )
        self.office = OfficeDesk(means)
        self.logins = LoginDesk(means)
        self.activation = ActivationDesk(means, self.logins)
        self.own = OwnDesk(means, self.logins)
        self.wallets = WalletDesk(means)
        self.recovery = RecoveryDesk(means)
        self.rebinds = RebindDesk(means)
        self.tenants = TenantDesk(means)
        self.help = HelpDesk(engine)
        self.tills = TerminalDesk(means)
        self.cashiers = CashierDesk(means)
        self.approvals = ApprovalDesk(engine, self._carriers(), now_ms)
        self.reader = TokenReader(means)

    def _carriers(self) -> Mapping[ApprovalKind, Carrier]:
        return {
            ApprovalKind.ROLE_GRANT: self._grant,
            ApprovalKind.WALLET_REBIND: self.rebinds.carry_out,
            ApprovalKind.PAYOUT_CHANGE: self.tenants.change_accounts,
        }

    async def _grant(self, connection: AsyncConnection, approval: Approval) -> None:
        role, place = Role(approval.wish["role"]), approval.wish["place"]
        await self.office.give_role(connection, approval.union_id, approval.subject_id, role, place)

    async def sweep(self) -> None:
        """Carry out what has waited for its hour, and forget what is over."""
        await self.approvals.carry_out_ripe()
        async with self.means.engine.begin() as connection:
            await forget_what_is_over(connection, self.means.now_ms())


class TokenReader:
    """The gate's reader of access tokens, of people and of tills."""

    def __init__(self, means: Means) -> None:
        self._tokens = means.tokens
        self._people = PersonReader(means)
        self._tills = TerminalReader(means)

    def reads(self, credential: str) -> bool:
        """Tell a JWT from an API key by its look: its header is JSON."""
        return credential.startswith("eyJ")

    async def principal_of(self, credential: str, request: Request) -> Person | Terminal:
        """Give whose token it is; raise `Unauthorized`, `Forbidden` or `Locked`."""
        try:
            claims = self._tokens.read(credential)
        except TokenRefused as fault:
            raise Unauthorized(f"this token is not taken: {fault}", code=fault.code) from None
        request.state.union_id = claims.uni
        if isinstance(claims, PersonClaims):
            return await self._people.person_of(claims)
        return await self._tills.terminal_of(claims)
