"""`python -m agent`: the command line without an installed script."""

from agent.cli import main

if __name__ == "__main__":
    main()
