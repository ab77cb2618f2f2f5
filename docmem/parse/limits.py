"""How much of a document is taken in: every number beyond which a file is refused or cut short.

Whoever opens a file that meets one of them is told which. Time and memory are limited besides, for
what reads a document is a process of its own (``models/child.py``).
"""

from __future__ import annotations

from models.child import Limits

MAX_FILE_BYTES = 2_000_000_000
MAX_TEXT_BYTES = 50_000_000  # about 25,000 printed pages; beyond that it is data, not reading
MAX_PAGES = 5_000  # of a PDF; those after it are left out
MAX_PAGE_CHARS = 100_000  # about thirty printed pages; the rest of a longer page is left out
MAX_PICTURE_PX = 30_000_000  # of a page that is drawn, to be read off its picture or shown
MAX_DOCUMENT_CHARS = 60_000_000  # pages that begin after these are left empty
MAX_TITLE_CHARS = 300

MAX_ENTRIES = 10_000  # of an archive
MAX_UNPACKED_BYTES = 60_000_000  # of the parts that are read; pictures and films are not
MAX_RATIO = 500  # how much larger than packed a part may be: text packs to a twentieth
RATIO_FROM_BYTES = 1_000_000  # smaller parts do no harm, however well they are packed
MAX_TAGS = 8_000_000  # of XML, since each takes a hundred bytes of memory and more
MAX_DEPTH = 256  # of XML, one element inside the other; libxml2 keeps the same limit for Office
MAX_CONTENTS_BYTES = 2_000_000  # of the list in an archive that says what its parts are

# A PDF is read page by page, and one that does too much to its reader is left out.
PDF_PROCESS = Limits(
    silence_s=30.0,
    segment_s=60.0,
    resident_bytes=2**30,
    address_space_bytes=4 * 2**30,
    ahead=8,
)
# Other documents are read as a whole before their first page comes.
DOCUMENT_PROCESS = Limits(
    silence_s=120.0,
    segment_s=120.0,
    resident_bytes=2 * 2**30,
    address_space_bytes=6 * 2**30,
    ahead=32,
)
