"""Connected-vehicle messages to labelled misbehaviour data sets and classifier metrics, bounded in memory, repeatable.

Everything public is a name of this package; it is imported when it is first used, so that `import cdpipe` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cdpipe.checking import check as check
    from cdpipe.config.model import RunConfig as RunConfig
    from cdpipe.config.model import load_config as load_config
    from cdpipe.engine.api.reading import gather as gather
    from cdpipe.engine.api.reading import read as read
    from cdpipe.engine.api.stages import attack as attack
    from cdpipe.engine.api.stages import clean as clean
    from cdpipe.engine.api.stages import features as features
    from cdpipe.engine.run.observer import RunObserver as RunObserver
    from cdpipe.engine.sessions.open import open_session as open_session
    from cdpipe.engine.sessions.params import SessionParams as SessionParams
    from cdpipe.pipeline import run as run
    from cdpipe.reports.run_report import RunReport as RunReport
    from cdpipe.synthetic.generator import synthesize as synthesize
    from cdpipe.training.train import train as train

    __version__: str

_PLACES = {
    "RunConfig": "cdpipe.config.model",
    "load_config": "cdpipe.config.model",
    "check": "cdpipe.checking",
    "RunObserver": "cdpipe.engine.run.observer",
    "run": "cdpipe.pipeline",
    "RunReport": "cdpipe.reports.run_report",
    "read": "cdpipe.engine.api.reading",
    "gather": "cdpipe.engine.api.reading",
    "clean": "cdpipe.engine.api.stages",
    "attack": "cdpipe.engine.api.stages",
    "features": "cdpipe.engine.api.stages",
    "train": "cdpipe.training.train",
    "SessionParams": "cdpipe.engine.sessions.params",
    "open_session": "cdpipe.engine.sessions.open",
    "synthesize": "cdpipe.synthetic.generator",
}
__all__ = ["__version__", *_PLACES]  # noqa: PLE0604 - the names are strings, if not literal ones


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - it takes as long as all else here

        return version("cdpipe")
    if name not in _PLACES:
        raise AttributeError(f"module 'cdpipe' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
