"""Opens the web page; ``python app.py --help`` tells where it is served and for whom."""

from __future__ import annotations

from memqa.ui import main

if __name__ == "__main__":
    main()
