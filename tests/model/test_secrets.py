"""What is masked, by the names of values and by the form of texts."""

from __future__ import annotations

import pytest

from rollout.model.secrets import (
    MASK,
    is_secret_name,
    masked,
    secret_values,
    without_secrets,
    without_secrets_of,
)
from rollout.model.spec import Logging, Network, ServiceSpec, TaskSpec

SPEC = ServiceSpec(
    name="web",
    task=TaskSpec(
        image="web:v1",
        command=("serve", "--token", "abcd1234", "--db=postgres://app:hunter2@db/x", "hunter22"),
        environment={
            "DB_PASSWORD": "hunter22",
            "URL": "https://u:pw@host/",
            "LOG": "debug",
            "API_KEY": None,
            "USE_TOKEN": "1",
        },
        labels={"auth": "basic-x"},
        logging=Logging(driver="splunk", options={"splunk-token": "t0k3n", "tag": "web"}),
    ),
)


@pytest.mark.parametrize(
    "name",
    ["DB_PASSWORD", "PGPASSWORD", "MYSQL_PWD", "API_TOKEN", "AWS_SECRET_ACCESS_KEY", "apikey",
     "stripe.key", "smtp-auth", "PRIVATE", "credentials"],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["AUTHOR", "KEYBOARD", "LOG_LEVEL", "MONKEYS", "PORT", "image"])
def test_names_of_other_things(name: str) -> None:
    assert not is_secret_name(name)


def test_a_definition_is_masked_and_still_one() -> None:
    """Wherever it is said: by name, in a URL, as a flag's value, and the same value elsewhere."""
    task = masked(SPEC).task

    assert task.environment == {
        "DB_PASSWORD": MASK,
        "URL": f"https://u:{MASK}@host/",
        "LOG": "debug",
        "API_KEY": None,
        "USE_TOKEN": MASK,
    }
    assert task.command == ("serve", "--token", MASK, f"--db=postgres://app:{MASK}@db/x", MASK)
    assert task.labels == {"auth": MASK}
    assert task.logging == Logging(driver="splunk", options={"splunk-token": MASK, "tag": "web"})
    assert task.image == "web:v1"


def test_a_definition_without_secrets_stays_as_it_is() -> None:
    """The names of our own fields, such as a network's key, are not the user's."""
    spec = ServiceSpec(
        name="token",
        task=TaskSpec(image="secret:v1", command=("a", "--keyless", "b"), privileged=True),
        networks=(Network(key="default", name="shop_default"),),
    )

    assert masked(spec) == spec


def test_texts_lose_the_secrets_of_their_service() -> None:
    """What a container wrote as its last words, an engine's error, a probe's output."""
    said = "login as app with hunter22 failed: redis://:s3cret@cache"

    assert (
        without_secrets_of(said, SPEC) == f"login as app with {MASK} failed: redis://:{MASK}@cache"
    )
    assert without_secrets("run --password=x1 -v") == f"run --password={MASK} -v"
    assert without_secrets("https://host/path:80@x and a:b@c") == "https://host/path:80@x and a:b@c"


def test_what_is_too_short_is_not_searched_for() -> None:
    """`1` stands in every other text."""
    assert secret_values(SPEC.task) == ("hunter22",)
