"""Documents inserted where none with their key is: what every write but a few is made of."""

from __future__ import annotations

from collections.abc import Sequence

from pymongo.errors import BulkWriteError

from timeline.drivers.mongodb.connection import Documents
from timeline.drivers.mongodb.errors import DUPLICATE
from timeline.drivers.mongodb.schema import Document


def insert_missing(collection: Documents, documents: Sequence[Document]) -> Sequence[Document]:
    """Insert the documents whose keys are not there, and leave alone the others, which are given back."""
    if not documents:
        return []
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        refused = error.details["writeErrors"]
        if error.details["writeConcernErrors"] or any(one["code"] != DUPLICATE for one in refused):
            raise
        # not nInserted: there are servers that count in it what they refused
        return [documents[one["index"]] for one in refused]
    return []
