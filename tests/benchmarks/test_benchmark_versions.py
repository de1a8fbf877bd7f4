"""Versions of benchmarks are pinned, so that a refactoring ends no series; a change of the work is not to go unseen."""

import hashlib

WORK = {
    "attack.Attack": ("1", "30c6c0f2"),
    "baseline.time_pandas": ("1", "eb273782"),
    "cache.Lookup": ("1", "65bc4e7a"),
    "cache.Study": ("1", "b291405e"),
    "clean.Basic": ("1", "cee252a6"),
    "clean.Spatial": ("1", "6aaaa73d"),
    "clean.Timestamps": ("1", "0c9a10b4"),
    "curves.time_by_cores": ("1", "fd2c9d57"),
    "curves.time_by_partition": ("1", "d7fc2d08"),
    "features.Extended": ("1", "759c53a9"),
    "frames.time_frames": ("1", "0b404c0b"),
    "gate.Attack": ("1", "ec1d4be0"),
    "gate.Clean": ("1", "1d96ac0d"),
    "gate.Features": ("1", "67f28166"),
    "gate.Gather": ("1", "476ef811"),
    "gate.Job": ("1", "040bd8ea"),
    "gate.Train": ("1", "836b6ee8"),
    "gather.Csv": ("1", "0d6d6267"),
    "imports.peakmem_reference": ("1", "89c7d497"),
    "imports.timeraw_help": ("1", "a0f5355c"),
    "imports.timeraw_import_cdpipe": ("1", "fe2d849f"),
    "imports.timeraw_import_pandas": ("1", "41e57595"),
    "imports.timeraw_use": ("1", "1546cd5c"),
    "imports.track_use": ("1", "f2cd8b03"),
    "job.Job": ("1", "040bd8ea"),
    "kernels.time_kernel": ("1", "f12089ba"),
    "pipeline.ThreeClassifiers": ("1", "a7f689a6"),
    "train.ThreeClassifiers": ("1", "9c25fe8c"),
}
"""By class, or by function of a module: version, and digest of the source of the work."""


def test_work_has_not_changed_without_a_word(described):
    """Where it measures something else now, raise `version`; then, or if it is the same work, write the digest here."""
    found = {}
    for each in described:
        text = " ".join((each.get("pretty_source") or each["code"]).split())
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        found.setdefault(".".join(each["name"].split(".")[:2]), set()).add((each["version"], digest))
    assert found == {name: {known} for name, known in WORK.items()}
