"""History by polars: what rests on messages before is a window over their chain."""

from typing import Any

from benchmarks._peers.history.definitions import (
    GAP_S,
    KEYS,
    LEAST_SPREAD_S2,
    MEANT,
    SUMMED,
    TOLD,
    WINDOW,
    leave_line,
    scales,
    wrap,
)


def tell(frame: Any) -> Any:
    """Return history, a frame of 18 columns, of a frame of messages."""
    import polars as pl

    chain, c = "chain", pl.col
    interval = (c("time_us").diff() / 1e6).over("vehicle")
    of_east, of_north = scales(c("y").radians(), lambda y: y.sin(), lambda y: y.cos())
    begins = interval.is_null() | (interval > GAP_S)
    off, spread = leave_line(c)
    lazy = (
        frame.lazy()
        .sort(KEYS)
        .with_columns(
            interval=interval,
            chain=begins.cum_sum(),
            of_east=of_east,
            of_north=of_north,
            sine=c("heading").radians().sin(),
            cosine=c("heading").radians().cos(),
        )
        .with_columns(
            c("time_us", "x", "y", "speed", "heading", "of_east", "of_north", "sine", "cosine")
            .shift(1)
            .over(chain)
            .name.prefix("was_"),
            age=(c("time_us") - c("time_us").first().over(chain)) / 1e6,
            count=pl.int_range(pl.len()).over(chain),
        )
        .with_columns(
            interval=pl.when(c("was_time_us").is_not_null()).then(c("interval")),
            east=wrap(c("x") - c("was_x")) * c("was_of_east"),
            north=(c("y") - c("was_y")) * c("was_of_north"),
        )
        .with_columns(
            rate=pl.when(c("interval") > 0).then(1 / c("interval")).when(c("interval") == 0).then(0.0),
            moved=(c("east") ** 2 + c("north") ** 2).sqrt(),
            along=c("east") * c("was_sine") + c("north") * c("was_cosine") - c("was_speed") * c("interval"),
            across=c("east") * c("was_cosine") - c("north") * c("was_sine"),
            east_all=c("east").fill_null(0).cum_sum().over(chain),
            north_all=c("north").fill_null(0).cum_sum().over(chain),
        )
        .with_columns(
            residual=(c("along") ** 2 + c("across") ** 2).sqrt(),
            speed_gap=pl.when(c("rate") > 0).then(c("speed") - c("moved") * c("rate")).otherwise(c("rate")),
            bearing_gap=pl.when(c("moved") > 0)
            .then(wrap(pl.arctan2(c("east"), c("north")).degrees() - c("heading")))
            .when(c("moved") == 0)
            .then(0.0),
            acceleration=(c("speed") - c("was_speed")) * c("rate"),
            turn_rate=wrap(c("heading") - c("was_heading")) * c("rate"),
            same=((c("x") == c("was_x")) & (c("y") == c("was_y"))).cast(pl.Float64),
            t_t=c("age") ** 2,
            t_east=c("age") * c("east_all"),
            t_north=c("age") * c("north_all"),
        )
        .with_columns(
            **{f"{name}_mean": c(name).abs().rolling_mean(WINDOW, min_samples=1).over(chain) for name in MEANT},
            **{f"sum_{name}": c(name).rolling_sum(WINDOW, min_samples=1).shift(1).over(chain) for name in SUMMED},
            n=c("count").clip(upper_bound=WINDOW),
        )
        .with_columns(trend=pl.when(spread >= LEAST_SPREAD_S2).then(off))
        .select(c(*TOLD).fill_null(0.0))
    )
    return lazy.collect()
