from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.pages.browse.showing.downloads import downloads_view, release_files


def test_every_file_is_listed_with_its_size_and_checksum(finished: Workspace) -> None:
    folder = finished.path("annotations")
    view = downloads_view(folder, "2.0.0")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {one.name: (one.size, one.sha256) for one in view.files} == {
        path.relative_to(folder).as_posix(): (path.stat().st_size, file_digest(path))
        for path in files
    }
    assert all(one.can_fetch and one.what for one in view.files)


def test_hidden_files_links_that_lead_out_and_pages_are_not_offered(build: Workspace) -> None:
    folder = build.path("annotations")
    (build.root / "secret.csv").write_text("secret")
    (folder / "link.csv").symlink_to(build.root / "secret.csv")
    (folder / "gone.csv").symlink_to(build.root / "nothing")
    (folder / ".hidden.csv").write_text("hidden")
    (folder / "evil.html").write_text("<script>alert(1)</script>")
    (folder / "inside.csv").symlink_to(folder / "releases.json")
    assert not set(release_files(folder)) & {"link.csv", "gone.csv", ".hidden.csv"}
    (folder / "SHA256SUMS").write_text("no checksums\n")  # is no list
    offered = {one.name: (one.can_fetch, one.sha256) for one in downloads_view(folder, "").files}
    assert (offered["inside.csv"], offered["evil.html"]) == ((True, ""), (False, ""))
