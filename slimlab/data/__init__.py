"""Files on disk -> clips: `open`, `convert`, `export`, `split`, views, real recordings and a synthetic set."""

from slimlab.data import clean
from slimlab.data.bodies import on_body
from slimlab.data.errors import DataError
from slimlab.data.exports import export
from slimlab.data.folds import folds, leave_one_out
from slimlab.data.joining import concatenate, join
from slimlab.data.opening import convert, from_markers, open
from slimlab.data.readers.arrays import from_arrays
from slimlab.data.readers.ntu_npz import save as save_ntu_npz
from slimlab.data.readers.ragged import save as save_ragged
from slimlab.data.readers.tables import from_table
from slimlab.data.reports import Report, report
from slimlab.data.selections import exclude, relabel
from slimlab.data.splits import split
from slimlab.data.store import Clip, ClipStore
from slimlab.data.synthetic import synthetic, varied
from slimlab.data.ui_prmd import ui_prmd
from slimlab.data.views import Views, random_view, released_test_view, resampled, sample_views, test_view
from slimlab.data.windows import windows

__all__ = [
    "Clip",
    "ClipStore",
    "DataError",
    "Report",
    "Views",
    "clean",
    "concatenate",
    "convert",
    "exclude",
    "export",
    "folds",
    "from_arrays",
    "from_markers",
    "from_table",
    "join",
    "leave_one_out",
    "on_body",
    "open",
    "random_view",
    "relabel",
    "released_test_view",
    "report",
    "resampled",
    "sample_views",
    "save_ntu_npz",
    "save_ragged",
    "split",
    "synthetic",
    "test_view",
    "ui_prmd",
    "varied",
    "windows",
]
