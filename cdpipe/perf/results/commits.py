"""Names of commits, as git knows them."""

import subprocess


def resolve_commit(name: str) -> str:
    """Return the hash that git gives a name (`HEAD`, a branch, a tag) here, or the name itself where git knows none."""
    asked = subprocess.run(  # noqa: S603 - git gets the name as one argument, behind the end of options
        ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() if asked.returncode == 0 else name
