"""A CSV file that lists images and masks (`manifest`)."""

from __future__ import annotations

from anytomy.core.errors import DatasetError
from anytomy.datasets.layout import Layout
from anytomy.datasets.readers.manifest import columns_of, read_table, rows_of
from anytomy.datasets.recognising.inventory import Inventory
from anytomy.datasets.recognising.sketch import Draft, Sketch


def manifest(inventory: Inventory) -> Draft | None:
    """See the module. A table counts if half of the files that it names are there."""
    tree = inventory.tree
    tables = [path for path in tree.files if path.lower().endswith((".csv", ".tsv"))]
    # Those of the data set lie at its top.
    for table in sorted(tables, key=lambda p: (p.count("/"), p))[:20]:
        try:
            titles, _ = read_table(tree.path(table))
            columns = columns_of(titles)
            if not {"image", "mask"} <= set(columns):
                continue
            rows = rows_of(tree.path(table))
        except DatasetError:
            continue
        folder = tree.path(table).parent
        there = [
            row
            for row in rows
            if row.get("image")
            and row.get("mask")
            and all((folder / row.get(name).partition("::")[0]).exists() for name in ("image", "mask"))
        ]
        if not there or 2 * len(there) < len(rows):
            continue
        layout = Layout(
            name="manifest", image=table, reader="manifest", options={"file": table}, documented=False
        )
        used = ", ".join(f"{titles[at]} ({name})" for name, at in columns.items())
        said = f"{table} lists {len(there)} masks; its columns are taken as: {used}"
        return Draft("manifest", (Sketch(layout),), (said,), settled=True)
    return None
