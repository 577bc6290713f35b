"""``python -m isthmus`` is the command line."""

from isthmus.cli import main

main()
