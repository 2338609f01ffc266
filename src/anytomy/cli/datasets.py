"""`anytomy datasets`: which data sets there are, and having them here."""

from __future__ import annotations

import typer

from anytomy.cli.datasets_add import add
from anytomy.cli.datasets_get import get, remove
from anytomy.cli.datasets_list import info, list_datasets
from anytomy.cli.datasets_show import show
from anytomy.cli.datasets_verify import split, verify

app = typer.Typer(
    name="datasets", help="Data sets: what they are, and having them here.", no_args_is_help=True
)
app.command("list")(list_datasets)
app.command()(info)
app.command()(get)
app.command()(add)
app.command()(verify)
app.command()(show)
app.command()(split)
app.command()(remove)
