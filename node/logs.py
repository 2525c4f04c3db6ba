"""Logs for machines: one JSON object a line on stderr, in Elastic's common schema.

Every process of BillCoin calls `set_up_logs` once. Libraries' own records take the same way. No
key, seed, token or card ever belongs in a field; keys are cut to their first 16 hex digits.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, cast

import ecs_logging
import structlog

from node.output import steady

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
# These tell of every refused dial and closed stream; ours say what matters in their place.
_NOISY: Final = ("libp2p", "multiaddr", "async_service", "httpx", "httpcore", "hpack", "asyncio")

Event = MutableMapping[str, Any]


def set_up_logs(service: str, level: str = "info") -> None:
    """Send all logs to stderr as JSON lines named for this service."""

    def name_service(_logger: object, _method: str, event: Event) -> Event:
        event["service.name"] = service
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        name_service,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _name_fields,
            # Its signature says `dict` where structlog's type says mapping.
            cast("structlog.typing.Processor", ecs_logging.StructlogFormatter()),
        ],
    )
    handler = logging.StreamHandler(steady(sys.stderr))
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _name_fields(_logger: object, _method: str, event: Event) -> Event:
    """Give the fields that ECS knows their names there."""
    event["log.level"] = event.pop("level", "info")
    event["log.logger"] = event.pop("logger", "root")
    if "exception" in event:
        event["error.stack_trace"] = event.pop("exception")
    return event
