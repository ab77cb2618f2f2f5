"""``python -m memqa``: the same as the ``memqa`` command."""

from memqa.cli import main

if __name__ == "__main__":
    main()
