"""What `deploy` says of what it leaves, and of what may not be meant."""

from __future__ import annotations

from rollout.cli.notices import of_binds, of_orphans, of_profiles, of_volumes, orphans, repository
from rollout.model.spec import Mount, ServiceSpec, TaskSpec
from rollout.model.stack import ComposeSettings, Stack
from tests.support.shown import spec

WANTED = Stack(name="shop", services=(spec("web"), spec("db")), disabled=("debug",))


def _with(*mounts: Mount, name: str = "web") -> ServiceSpec:
    return spec(name, task=TaskSpec(image="x", mounts=mounts))


def _bind(source: str, target: str = "/conf") -> Mount:
    return Mount(type="bind", source=source, target=target)


def test_orphans_are_named_with_what_removes_them() -> None:
    there = ["web", "old", "debug", "jobs"]

    assert orphans(WANTED, there) == {"old", "jobs"}
    assert list(of_orphans(WANTED, there)) == [
        (
            "shop: orphans, services that are not in the file any more: jobs, old "
            "(`rollout deploy --prune` removes them)"
        )
    ]
    assert list(of_orphans(WANTED, ["web", "debug"])) == []
    ignoring = Stack(
        name="shop", services=WANTED.services, settings=ComposeSettings(ignore_orphans=True)
    )
    assert list(of_orphans(ignoring, there)) == []


def test_a_service_whose_profile_is_off_is_no_orphan() -> None:
    assert list(of_profiles(WANTED, ["web", "debug"])) == [
        (
            "shop: left as they are, since their profiles are off: debug "
            "(`--profile NAME` turns one on)"
        )
    ]
    assert list(of_profiles(WANTED, ["web"])) == []


def test_a_moved_checkout_is_seen_by_its_binds() -> None:
    before = {"web": _with(_bind("/old/shop/conf"), _bind("/srv", "/srv"))}
    after = [_with(_bind("/new/shop/conf"), _bind("/srv", "/srv")), _with(_bind("/x"), name="db")]

    (line,) = of_binds("shop", after, before)

    assert line == (
        "shop: binds lead elsewhere than before, and the services that have them are replaced: "
        "shop_web: /old/shop/conf -> /new/shop/conf (are the files in another folder now?)"
    )
    assert list(of_binds("shop", [before["web"]], before)) == []
    volume = _with(Mount(type="volume", source="data", target="/conf"))
    assert list(of_binds("shop", [volume], before)) == []


def test_the_same_files_under_another_name_have_new_volumes() -> None:
    """Another version of the same images is the same stack; another image is another one."""
    web, db = ("web", "bb:v7@sha256:a"), ("db", "bb")
    others = {
        "store": {web, db, ("more", "x")},
        "blog": {web},
        "wiki": {web, ("db", "other/bb:v1")},
        "shop": {web, db},
    }

    assert list(of_volumes(WANTED, ["shop_data"], others)) == [
        (
            "shop: a new stack with the services of store, under a name of its own: its volumes "
            "are new and empty: shop_data"
        )
    ]
    assert list(of_volumes(WANTED, [], others)) == []
    assert list(of_volumes(WANTED, ["shop_data"], {"blog": {web}})) == []


def test_repositories() -> None:
    digest = "@sha256:" + "a" * 64

    for image in ("h:5000/a/b", "h:5000/a/b:v1", f"h:5000/a/b:v1{digest}", f"h:5000/a/b{digest}"):
        assert repository(image) == "h:5000/a/b"
    assert repository("bb:v1") == "bb"
