"""What can be asked of a node: one row a query, which socket, HTTP, client and OpenAPI read.

A row joins the request as it goes over the node's unix socket, the way to it over HTTP, and the
answer. To add a query, write its request in `node.client.requests`, its row here, its answer in
`node.shell.rpc.backend` and its method in `node.client.http`; nothing else need name it.

What a URL may hold is checked by the row's parameters, before anything is asked of the node.
"""

from http import HTTPStatus
from typing import Final

from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.types.trace import Trace
from node.client.line_queries import LINE_QUERIES
from node.client.parameters import (
    NUMBER_MAX,
    AddressText,
    Id,
    PageStart,
    Parameter,
    Whole,
)
from node.client.query import Query
from node.client.requests import (
    HISTORY_MAX,
    LOTS_MAX,
    GetAccount,
    GetBlock,
    GetFarmLots,
    GetGenesis,
    GetHeightAt,
    GetHistory,
    GetHistoryPage,
    GetLot,
    GetLotProducts,
    GetLots,
    GetMetrics,
    GetParameters,
    GetPrice,
    GetProof,
    GetStatus,
    GetSupply,
    GetTrace,
    GetTransaction,
    Request,
    SubmitTransactions,
    Subscribe,
)
from node.client.views import (
    AccountView,
    FinalBlock,
    HistoryView,
    LotView,
    NodeStatus,
    ParametersView,
    PriceView,
    ProductLotView,
    Submission,
    SupplyView,
    TransactionView,
)

WAIT_MS_MAX: Final = 10_000
LOTS_PAGE: Final = 100
HISTORY_PAGE: Final = 50
JSON: Final = "application/json"
MSGPACK: Final = "application/msgpack"
BYTES: Final = "application/octet-stream"


_TXID: Final = Parameter("txid", Id())
_ACCOUNT: Final = Parameter("address", AddressText())
_PRUNED: Final = (HTTPStatus.GONE, "pruned_block")
_NO_BLOCK: Final = (HTTPStatus.NOT_FOUND, "unknown_block")

STATUS: Final = Query(
    name="status",
    request=GetStatus,
    answer=NodeStatus,
    path="/v1/status",
    summary="Tell where the node stands: height, view, peers, supply, times to finality.",
)
GENESIS: Final = Query(
    name="genesis",
    request=GetGenesis,
    answer=bytes,
    path="/v1/genesis",
    summary="Give the genesis file.",
    media=JSON,
)
SUBMIT: Final = Query(
    name="submit",
    request=SubmitTransactions,
    answer=list[Submission],
    path="/v1/transactions",
    summary="Take in 1 to 5,000 signed transactions; one submission each, in order.",
    method="POST",
    under="submissions",
    faults=(
        (HTTPStatus.BAD_REQUEST, "bad_batch"),
        (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large"),
        (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding"),
        (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
    ),
)
TRANSACTION: Final = Query(
    name="transaction",
    request=GetTransaction,
    answer=TransactionView,
    path="/v1/transactions/{txid}",
    summary="Show how far a transaction has come; wait for it to be final if asked to.",
    parameters=(_TXID, Parameter("wait_ms", Whole(0, WAIT_MS_MAX), (0,))),
)
ACCOUNT: Final = Query(
    name="account",
    request=GetAccount,
    answer=AccountView,
    path="/v1/accounts/{address}",
    summary="Show an account's balance and nonce. One that was never used is empty.",
    parameters=(_ACCOUNT,),
)
HISTORY: Final = Query(
    name="history",
    request=GetHistory,
    answer=list[Hash],
    path="/v1/accounts/{address}/transactions",
    summary="List the ids of an account's transactions in blocks below a height, newest first.",
    parameters=(
        _ACCOUNT,
        Parameter("before", Whole(0), (NUMBER_MAX,)),
        Parameter("limit", Whole(1, HISTORY_MAX), (HISTORY_PAGE,)),
    ),
    under="transactions",
)
HISTORY_PAGES: Final = Query(
    name="history_page",
    request=GetHistoryPage,
    answer=list[HistoryView],
    path="/v1/accounts/{address}/history",
    summary="List an account's transactions with their places, below HEIGHT.INDEX, newest first.",
    parameters=(
        _ACCOUNT,
        Parameter("before", PageStart(Whole(0, 2**32 - 1), 0), (NUMBER_MAX, 0)),
        Parameter("limit", Whole(1, HISTORY_MAX), (HISTORY_PAGE,)),
    ),
    under="transactions",
)
FARM_LOTS: Final = Query(
    name="farm_lots",
    request=GetFarmLots,
    answer=list[LotView],
    path="/v1/accounts/{address}/lots",
    summary="List the lots that a farm's milk is in, below HEIGHT.LOT, newest first.",
    parameters=(
        _ACCOUNT,
        Parameter("before", PageStart(Id(), ZERO_HASH), (NUMBER_MAX, ZERO_HASH)),
        Parameter("limit", Whole(1, LOTS_MAX), (LOTS_PAGE,)),
    ),
    under="lots",
)
TRACE: Final = Query(
    name="trace",
    request=GetTrace,
    answer=Trace,
    path="/v1/trace/{subject}",
    summary="Walk from a payment, pack, lot or run to the farms, with the block of every step.",
    parameters=(Parameter("subject", Id()),),
    faults=(
        (HTTPStatus.NOT_FOUND, "unknown_subject"),
        (HTTPStatus.NOT_FOUND, "no_milk_behind"),
        _PRUNED,
    ),
)
BLOCKS: Final = Query(
    name="blocks",
    request=Subscribe,
    answer=FinalBlock,
    path="/v1/blocks",
    summary="Stream finalized blocks from a height on: frames of MessagePack, empty ones for life.",
    parameters=(Parameter("from", Whole(1), (1,)),),
    media=BYTES,
    faults=(_PRUNED,),
)
BLOCK_AT: Final = Query(
    name="block_at",
    request=GetHeightAt,
    answer=FinalBlock,
    path="/v1/blocks/at/{time_ms}",
    summary="Show the last finalized block that is not after a time.",
    parameters=(Parameter("time_ms", Whole(0)),),
    faults=(_NO_BLOCK, _PRUNED),
)
BLOCK: Final = Query(
    name="block",
    request=GetBlock,
    answer=FinalBlock,
    path="/v1/blocks/{height}",
    summary="Show a finalized block with its receipts.",
    parameters=(Parameter("height", Whole(0)),),
    faults=(_NO_BLOCK, _PRUNED),
)
LOTS: Final = Query(
    name="lots",
    request=GetLots,
    answer=list[LotView],
    path="/v1/lots",
    summary="List the newest lots.",
    parameters=(Parameter("limit", Whole(1, LOTS_MAX), (LOTS_PAGE,)),),
    under="lots",
)
LOT: Final = Query(
    name="lot",
    request=GetLot,
    answer=LotView,
    path="/v1/lots/{lot}",
    summary="Show a lot: what of it can still be sold, loose and in packs.",
    parameters=(Parameter("lot", Id()),),
    faults=((HTTPStatus.NOT_FOUND, "unknown_lot"),),
)
LOT_PRODUCTS: Final = Query(
    name="lot_products",
    request=GetLotProducts,
    answer=list[ProductLotView],
    path="/v1/lots/{lot}/products",
    summary="List the product lots of a lot, below HEIGHT.PRODUCT, newest first.",
    parameters=(
        Parameter("lot", Id()),
        Parameter("before", PageStart(Id(), ZERO_HASH), (NUMBER_MAX, ZERO_HASH)),
        Parameter("limit", Whole(1, LOTS_MAX), (LOTS_PAGE,)),
    ),
    under="products",
)
SUPPLY: Final = Query(
    name="supply",
    request=GetSupply,
    answer=SupplyView,
    path="/v1/supply",
    summary="Count the tokens: minted, redeemed, and what there is.",
)
PRICE: Final = Query(
    name="price",
    request=GetPrice,
    answer=PriceView,
    path="/v1/price",
    summary="Tell what a litre costs, who feeds the price, and what the open round has so far.",
)
PARAMETERS: Final = Query(
    name="parameters",
    request=GetParameters,
    answer=ParametersView,
    path="/v1/parameters",
    summary="Tell the numbers of the law in force, the least fee among them.",
)
PROOF: Final = Query(
    name="proof",
    request=GetProof,
    answer=bytes,
    path="/v1/proofs/{txid}",
    summary="Prove that a transaction is final, to whoever knows the committee of an epoch.",
    parameters=(_TXID, Parameter("from_epoch", Whole(0), (0,))),
    media=BYTES,
    faults=((HTTPStatus.NOT_FOUND, "not_final"), (HTTPStatus.NOT_FOUND, "no_proof")),
)
METRICS: Final = Query(
    name="metrics",
    request=GetMetrics,
    answer=bytes,
    path="/metrics",
    summary="Give the node's metrics to Prometheus.",
    media="text/plain; version=0.0.4; charset=utf-8",
)

QUERIES: Final[tuple[Query[Request, object], ...]] = (
    STATUS,
    GENESIS,
    SUBMIT,
    TRANSACTION,
    PROOF,
    ACCOUNT,
    HISTORY,
    HISTORY_PAGES,
    FARM_LOTS,
    TRACE,
    BLOCKS,
    BLOCK_AT,
    BLOCK,
    LOTS,
    LOT,
    LOT_PRODUCTS,
    *LINE_QUERIES,
    SUPPLY,
    PARAMETERS,
    PRICE,
    METRICS,
)
BY_REQUEST: Final[dict[type[Request], Query[Request, object]]] = {
    query.request: query for query in QUERIES
}
