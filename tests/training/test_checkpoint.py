"""A checkpoint is complete or absent, and comes back to the bit."""

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file

from metaglot.data.checkpoints import damage_of_checkpoint, newest_whole, put_aside
from metaglot.errors import MetaglotError
from metaglot.training import State
from metaglot.training.checkpoint import clean, latest, list_steps, load, load_params, save

CPU = torch.device("cpu")


def a_state(step: int = 3) -> State:
    draws = torch.Generator().manual_seed(step)

    def some(*shape):
        return torch.randn(shape, generator=draws)

    return State(
        step=step,
        params={
            "body.z": some(3, 2),
            "algorithm.scale": some(),
            "body.odd": some(4, 3).T,
            "body.half": some(5).bfloat16(),
        },
        moments={
            "exp_avg.body.z": some(3, 2),
            "exp_avg_sq.body.z": some(3, 2).double(),
            "step.body.z": torch.tensor(3.0),
        },
        snapshot={"seen": torch.tensor([1, 2])},
        combine={"last": some(2)},
        goal={"accuracy": 0.1 + 0.2, "step": 3.0},
        seed=2**62 + 1,
        cpu_seconds=1 / 3,
    )


def test_round_trip_to_the_bit(tmp_path):
    state = a_state()
    back = load(save(state, tmp_path), device=CPU)
    for part in ("params", "moments", "snapshot", "combine"):
        one, other = getattr(state, part), getattr(back, part)
        assert one.keys() == other.keys()
        assert all(v.dtype == other[n].dtype and torch.equal(v, other[n]) for n, v in one.items())
    assert (back.step, back.seed, back.cpu_seconds, back.goal) == (3, 2**62 + 1, 1 / 3, state.goal)


def test_a_loss_of_power_after_the_first_save_leaves_it_where_it_is_looked_for(tmp_path, monkeypatch):
    """All files are flushed before the folder has its name, and so is each name on the way to it."""
    flushed: list[str] = []

    def noting(path):
        assert path != tmp_path / "checkpoints" or latest(tmp_path)
        flushed.append(path.name)

    monkeypatch.setattr("metaglot.training.checkpoint.flush", noting)
    for step in (1, 2):
        save(a_state(step), tmp_path)
    assert flushed == [tmp_path.name, "checkpoints", "checkpoints"]


def test_parameters_alone(tmp_path):
    state = a_state()
    params = load_params(save(state, tmp_path), device=CPU)
    assert all(torch.equal(value, params[name]) for name, value in state.params.items())


def test_what_is_loaded_lies_in_memory_as_a_fresh_tensor_would(tmp_path):
    """Matrix products may depend on the alignment, and so would a resumed run."""
    back = load(save(a_state(), tmp_path), device=CPU)
    tensors = [*back.params.values(), *back.moments.values()]
    assert len(tensors) == 7
    assert [t.data_ptr() % 64 for t in tensors] == [0] * 7


def test_the_newest_are_kept(tmp_path):
    for step in (2, 10, 9, 100):
        save(a_state(step), tmp_path, keep=2)
    assert list_steps(tmp_path) == [10, 100]
    assert latest(tmp_path).name == "step-100"
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["step-10", "step-100"]


def test_no_checkpoint(tmp_path):
    assert list_steps(tmp_path) == []
    assert latest(tmp_path) is None
    clean(tmp_path)


def test_what_a_killed_save_left_is_ignored_and_cleaned(tmp_path):
    whole = save(a_state(4), tmp_path)
    torn = tmp_path / "checkpoints" / ".part-9-123"
    shutil.copytree(whole, torn)
    (torn / "state.json").unlink()
    assert latest(tmp_path) == whole
    clean(tmp_path)
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["step-4"]


def test_a_crash_while_saving_leaves_no_checkpoint(tmp_path, monkeypatch):
    save(a_state(4), tmp_path)
    real = json.dumps

    def crash(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("metaglot.training.checkpoint.json.dumps", crash)
    with pytest.raises(KeyboardInterrupt):
        save(a_state(5), tmp_path)
    monkeypatch.setattr("metaglot.training.checkpoint.json.dumps", real)
    assert list_steps(tmp_path) == [4]
    assert list_steps(save(a_state(5), tmp_path).parent.parent) == [4, 5]


def test_an_old_checkpoint_goes_at_once(tmp_path, monkeypatch):
    """Killed while it removes an old checkpoint, a run must not leave half of one."""
    save(a_state(1), tmp_path, keep=1)
    monkeypatch.setattr("metaglot.training.checkpoint.shutil.rmtree", lambda *_, **__: None)
    save(a_state(2), tmp_path, keep=1)
    assert list_steps(tmp_path) == [2]


DAMAGE = {
    "cut": lambda folder: (folder / "params.safetensors").write_bytes(b"short"),
    "no parameters": lambda folder: (folder / "params.safetensors").unlink(),
    "no moments": lambda folder: (folder / "moments.safetensors").unlink(),
    "no state": lambda folder: (folder / "state.json").unlink(),
    "torn state": lambda folder: (folder / "state.json").write_text('{"step": 3'),
    "other state": lambda folder: (folder / "state.json").write_text("[1]"),
    "poor state": lambda folder: (folder / "state.json").write_text('{"step": 3}'),
    "zeros": lambda folder: (folder / "moments.safetensors").write_bytes(bytes(100)),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_checkpoint_says_where_and_what_to_do(tmp_path, kind):
    folder = save(a_state(), tmp_path)
    DAMAGE[kind](folder)
    with pytest.raises(MetaglotError, match=r"step-3(/state\.json)?: .*damaged.*remove the checkpoint"):
        load(folder, device=CPU)


@pytest.mark.parametrize("kind", ["cut", "no parameters"])
def test_damaged_parameters(tmp_path, kind):
    folder = save(a_state(), tmp_path)
    DAMAGE[kind](folder)
    with pytest.raises(MetaglotError, match="step-3: the checkpoint is damaged"):
        load_params(folder, device=CPU)


def test_the_manifest_names_every_file_and_any_changed_byte_is_found(tmp_path):
    folder = save(a_state(), tmp_path)
    hashes = json.loads((folder / "manifest.json").read_text())["sha256"]
    assert set(hashes) == {path.name for path in folder.iterdir()} - {"manifest.json"}
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        for place in range(0, len(content), max(1, len(content) // 40)):
            file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            damage = damage_of_checkpoint(folder)
            if file.name != "manifest.json":  # of which white space may change
                assert damage is not None, (file.name, place)
                assert file.name in damage
        file.write_bytes(content)
    assert damage_of_checkpoint(folder) is None


def test_a_checkpoint_without_a_manifest_is_read_as_before(tmp_path):
    folder = save(a_state(), tmp_path)
    (folder / "manifest.json").unlink()
    assert newest_whole(tmp_path) == (folder, [])
    assert load(folder, device=CPU).step == 3
    (folder / "params.safetensors").write_bytes(b"short")
    assert newest_whole(tmp_path)[0] is None


def test_a_write_that_reads_back_otherwise_keeps_what_was_there(tmp_path, monkeypatch):
    """As of a disk or a memory that errs: the checkpoint before is not dropped for one that is not proved."""
    save(a_state(1), tmp_path, keep=1)
    real = save_file

    def erring(tensors, file):
        real({name: value + 1 if name == "seen" else value for name, value in tensors.items()}, file)

    monkeypatch.setattr("metaglot.training.checkpoint.save_file", erring)
    with pytest.raises(MetaglotError, match=r"step-2: .*snapshot.safetensors reads back otherwise"):
        save(a_state(2), tmp_path, keep=1)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-1"]


def test_a_damaged_checkpoint_of_the_same_step_is_replaced(tmp_path):
    folder = save(a_state(), tmp_path)
    (folder / "params.safetensors").write_bytes(b"short")
    save(a_state(), tmp_path)
    assert damage_of_checkpoint(folder) is None
    assert (tmp_path / "checkpoints/damaged-3").is_dir()
    put_aside(folder)  # the earlier one that was put aside gives way
    assert list_steps(tmp_path) == []
