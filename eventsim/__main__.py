"""``python -m eventsim`` is the command ``eventsim``."""

from eventsim.cli import main

if __name__ == "__main__":
    main()
