"""What the answer to `initialize` says that a session can do. Pure."""

from __future__ import annotations

ABILITIES = {
    "supportsConfigurationDoneRequest": True,
    "supportsConditionalBreakpoints": True,
    "supportsFunctionBreakpoints": True,
    "supportsLogPoints": True,
    "supportsSetVariable": True,
    "supportsEvaluateForHovers": True,
    "supportsTerminateRequest": True,
    "supportsBreakpointLocationsRequest": True,
    "exceptionBreakpointFilters": [
        {
            "filter": "deadLetters",
            "label": "Dead letters",
            "description": "Pause when a message could not be handled.",
            "default": False,
        }
    ],
}
