"""A few trips of the soak, so that what measures them cannot rot; the figures come from the script."""

from local.kaggle_api import http
from tests.measurements import soak


def test_a_few_trips_on_a_bad_day_end_right(tmp_path, home, no_waits, monkeypatch):
    monkeypatch.setattr(http, "READ", soak.READ)
    figures = soak.soak(loops=4, seed=1, share=0.2, folder=tmp_path)
    assert sum(figures["ends"].values()) >= 4 and sum(figures["injected"].values()) > 0
    assert (figures["wrong"], figures["pushed_twice"], figures["half_folders"]) == ([], {}, [])
