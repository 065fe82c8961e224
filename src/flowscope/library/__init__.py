"""What people keep beside the journal: workflows with their versions, and API keys; one small SQLite file.

database.py    open the file, check and set up its schema
workflows.py   WorkflowLibrary: versions, the active one, optimistic concurrency
keys.py        KeyRing: API keys, hashed
documents.py   a draft: any JSON object, its id and what is wrong with it
"""

from flowscope.library.database import LibraryDatabase
from flowscope.library.documents import Draft, draft_of
from flowscope.library.keys import SCOPES, ApiKey, KeyRing, NewKey
from flowscope.library.workflows import StoredWorkflow, VersionRow, WorkflowLibrary, WorkflowRow

__all__ = [
    "SCOPES",
    "ApiKey",
    "Draft",
    "KeyRing",
    "LibraryDatabase",
    "NewKey",
    "StoredWorkflow",
    "VersionRow",
    "WorkflowLibrary",
    "WorkflowRow",
    "draft_of",
]
