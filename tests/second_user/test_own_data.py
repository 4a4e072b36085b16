"""Another user lays links in the folders of own data and of suspects: nothing goes through them."""

import os
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from noisebench.data.own.cache import keep
from noisebench.data.own.kept import OwnData, keep_planted, problems, read
from noisebench.data.own.read import read_source
from noisebench.errors import DataError, EnvironmentFault, InputError
from noisebench.records.folders import ResultsFolder
from noisebench.review.corrections import review
from tests.data.own.pictures import folder_of_two_classes, picture
from tests.fuzz.inputs import tree
from tests.review.made import write_review
from tests.second_user.other_user import SECRET, as_other_user
from tests.store.results_folder import Folder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can act as a second user"),
]
READ = ("report.json", "all.parquet", "decisions.csv")
PLANTS = {"link": "ln -sfn {secret} {path}", "pipe": "rm -rf {path} && mkfifo {path}"}


def planted(plant: str, path: Path) -> None:
    """Let another user put a link to the private file, or a pipe, in place of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o777)
    command = PLANTS[plant].format(secret=path.parents[3] / "secret", path=path)
    done = as_other_user(command)
    assert done.returncode == 0, done.stderr


def kept(place: Path, results: ResultsFolder) -> OwnData:
    if not (place / "photos").exists():
        (place / "photos").mkdir()
        folder_of_two_classes(place / "photos")
    return keep(read_source(str(place / "photos")), results.own_data, say=lambda _: None)


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("name", ["values.bin", "state.npy", "labels.npy", "about.json"])
def test_own_data_are_not_written_through_what_another_user_planted(
    place: Path, shared: Folder, name: str, plant: str
) -> None:
    content = kept(place, ResultsFolder(place / "elsewhere")).content
    planted(plant, shared.results.own_data / content / name)
    assert read(shared.results.own_data, kept(place, shared.results).content).classes == 2
    assert (place / "secret").read_text() == SECRET + "\n"


def test_a_linked_lock_of_own_data_is_refused(place: Path, shared: Folder) -> None:
    content = kept(place, ResultsFolder(place / "elsewhere")).content
    planted("link", shared.results.own_data / content / "lock")
    with pytest.raises(OSError, match="lock"):
        kept(place, shared.results)


@pytest.mark.parametrize("plant", PLANTS)
def test_planted_files_of_kept_data_are_damage(place: Path, shared: Folder, plant: str) -> None:
    own = kept(place, shared.results)
    content = keep_planted(own, np.roll(own.source.labels, 1), np.zeros(12, dtype=np.int8))
    for name in ("labels.npy", "about.json"):
        planted(plant, shared.results.own_data / own.content / name)
        planted(plant, shared.results.own_data / content / name)
        assert list(problems(shared.results.own_data)) == sorted([own.content, content])
        with pytest.raises(DataError):
            read(shared.results.own_data, own.content)
    assert (place / "secret").read_text() == SECRET + "\n"


def test_linked_folders_of_another_user_are_refused(place: Path, shared: Folder) -> None:
    victim = place / "victim"
    victim.mkdir()
    linked = as_other_user(f"ln -s {victim} {shared.results.own_data}")
    assert linked.returncode == 0, linked.stderr
    with pytest.raises(EnvironmentFault, match=r"data: is a link of another user.*replace it with a folder"):
        kept(place, shared.results)
    shared.results.own_data.unlink()
    shared.results.own_data.symlink_to(victim)
    assert kept(place, shared.results).folder.parent == victim.resolve()  # one's own link may lead anywhere
    content = kept(place, shared.results).content
    (victim / content).rename(place / "moved")
    victim.chmod(0o777)
    linked = as_other_user(f"ln -s {place / 'moved'} {victim / content}")
    assert linked.returncode == 0, linked.stderr
    before = tree(place / "moved")
    with pytest.raises(OSError, match=content):
        kept(place, shared.results)
    assert tree(place / "moved") == before


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize(
    "name", ["suspects.html", "report.json", "all.parquet", "decisions.csv", "labels.csv"]
)
def test_suspects_are_not_written_or_read_through_what_another_user_planted(
    shared: Folder, name: str, plant: str
) -> None:
    folder = shared.results.sweep("photos").suspects
    place = shared.root.parent
    planted(plant, folder / name)
    wrong = np.arange(40) % 5 == 0
    if name == "decisions.csv":
        with pytest.raises(OSError, match=r"decisions\.csv"):
            write_review(folder, wrong, cards=20, budget=10)
        (folder / name).unlink()
    write_review(folder, wrong, cards=20, budget=10)
    planted(plant, folder / name)
    (place / "mine.csv").write_text("id,sha256,given,verdict\n")
    refused = pytest.raises((OSError, DataError, InputError)) if name in READ else nullcontext()
    with refused as caught:
        review(folder, place / "mine.csv")
    assert SECRET not in str(caught)
    assert (place / "secret").read_text() == SECRET + "\n"
    assert SECRET.encode() not in b"".join(
        path.read_bytes() for path in folder.iterdir() if path.is_file() and not path.is_symlink()
    )


def test_a_linked_folder_of_suspects_is_not_written_into(place: Path, shared: Folder) -> None:
    victim = place / "victim"
    victim.mkdir()
    linked = as_other_user(f"mkdir -p {shared.root}/suspects && ln -s {victim} {shared.root}/suspects/photos")
    assert linked.returncode == 0, linked.stderr
    with pytest.raises(OSError, match="suspects/photos"):
        write_review(shared.results.sweep("photos").suspects, np.arange(40) % 5 == 0)
    assert list(victim.iterdir()) == []


def test_a_table_of_another_user_names_no_private_image(place: Path, shared: Folder) -> None:
    for row in range(12):
        picture(shared.root / "photos" / f"{row}.png", row)
    picture(place / "private.png", 3)
    (place / "private.png").chmod(0o600)
    (shared.root / "photos").chmod(0o777)
    rows = [f"{row}.png,{'cat' if row % 2 else 'dog'}" for row in range(12)]
    text = "\\n".join(["path,label", *rows, f"{place}/private.png,cat"])
    table = shared.root / "photos" / "labels.csv"
    written = as_other_user(f"printf '{text}' > {table}")
    assert written.returncode == 0, written.stderr
    with pytest.raises(InputError, match=r"private.png\) of .*, and others have written the table or can"):
        read_source(str(table))
    link = f"ln -s {place}/private.png {shared.root}/photos/x.png"
    linked = as_other_user(f"printf 'path,label\\nx.png,cat\\n' > {table} && {link}")
    assert linked.returncode == 0, linked.stderr
    with pytest.raises(InputError, match=r"1 file \(.*x.png\) behind a link of another user"):
        read_source(str(table))
