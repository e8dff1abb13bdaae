"""``python -m facekit`` is the command line."""

from facekit.cli.app import main

if __name__ == "__main__":
    main()
