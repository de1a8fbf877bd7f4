"""Parameters of sessions: which scheduler, how many workers and threads, and how much memory."""

import re
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, field_validator, model_validator

from cdpipe.stages.params import Params

LEGAL_SCHEDULERS: Final = "'threads', 'local', 'tcp://HOST:PORT' or 'tls://HOST:PORT'"
_ADDRESS: Final = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):(\d{1,5})")


class SessionParams(Params):
    """Where and how wide to run.

    Examples
    --------
    >>> SessionParams(scheduler="local", workers=2, memory_limit_gb=4).workers
    2
    """

    scheduler: str = Field(default="threads", description=f"where to run: {LEGAL_SCHEDULERS}")
    workers: int | None = Field(
        default=None, ge=1, le=1_000, description="worker processes (scheduler 'local'); default: chosen from the cores"
    )
    threads_per_worker: int | None = Field(
        default=None,
        ge=1,
        le=1_000,
        description="threads of each worker, or of this process (scheduler 'threads'); default: the cores",
    )
    memory_limit_gb: float | None = Field(
        default=None,
        ge=0.001,
        le=1e9,
        description="memory of each worker, or of this process, GB = 1e9 bytes; default: the machine's share",
    )
    dashboard: bool | Annotated[int, Field(ge=1, le=65535)] = Field(
        default=True, description="scheduler 'local': serve Dask's dashboard on loopback, or on this port"
    )
    spill_target: float = Field(
        default=0.70,
        gt=0,
        le=1,
        description="scheduler 'local': share of the limit at which stored results move to disk",
    )
    spill: float = Field(default=0.80, gt=0, le=1, description="the same, by the process's own memory")
    pause: float = Field(
        default=0.90, gt=0, le=1, description="share of the limit at which a worker starts no more tasks"
    )
    spill_directory: Path | None = Field(
        default=None,
        description="scheduler 'local': where results spill; default: a temporary directory, removed at the end",
    )
    tls_ca_file: Path | None = Field(
        default=None,
        description="scheduler 'tls://…': PEM file of who signed the scheduler's certificate; default: Dask's settings",
    )
    tls_cert: Path | None = Field(
        default=None, description="the same: PEM file of the certificate this process shows; default: Dask's settings"
    )
    tls_key: Path | None = Field(
        default=None, description="the same: PEM file of its key; default: Dask's, or in tls_cert"
    )

    @field_validator("scheduler")
    @classmethod
    def _check_scheduler(cls, value: str) -> str:
        address = _ADDRESS.fullmatch(value)
        if value not in {"threads", "local"} and not (address and 1 <= int(address[3]) <= 65535):
            raise ValueError(f"unknown scheduler {value!r}: use {LEGAL_SCHEDULERS}")
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if not self.spill_target <= self.spill <= self.pause:
            raise ValueError(
                f"spill_target <= spill <= pause does not hold: {self.spill_target}, {self.spill}, {self.pause}"
            )
        tls = {name for name in type(self).model_fields if name.startswith("tls_")}
        applied = {
            "threads": {"threads_per_worker", "memory_limit_gb"},
            "local": set(type(self).model_fields) - tls,
        }
        legal = {"scheduler"} | applied.get(self.scheduler, tls if self.scheduler.startswith("tls://") else set())
        for name, field in type(self).model_fields.items():
            # A setting that would silently do nothing is worse than one that is refused.
            if name not in legal and getattr(self, name) != field.default:
                value = getattr(self, name)
                raise ValueError(
                    f"{name} = {str(value) if isinstance(value, Path) else value!r} has no effect with scheduler "
                    f"{self.scheduler!r}: remove it, or use scheduler {'tls://HOST:PORT' if name in tls else 'local'!r}"
                )
        return self
