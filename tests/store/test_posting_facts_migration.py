"""A store from before there were facts gets those of the postings that it has."""

from __future__ import annotations

from typing import Any

from alembic import command
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert
from store_process import posting

from jobsentinel.contract.filter_fields import TEXT_FIELDS, day_number, folded
from jobsentinel.contract.filters import parse_filter
from jobsentinel_workers.store import Database
from jobsentinel_workers.store.addresses import parse_address
from jobsentinel_workers.store.migrations.upgrade import configuration
from jobsentinel_workers.store.migrations.versions import posting_facts as migration
from jobsentinel_workers.store.posting_filters import matching_ids
from jobsentinel_workers.store.schema import REVISION, postings


def old_row(number: int, **columns: Any) -> dict[str, Any]:
    stamps = {"updated_at": "2026-01-01T00:00:00.000000Z", "change_seq": number}
    empty = dict.fromkeys(("company", "location", "remote", "posted_at", "salary"))
    return {**posting(f"p-{number:04}"), **empty, **stamps, **columns}


def test_an_older_store_can_be_filtered_by_what_its_postings_say(empty_address: str) -> None:
    # Given a store of the revision before with more postings than a page
    older = Database(parse_address(empty_address))
    cologne = {
        "location": "KÖLN",
        "company": "A &amp; B",
        "remote": True,
        "posted_at": "2026-11-20",
    }
    rows = [old_row(1, **cologne, salary="$50,000 a year"), *map(old_row, range(2, 1_203))]
    with older.begin() as connection:
        command.upgrade(configuration(connection), "0005")
        connection.execute(insert(postings), rows)
    older.close()

    # When this version opens it
    database = Database.open(empty_address)

    # Then its postings match by what they say, and what is computed is unknown
    def matches(where: str) -> set[str]:
        with database.connect() as connection:
            return matching_ids(connection, parse_filter(where))

    assert database.revision() == REVISION
    assert matches('location = "Köln" and company = "a & b" and remote = true') == {"p-0001"}
    assert matches("posted_at = 2026-11-20") == {"p-0001"}
    assert len(matches("salary is unknown and scam is unknown and category is unknown")) == 1_202
    database.close()


@given(text=st.text(st.characters(exclude_categories=["Cs"])), name=st.sampled_from(TEXT_FIELDS))
def test_the_migration_folds_texts_as_the_contract_does(text: str, name: str) -> None:
    if name != "category":
        assert migration._folded(name, text) == (folded(name, text) or None)


@given(text=st.text(max_size=12) | st.dates().map(str) | st.datetimes().map(str))
def test_the_migration_reads_days_as_the_contract_does(text: str) -> None:
    assert migration._day_number(text) == day_number(text)
