"""How long is waited before something that fails again is tried again."""

from __future__ import annotations

from triptych.serving.supervision.patience import BackOff, Patience

PATIENCE = Patience(steady_s=60, first_pause_s=0.5, longest_pause_s=4)


def test_the_first_fault_is_mended_at_once_and_the_next_ones_after_ever_longer_pauses():
    back_off = BackOff(PATIENCE)
    assert [back_off.pause_s("whisper", now) for now in range(7)] == [0, 0.5, 1, 2, 4, 4, 4]
    assert back_off.faults("whisper") == 7


def test_each_part_is_counted_by_itself():
    back_off = BackOff(PATIENCE)
    for now in range(3):
        back_off.pause_s("whisper", now)
    assert back_off.pause_s("fusion", 3) == 0
    assert (back_off.faults("fusion"), back_off.faults("server")) == (1, 0)


def test_faults_are_forgotten_after_a_steady_while():
    back_off = BackOff(PATIENCE)
    for now in (0, 1, 2):
        back_off.pause_s("whisper", now)
    assert back_off.pause_s("whisper", 62.5) == 2
    assert back_off.pause_s("whisper", 200) == 0
    assert back_off.faults("whisper") == 1


def test_a_thousand_faults_wait_no_longer_than_the_longest_pause():
    back_off = BackOff(PATIENCE)
    assert [back_off.pause_s("server", 0) for _ in range(1000)][-1] == 4
