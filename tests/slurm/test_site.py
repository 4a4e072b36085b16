"""Site profiles are read strictly: a valid one becomes a Site, a wrong one gives all its messages."""

import re
from pathlib import Path

import pytest

from noisebench.catalogue.models import MODELS
from noisebench.errors import InputError
from noisebench.slurm.job import DriverJob, WorkerJob
from noisebench.slurm.site import Container, Folders, Limits, Mail, Site, load_site, parse_site

SHIPPED = Path(__file__).parents[2] / "slurm/sites"
BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))
LEAST = """\
site: least
driver: {minutes: 60}
workers: {minutes: 30, count: 2}
"""


def test_defaults() -> None:
    nothing = {"partition": None, "qos": None, "constraint": None, "exclude": None, "reservation": None}
    assert parse_site(LEAST, "least.yaml") == Site(
        site="least",
        description="",
        account=None,
        requeue=True,
        signal_seconds=120,
        mail=None,
        driver=DriverJob(**nothing, cpus=2, memory_gb=None, minutes=60, sbatch_extra={}),
        workers=(
            WorkerJob(
                **nothing,
                cpus=2,
                memory_gb=None,
                minutes=30,
                sbatch_extra={},
                gpu_request=None,
                count=2,
                at_once=None,
                trials_factor=1,
            ),
        ),
        interface=(),
        folders=Folders(results=None, data=None, scratch=None, copy_data=False),
        setup=(),
        python=None,
        srun_options=(),
        container=None,
        trials_per_gpu={},
        mps=False,
        allowance_minutes=None,
        idle_minutes=5,
        head_wait_minutes=15,
        limits=Limits(array_size=1000, jobs=100),
    )


@pytest.mark.parametrize("profile", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_profiles_are_valid(profile: Path) -> None:
    assert load_site(profile).site == profile.stem


def test_the_shipped_example_is_read_field_by_field() -> None:
    site = load_site(SHIPPED / "example-v100.yaml")
    assert site.mail == Mail(user="me@example.org", events=("FAIL",))
    assert site.workers[0].gpu_request == "--gres=gpu:v100:4"
    assert site.workers[0].sbatch_extra == {"exclusive": True}
    assert site.setup == ("module load python/3.11", "source /shared/my-project/venv/bin/activate")
    assert (site.account, site.driver.qos, site.workers[0].qos) == ("my-project", "long", None)
    assert site.trials_per_gpu["small-cnn"] == 8


def test_an_example_names_every_field() -> None:
    example = (SHIPPED / "example-v100.yaml").read_text()
    values = (Site, WorkerJob, Mail, Folders, Container, Limits)
    names = [name for value in values for name in value.__dataclass_fields__ if name != "text"]
    assert [name for name in names if f"{name}:" not in example] == []


def test_the_old_word_for_workers_is_refused_with_the_right_one() -> None:
    with pytest.raises(InputError) as refused:
        parse_site(LEAST.replace("workers:", "worker:"), "x.yaml")
    assert "field 'worker' is unknown" in str(refused.value)
    assert "Did you mean workers?" in str(refused.value)


def test_one_pool_is_a_list_of_one() -> None:
    listed = LEAST.replace("{minutes: 30, count: 2}", "[{minutes: 30, count: 2}]")
    assert parse_site(listed, "x.yaml") == parse_site(LEAST, "x.yaml")


def test_an_empty_field_has_its_default() -> None:
    emptied = LEAST + "account:\nfolders:\nlimits:\nsetup:\ntrials_per_gpu:\nidle_minutes:\n"
    assert parse_site(emptied, "x.yaml") == parse_site(LEAST, "x.yaml")


def test_one_line_is_a_list_of_one() -> None:
    assert parse_site(LEAST + "setup: module load cuda\n", "x.yaml").setup == ("module load cuda",)


@pytest.mark.parametrize("profile", BROKEN, ids=lambda path: path.stem)
def test_message(profile: Path) -> None:
    with pytest.raises(InputError) as refused:
        parse_site(profile.read_text(), profile.name)
    assert str(refused.value) + "\n" == profile.with_suffix(".txt").read_text()
    assert refused.value.exit_code == 2


def test_every_message_belongs_to_a_profile() -> None:
    assert {path.stem for path in BROKEN[0].parent.glob("*.txt")} == {path.stem for path in BROKEN}


def test_every_field_has_a_broken_profile() -> None:
    messages = "".join(path.with_suffix(".txt").read_text() for path in BROKEN)
    places = re.findall(r"^\S+:\d+ ([^\s:]+):? ", messages, re.MULTILINE)
    refused = {name for place in places for name in re.sub(r"\[\d+\]", "", place).split(".")}
    values = (Site, WorkerJob, Mail, Folders, Container, Limits)
    names = {name for value in values for name in value.__dataclass_fields__} - {"text"}
    assert names - refused == set()


def test_the_message_about_an_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(InputError) as refused:
        parse_site(LEAST + "trials_per_gpu: {small-cmn: 8}\n", "x.yaml")
    assert str(refused.value) == (
        "x.yaml:4 trials_per_gpu.small-cmn: model 'small-cmn' is unknown; known: "
        f"{', '.join(MODELS)}. Did you mean small-cnn?"
    )


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        load_site(tmp_path / "x.yaml")
    assert str(refused.value) == f"{tmp_path}/x.yaml: cannot be read: No such file or directory"
