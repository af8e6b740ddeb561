"""`python -m agent`: the command line of a checkout that is not installed."""

from selfnas.__main__ import refuse_shadowed

if __name__ == "__main__":
    refuse_shadowed()
    from agent.cli import main

    main()
