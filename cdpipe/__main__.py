"""The command `cdpipe`, and `python -m cdpipe`: Ctrl-C is heeded before anything else is loaded."""

from cdpipe.interrupts import forget_unhandled, heeding_interrupts


def main() -> None:
    """Run the command line; an interrupt while it is loaded ends it as one later does."""
    try:
        with heeding_interrupts():
            from cdpipe.cli import main  # noqa: PLC0415 - click takes most of the start

            main(prog_name="cdpipe")
    except KeyboardInterrupt as interrupt:
        from cdpipe.terminal.streams import tell_interrupt  # noqa: PLC0415

        forget_unhandled()
        raise SystemExit(tell_interrupt(interrupt)) from None


if __name__ == "__main__":
    main()
