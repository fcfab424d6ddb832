"""Watches one embedded Triton, and brings back what dies, hangs or is stuck."""

from triptych.serving.supervision.patience import Patience
from triptych.serving.supervision.state import State, Traffic
from triptych.serving.supervision.supervisor import Supervisor

__all__ = ["Patience", "State", "Supervisor", "Traffic"]
