"""Run files: one run in one HTML file, which shows it again in any browser, without a server; and reading them back.

redaction.py   what must not leave the house
content.py     what is in the file
page.py        the file
importing.py   a file's run, put into a store to be looked at
viewer.*       the page's own style and script
"""

from flowscope.runfile.content import Options, content_of
from flowscope.runfile.importing import Imported, read_run_file
from flowscope.runfile.page import page_of

__all__ = ["Imported", "Options", "content_of", "page_of", "read_run_file"]
