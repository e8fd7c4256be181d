from importlib import metadata

from slimlab import __main__ as cli
from slimlab import doctor


def test_all_is_well_here(capsys):
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "torch" in out and metadata.version("torch") in out and "MISS" not in out


def test_what_is_missing_is_named_with_its_remedy(monkeypatch, capsys):
    version = metadata.version

    def without(name):
        if name in ("safetensors", "ipywidgets", "playwright"):
            raise metadata.PackageNotFoundError(name)
        return "7.3.1" if name == "ipykernel" else version(name)

    monkeypatch.setattr(metadata, "version", without)
    monkeypatch.setattr(doctor.shutil, "which", lambda _: None)
    monkeypatch.delenv("SLIMLAB_CHROMIUM", raising=False)
    assert doctor.report() == 1
    out = capsys.readouterr().out
    for text in (
        "MISS  safetensors",
        "pip install -e . in a checkout",
        "note  ipywidgets",
        "pip install 'slimlab[notebook]'",
        "note  playwright",
        "apt-get install chromium",
        "ipykernel>=7.4",
    ):
        assert text in out


def test_the_bare_library_is_enough(monkeypatch, capsys):
    """Optional packages are notes: the exit status stays 0 without every one of them."""
    version = metadata.version
    optional = {name for names in doctor.EXTRAS.values() for name in names}

    def without(name):
        if name in optional:
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without)
    assert doctor.report() == 0
    out = capsys.readouterr().out
    assert "MISS" not in out and all(f"note  {name}" in out for name in optional)


def test_another_browser_may_be_named(monkeypatch):
    monkeypatch.setenv("SLIMLAB_CHROMIUM", "/opt/chrome")
    assert doctor.chromium() == "/opt/chrome"
