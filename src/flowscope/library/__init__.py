"""What people keep beside the journal: workflows with their versions, API keys, secrets, variables; one small SQLite file.

database.py    open the file, check and set up its schema
workflows.py   WorkflowLibrary: versions, the active one, optimistic concurrency
keys.py        KeyRing: API keys, hashed
vault.py       Vault: secrets and credentials, sealed
sealing.py     the keys they are sealed with, which are kept elsewhere
variables.py   Variables: plain values
activations.py  which workflows are active, and how far their triggers are
documents.py   a draft: any JSON object, its id and what is wrong with it
"""

from flowscope.library.activations import Activation, Activations, TriggerRow
from flowscope.library.database import LibraryDatabase
from flowscope.library.documents import Draft, draft_of
from flowscope.library.keys import SCOPES, ApiKey, KeyRing, NewKey
from flowscope.library.sealing import KeySettings
from flowscope.library.variables import Variables
from flowscope.library.vault import Vault
from flowscope.library.workflows import StoredWorkflow, VersionRow, WorkflowLibrary, WorkflowRow

__all__ = [
    "SCOPES",
    "Activation",
    "Activations",
    "ApiKey",
    "Draft",
    "KeyRing",
    "KeySettings",
    "LibraryDatabase",
    "NewKey",
    "StoredWorkflow",
    "TriggerRow",
    "Variables",
    "Vault",
    "VersionRow",
    "WorkflowLibrary",
    "WorkflowRow",
    "draft_of",
]
