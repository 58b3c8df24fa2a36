"""The store under several threads: nothing that is filed is lost from sight."""

import threading

from local.emulator.storage.kernel_store import KernelStore


def test_sessions_are_seen_while_others_are_pushed(tmp_path):
    store = KernelStore(tmp_path)
    trouble = []
    over = threading.Event()

    def look():
        while not over.is_set():
            try:
                store.live()
            except Exception as error:  # noqa: BLE001 whatever it is, it is the finding
                trouble.append(error)

    watchers = [threading.Thread(target=look) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    pushed = []
    for n in range(60):
        inputs = tmp_path / "parts" / f"inputs-{n}"
        inputs.mkdir()
        push = {"gpu": False, "timeout_seconds": 60}
        pushed.append(
            store.add_version("me", f"kernel-{n:02}", title="x", source="{}", push=push, inputs=inputs, remarks=[]).name
        )
    over.set()
    for watcher in watchers:
        watcher.join()
    assert trouble == []
    assert sorted(version.name for version in store.live()) == sorted(pushed)


def test_a_marker_without_its_version_is_dropped(tmp_path):
    store = KernelStore(tmp_path)
    (tmp_path / "live" / "12345").write_text("me/deleted-one/1")
    assert store.live() == []
    assert not (tmp_path / "live" / "12345").exists()
