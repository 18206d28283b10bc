import sys

try:
    from deep.commands.main import main
except ModuleNotFoundError as error:
    missing = (error.name or "").partition(".")[0]
    if missing in ("bounds", "tabular", "deep"):
        raise
    print(
        f"python -m deep: {missing} is not installed; pip install 'opponentwise[deep]'",
        file=sys.stderr,
    )
    sys.exit(2)

sys.exit(main())
